//! Parses and validates the query string of `/summary.json`. Pure.

use std::{borrow::Cow, fmt};

use crate::labels::Schema;

/// The highest `limit`.
pub const MAX_LIMIT: usize = 1000;

/// The default of `limit`.
pub const DEFAULT_LIMIT: usize = 50;

/// The most labels to group by.
pub const MAX_BY: usize = 8;

/// The default of `by`: class and function.
const DEFAULT_BY: [usize; 2] = [0, 1];

/// A valid query. Labels are indexes into [`Schema::names`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The labels to group by: at least one, without duplicates.
    pub by: Vec<usize>,
    /// Labels to filter by and their value. An empty value selects series without the label.
    pub filters: Vec<(usize, String)>,
    /// The most rows to return, 1 to [`MAX_LIMIT`].
    pub limit: usize,
    /// The text that a label value of each row must contain. Upper and lower case of ASCII letters
    /// are equal.
    pub search: String,
}

/// A fault of a query. Its message contains at most 40 characters of the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// A name or a value is not valid percent-encoded UTF-8.
    Encoding,
    /// A parameter occurs twice.
    Duplicate(String),
    /// A parameter is neither `by` nor `limit` nor `search` nor a label.
    Unknown(String),
    /// `by` has no label, too many, the same one twice, or a name that is not a label.
    By(String),
    /// `limit` is not a whole number in the allowed range.
    Limit(String),
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding => f.write_str("The query is not percent-encoded UTF-8."),
            Self::Duplicate(name) => write!(f, "{:?} occurs twice.", short(name)),
            Self::Unknown(name) => {
                write!(f, "There is no parameter {:?}. ", short(name))?;
                f.write_str(
                    "Use \"by\", \"limit\", \"search\", or the name of a label to filter by.",
                )
            }
            Self::By(given) => write!(
                f,
                "\"by\" must be 1 to {MAX_BY} different label names, separated by commas, not {:?}.",
                short(given)
            ),
            Self::Limit(given) => write!(
                f,
                "\"limit\" must be a whole number from 1 to {MAX_LIMIT}, not {:?}.",
                short(given)
            ),
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

impl Default for Query {
    fn default() -> Self {
        Self {
            by: DEFAULT_BY.to_vec(),
            filters: Vec::new(),
            limit: DEFAULT_LIMIT,
            search: String::new(),
        }
    }
}

impl Query {
    /// Reads a query string without its question mark, as `URLSearchParams` writes it.
    ///
    /// # Errors
    ///
    /// If any parameter is not valid: no parameter is corrected or ignored.
    pub fn parse(query: &str, schema: &Schema) -> Result<Self, QueryError> {
        let mut parsed = Self::default();
        let mut seen: Vec<Cow<'_, str>> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if seen.contains(&name) {
                return Err(QueryError::Duplicate(name.into_owned()));
            }
            match &*name {
                "by" => parsed.by = parse_by(&value, schema)?,
                "limit" => parsed.limit = parse_limit(&value)?,
                "search" => parsed.search = value.into_owned(),
                label => {
                    let index = label_index(label, schema)
                        .ok_or_else(|| QueryError::Unknown(label.to_owned()))?;
                    parsed.filters.push((index, value.into_owned()));
                }
            }
            seen.push(name);
        }
        Ok(parsed)
    }
}

fn label_index(label: &str, schema: &Schema) -> Option<usize> {
    schema.names().iter().position(|name| name == label)
}

fn parse_by(value: &str, schema: &Schema) -> Result<Vec<usize>, QueryError> {
    let invalid = || QueryError::By(value.to_owned());
    let mut by = Vec::new();
    for label in value.split(',') {
        let index = label_index(label, schema).ok_or_else(invalid)?;
        if by.contains(&index) || by.len() == MAX_BY {
            return Err(invalid());
        }
        by.push(index);
    }
    Ok(by)
}

