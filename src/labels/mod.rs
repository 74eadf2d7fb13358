//! The labels of `trace_counter`: their names, the rules for names and values, and their form on a
//! page. Pure functions; any thread.
//!
//! A label is stored as the text format writes it, preceded by a comma: `,object_classname="Hypercore"`.
//! To write a line, labels are concatenated, and the first comma is replaced by `{`.

use std::borrow::Cow;

pub mod protobuf;

/// The labels that every trace can have, in the order of the page and of [`Schema`]'s values.
pub const RESERVED: [&str; 7] = [
    "object_classname",
    "caller_functionname",
    "caller_filename",
    "id",
    "parent_object_classname",
    "object_id",
    "parent_object_id",
];

/// The label of the overflow series, which counts the label sets beyond the bound.
pub const OVERFLOW: &str = "hypertrace_overflow";

/// The number of labels in [`RESERVED`] that identify a call site; the others identify objects.
pub const SITE_LABELS: usize = 5;

/// The prefixes of the labels of properties, in the order of [`Schema`]'s values.
pub const PROP_OWNERS: [&str; 3] = ["object_props_", "parent_object_props_", "caller_props_"];

/// The label names of one counter: the reserved ones, then those of the allowed properties, owner by
/// owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    names: Vec<String>,
    props: usize,
    columns: Vec<u32>,
}

impl Schema {
    /// Creates the schema for these allowed properties. Two properties that have the same label name
    /// share a column.
    #[must_use]
    pub fn new<S: AsRef<str>>(allowed_props: &[S]) -> Self {
        let mut unique: Vec<String> = Vec::new();
        let mut columns = Vec::with_capacity(allowed_props.len());
        for prop in allowed_props {
            let name = sanitise_name(prop.as_ref());
            let column = unique.iter().position(|other| *other == name).unwrap_or_else(|| {
                unique.push(name);
                unique.len() - 1
            });
            columns.push(u32::try_from(column).unwrap_or(u32::MAX));
        }
        let reserved = RESERVED.iter().map(ToString::to_string);
        let owned = PROP_OWNERS
            .iter()
            .flat_map(|owner| unique.iter().map(move |name| format!("{owner}{name}")));
        let names = reserved.chain(owned).collect();
        Self { names, props: unique.len(), columns }
    }

    /// Returns all label names, in the order of the values.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the number of labels of each owner of properties.
    #[must_use]
    pub fn props_per_owner(&self) -> usize {
        self.props
    }

    /// Returns the column of each allowed property: the index of its label among its owner's labels.
    #[must_use]
    pub fn columns(&self) -> &[u32] {
        &self.columns
    }
}

/// Returns a property's name as the end of a label name: each UTF-16 code unit outside `[A-Za-z0-9_]`
/// becomes `_`.
///
/// The JavaScript package of this name (1.0.0) replaced UTF-16 code units in the same way, and dashboards
/// contain its names.
#[must_use]
pub fn sanitise_name(prop: &str) -> String {
    let mut name = String::with_capacity(prop.len());
    for c in prop.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            name.push(c);
        } else {
            name.extend(std::iter::repeat_n('_', c.len_utf16()));
        }
    }
    name
}

/// Appends `,name="value"` to `out`, or nothing if the value is empty: for Prometheus an empty label
/// equals an absent one (<https://prometheus.io/docs/concepts/data_model/>).
pub fn write_label(out: &mut Vec<u8>, name: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    out.push(b',');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    escape_value(out, value);
    out.push(b'"');
}

/// Appends a label value with backslash, quote and line feed escaped, and nothing else, as the text
/// format requires.
pub fn escape_value(out: &mut Vec<u8>, value: &str) {
    let bytes = value.as_bytes();
    let mut copied = 0;
    for at in memchr::memchr3_iter(b'\\', b'"', b'\n', bytes) {
        out.extend_from_slice(&bytes[copied..at]);
        out.extend_from_slice(match bytes[at] {
            b'\\' => b"\\\\",
            b'"' => b"\\\"",
            _ => b"\\n",
        });
        copied = at + 1;
    }
    out.extend_from_slice(&bytes[copied..]);
}

/// Reverses [`escape_value`].
#[must_use]
pub fn unescape_value(escaped: &str) -> Cow<'_, str> {
    if !escaped.contains('\\') {
        return Cow::Borrowed(escaped);
    }
    let mut value = String::with_capacity(escaped.len());
    let mut chars = escaped.chars();
    while let Some(c) = chars.next() {
        value.push(match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    Cow::Owned(value)
}

/// Splits labels in the text format into names and values.
#[must_use]
pub fn read_labels(written: &str) -> Vec<(&str, Cow<'_, str>)> {
    let mut labels = Vec::new();
    let mut rest = written;
    while let Some((name, after)) = rest.strip_prefix(',').and_then(|l| l.split_once("=\"")) {
        let end = closing_quote(after.as_bytes());
        labels.push((name, unescape_value(&after[..end])));
        rest = after.get(end + 1..).unwrap_or_default();
    }
    labels
}

/// Returns the position of the first quote that is not escaped, or the length of the text.
fn closing_quote(text: &[u8]) -> usize {
    let mut start = 0;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &text[start.min(text.len())..]) {
        let position = start + found;
        if text[position] == b'"' {
            return position;
        }
        // The byte after a backslash is part of the value.
        start = position + 2;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn property_names_become_label_names_unit_by_unit() {
        let table = [
            ("foo", "foo"),
            ("foo-bar", "foo_bar"),
            ("a b.c", "a_b_c"),
            ("é", "_"),
            ("😀", "__"),
            ("0", "0"),
            ("", ""),
        ];
        for (prop, name) in table {
            assert_eq!(sanitise_name(prop), name, "{prop:?}");
        }
    }

    #[test]
    fn properties_with_the_same_label_name_share_a_column() {
        let schema = Schema::new(&["a-b", "c", "a.b"]);
        assert_eq!(schema.columns(), [0, 1, 0]);
        assert_eq!(schema.props_per_owner(), 2);
        assert_eq!(
            schema.names()[RESERVED.len()..],
            [
                "object_props_a_b",
                "object_props_c",
                "parent_object_props_a_b",
                "parent_object_props_c",
                "caller_props_a_b",
                "caller_props_c"
            ]
        );
    }

    #[test]
    fn only_backslash_quote_and_line_feed_are_escaped() {
        let mut out = Vec::new();
        write_label(&mut out, "id", "a\\b\"c\nd\re\u{2028}\0");
        assert_eq!(out, ",id=\"a\\\\b\\\"c\\nd\re\u{2028}\0\"".as_bytes());
    }

    #[test]
    fn an_empty_value_writes_no_label() {
        let mut out = Vec::new();
        write_label(&mut out, "id", "");
        assert_eq!(out, b"");
    }

    proptest! {
        #[test]
        fn written_labels_are_read_back_unchanged(values in prop::collection::vec(any::<String>(), 1..6)) {
            let mut out = Vec::new();
            for value in &values {
                write_label(&mut out, "l", value);
            }
            let text = String::from_utf8(out).expect("labels of UTF-8 values are UTF-8");
            let read: Vec<String> =
                read_labels(&text).into_iter().map(|(_, value)| value.into_owned()).collect();
            let given: Vec<String> = values.into_iter().filter(|v| !v.is_empty()).collect();
            prop_assert_eq!(read, given);
        }

        #[test]
        fn a_sanitised_name_has_one_character_for_each_utf16_unit(prop in any::<String>()) {
            let name = sanitise_name(&prop);
            prop_assert_eq!(name.len(), prop.encode_utf16().count());
            prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        }
    }
}
