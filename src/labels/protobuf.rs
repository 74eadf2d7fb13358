//! Labels in the protobuf exposition format: `LabelPair` fields of a `Metric` message. Pure functions.
//!
//! Schema: <https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto>;
//! encoding: <https://protobuf.dev/programming-guides/encoding/>.

use std::borrow::Cow;

use super::closing_quote;

/// Field 1 of `Metric`, and of `LabelPair`: length-delimited.
const FIELD_1: u8 = 0x0a;
/// Field 2 of `LabelPair`: length-delimited.
const FIELD_2: u8 = 0x12;

/// Returns the number of bytes of a number as a varint.
#[must_use]
pub const fn varint_length(number: u64) -> usize {
    // Seven bits a byte; the number 0 takes one byte too.
    ((64 - (number | 1).leading_zeros()) as usize).div_ceil(7)
}

/// Appends a number as a varint.
#[inline]
pub fn write_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        #[expect(clippy::cast_possible_truncation, reason = "seven bits")]
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "less than 0x80")]
    out.push(number as u8);
}

/// Returns the number of bytes that [`write_label`] appends for a name and a value of these lengths.
#[must_use]
pub const fn label_length(name: usize, value: usize) -> usize {
    let pair = pair_length(name, value);
    1 + varint_length(pair as u64) + pair
}

const fn pair_length(name: usize, value: usize) -> usize {
    2 + varint_length(name as u64) + name + varint_length(value as u64) + value
}

/// Appends one label.
#[inline]
pub fn write_label(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.push(FIELD_1);
    write_varint(out, pair_length(name.len(), value.len()) as u64);
    out.push(FIELD_1);
    write_varint(out, name.len() as u64);
    out.extend_from_slice(name);
    out.push(FIELD_2);
    write_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Returns the number of bytes that [`write_labels`] appends.
#[must_use]
pub fn labels_length(text: &[u8]) -> usize {
    labels(text).map(|(name, value)| label_length(name.len(), value.len())).sum()
}

/// Appends labels that are in the text format, each preceded by a comma.
pub fn write_labels(out: &mut Vec<u8>, text: &[u8]) {
    for (name, value) in labels(text) {
        write_label(out, name, &value);
    }
}

/// Splits labels in the text format into names and values.
fn labels(mut text: &[u8]) -> impl Iterator<Item = (&[u8], Cow<'_, [u8]>)> {
    std::iter::from_fn(move || {
        let label = text.strip_prefix(b",")?;
        let equals = memchr::memchr(b'=', label)?;
        let value = label.get(equals + 2..)?;
        let end = closing_quote(value);
        text = value.get(end + 1..).unwrap_or_default();
        Some((&label[..equals], unescape(&value[..end])))
    })
}

fn unescape(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut plain = Vec::with_capacity(value.len());
    let mut bytes = value.iter();
    while let Some(&byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => match bytes.next() {
                Some(b'n') => b'\n',
                Some(&other) => other,
                None => byte,
            },
            other => other,
        });
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::labels::write_label as write_text_label;

    #[test]
    fn varints_have_seven_bits_a_byte() {
        let table: [(u64, &[u8]); 6] = [
            (0, &[0]),
            (1, &[1]),
            (127, &[0x7f]),
            (128, &[0x80, 1]),
            (300, &[0xac, 2]),
            (u64::MAX, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ];
        for (number, bytes) in table {
            let mut out = Vec::new();
            write_varint(&mut out, number);
            assert_eq!(out, bytes, "{number}");
            assert_eq!(varint_length(number), bytes.len(), "{number}");
        }
    }

    #[test]
    fn a_label_is_a_message_of_name_and_value() {
        let mut out = Vec::new();
        write_labels(&mut out, b",id=\"a\\n\\\\b\",x=\"\xc3\xa9\"");
        assert_eq!(out, b"\x0a\x0a\x0a\x02id\x12\x04a\n\\b\x0a\x07\x0a\x01x\x12\x02\xc3\xa9");
    }

    proptest! {
        #[test]
        fn the_length_is_that_of_what_is_written(
            values in prop::collection::vec(any::<String>(), 0..6),
        ) {
            let (mut text, mut direct, mut out) = (Vec::new(), Vec::new(), Vec::new());
            for value in values.iter().filter(|value| !value.is_empty()) {
                write_text_label(&mut text, "name", value);
                write_label(&mut direct, b"name", value.as_bytes());
            }
            write_labels(&mut out, &text);
            prop_assert_eq!(&out, &direct);
            prop_assert_eq!(labels_length(&text), out.len());
        }
    }
}