fn parse_limit(value: &str) -> Result<usize, QueryError> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let limit = value.parse().ok().filter(|limit| digits && (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| QueryError::Limit(value.to_owned()))
}

/// Decodes `application/x-www-form-urlencoded`. Other decoders accept invalid escapes; this one rejects
/// them.
fn decode(text: &str) -> Result<Cow<'_, str>, QueryError> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (hex(bytes.next()), hex(bytes.next()));
                let (high, low) = high.zip(low).ok_or(QueryError::Encoding)?;
                high * 16 + low
            }
            other => other,
        });
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| QueryError::Encoding)
}

fn hex(digit: Option<u8>) -> Option<u8> {
    let digit = char::from(digit?).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use proptest::prelude::*;

    fn schema() -> Schema {
        Schema::new(&["p"])
    }

    fn parse(query: &str) -> Result<Query, QueryError> {
        Query::parse(query, &schema())
    }

    #[test]
    fn an_empty_query_groups_by_class_and_function() {
        for query in ["", "&", "&&"] {
            assert_eq!(parse(query), Ok(Query::default()));
        }
    }

    #[test]
    fn labels_limit_and_filters_are_parsed() {
        let query = "by=caller_filename,object_props_p&limit=1000&object_classname=A%26+%2B%C3%A9&id=&search=+x";
        let filters = vec![(0, "A& +é".to_owned()), (3, String::new())];
        let search = " x".to_owned();
        assert_eq!(parse(query), Ok(Query { by: vec![2, 7], filters, limit: 1000, search }));
    }

    #[test]
    fn an_invalid_query_has_an_error_for_its_fault() {
        let by = |given: &str| QueryError::By(given.into());
        let limit = |given: &str| QueryError::Limit(given.into());
        let table = [
            ("by=", by("")),
            ("by=nope", by("nope")),
            ("by=id,id", by("id,id")),
            ("by=id,", by("id,")),
            ("by", by("")),
            ("limit=0", limit("0")),
            ("limit=1001", limit("1001")),
            ("limit=+5", limit(" 5")),
            ("limit=%2B5", limit("+5")),
            ("limit=-1", limit("-1")),
            ("limit=1e2", limit("1e2")),
            ("limit=99999999999999999999999", limit("99999999999999999999999")),
            ("limit=", limit("")),
            ("x=1", QueryError::Unknown("x".into())),
            ("=", QueryError::Unknown(String::new())),
            ("hypertrace_overflow=true", QueryError::Unknown("hypertrace_overflow".into())),
            ("id=1&id=2", QueryError::Duplicate("id".into())),
            ("id=%", QueryError::Encoding),
            ("id=%4", QueryError::Encoding),
            ("id=%zz", QueryError::Encoding),
            ("id=%ff", QueryError::Encoding),
        ];
        for (query, error) in table {
            assert_eq!(parse(query), Err(error), "{query:?}");
        }
    }

    #[test]
    fn an_error_message_contains_little_of_the_query() {
        let error = parse(&format!("{}=1", "x".repeat(9000))).expect_err("no such parameter");
        assert!(error.to_string().len() < 200, "{error}");
    }

    #[test]
    fn by_accepts_at_most_eight_labels() {
        let names = schema().names().to_vec();
        assert!(parse(&format!("by={}", names[..8].join(","))).is_ok());
        assert!(parse(&format!("by={}", names[..9].join(","))).is_err());
    }

    proptest! {
        #[test]
        fn no_query_panics(query in any::<String>()) {
            let _ = parse(&query);
        }

        #[test]
        fn an_encoded_value_is_decoded(value in any::<String>()) {
            let mut encoded = String::new();
            for byte in value.bytes() {
                write!(encoded, "%{byte:02x}").expect("writing to a string cannot fail");
            }
            let query = parse(&format!("id={encoded}")).expect("a valid encoding");
            prop_assert_eq!(&query.filters[0].1, &value);
        }
    }
}
