//! What a summary is asked for: the query string of its request, taken apart and checked. Pure.

use std::{borrow::Cow, fmt};

use crate::labels::Schema;

/// The most rows that one summary gives.
pub const MAX_LIMIT: usize = 1000;

/// How many rows it gives unless told.
pub const DEFAULT_LIMIT: usize = 50;

/// The most labels to group by.
pub const MAX_BY: usize = 8;

/// What to group by unless told: class and function.
const DEFAULT_BY: [usize; 2] = [0, 1];

/// A checked request. Labels are told by their place in [`Schema::names`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The labels to group by, at least one, none twice.
    pub by: Vec<usize>,
    /// Labels and the one value that counts; an empty value stands for no label.
    pub filters: Vec<(usize, String)>,
    /// The most rows to give, 1 to [`MAX_LIMIT`].
    pub limit: usize,
}

/// What is wrong with a request, told to whoever sent it. No more than 40 characters of what was
/// sent are repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// A name or a value whose percent escapes are broken or not UTF-8.
    Encoding,
    /// A parameter that stands twice.
    Twice(String),
    /// A parameter that is none.
    Unknown(String),
    /// `by` names no label, the same one twice, too many, or one that is not there.
    By(String),
    /// `limit` is not a whole number in range.
    Limit(String),
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding => f.write_str("The query is not percent-encoded UTF-8."),
            Self::Twice(name) => write!(f, "{:?} is given twice.", short(name)),
            Self::Unknown(name) => {
                write!(f, "There is no parameter {:?}: ", short(name))?;
                f.write_str("take \"by\", \"limit\", or the name of a label to filter by.")
            }
            Self::By(given) => write!(
                f,
                "\"by\" takes 1 to {MAX_BY} different names of labels, parted by commas, not {:?}.",
                short(given)
            ),
            Self::Limit(given) => write!(
                f,
                "\"limit\" takes a whole number from 1 to {MAX_LIMIT}, not {:?}.",
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
        Self { by: DEFAULT_BY.to_vec(), filters: Vec::new(), limit: DEFAULT_LIMIT }
    }
}

impl Query {
    /// Reads a query string without its question mark, as `URLSearchParams` writes it.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with it: nothing is guessed and nothing passed over.
    pub fn parse(query: &str, schema: &Schema) -> Result<Self, QueryError> {
        let mut parsed = Self::default();
        let mut seen: Vec<Cow<'_, str>> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if seen.contains(&name) {
                return Err(QueryError::Twice(name.into_owned()));
            }
            match &*name {
                "by" => parsed.by = read_by(&value, schema)?,
                "limit" => parsed.limit = read_limit(&value)?,
                label => {
                    let place = place(label, schema)
                        .ok_or_else(|| QueryError::Unknown(label.to_owned()))?;
                    parsed.filters.push((place, value.into_owned()));
                }
            }
            seen.push(name);
        }
        Ok(parsed)
    }
}

fn place(label: &str, schema: &Schema) -> Option<usize> {
    schema.names().iter().position(|name| name == label)
}

fn read_by(value: &str, schema: &Schema) -> Result<Vec<usize>, QueryError> {
    let wrong = || QueryError::By(value.to_owned());
    let mut by = Vec::new();
    for label in value.split(',') {
        let place = place(label, schema).ok_or_else(wrong)?;
        if by.contains(&place) || by.len() == MAX_BY {
            return Err(wrong());
        }
        by.push(place);
    }
    Ok(by)
}

fn read_limit(value: &str) -> Result<usize, QueryError> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let limit = value.parse().ok().filter(|limit| digits && (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| QueryError::Limit(value.to_owned()))
}

/// Undoes `application/x-www-form-urlencoded`.
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
    fn nothing_asked_is_class_and_function() {
        for query in ["", "&", "&&"] {
            assert_eq!(parse(query), Ok(Query { by: vec![0, 1], filters: vec![], limit: 50 }));
        }
    }

    #[test]
    fn labels_limit_and_filters_are_read() {
        let query =
            "by=caller_filename,object_props_p&limit=1000&object_classname=A%26+%2B%C3%A9&id=";
        let filters = vec![(0, "A& +é".to_owned()), (3, String::new())];
        assert_eq!(parse(query), Ok(Query { by: vec![2, 7], filters, limit: 1000 }));
    }

    #[test]
    fn what_is_wrong_is_named() {
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
            ("id=1&id=2", QueryError::Twice("id".into())),
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
    fn an_error_repeats_little_of_what_was_sent() {
        let error = parse(&format!("{}=1", "x".repeat(9000))).expect_err("no such parameter");
        assert!(error.to_string().len() < 200, "{error}");
    }

    #[test]
    fn by_takes_eight_labels_and_no_more() {
        let names = schema().names().to_vec();
        assert!(parse(&format!("by={}", names[..8].join(","))).is_ok());
        assert!(parse(&format!("by={}", names[..9].join(","))).is_err());
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(query in any::<String>()) {
            let _ = parse(&query);
        }

        #[test]
        fn an_encoded_value_reads_back(value in any::<String>()) {
            let mut encoded = String::new();
            for byte in value.bytes() {
                write!(encoded, "%{byte:02x}").expect("a string takes it");
            }
            let query = parse(&format!("id={encoded}")).expect("well encoded");
            prop_assert_eq!(&query.filters[0].1, &value);
        }
    }
}
