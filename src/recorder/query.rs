//! Parses and validates the query string of `/history.json`. Pure.

use std::fmt;

use crate::{
    labels::{SITE_LABELS, Schema},
    summary::query::{
        DEFAULT_BY, DEFAULT_LIMIT, MAX_BY, MAX_LIMIT, QueryError as Fault, label_index, parameters,
        parse_by, parse_number, short,
    },
};

/// The longest time that a query can ask for, in seconds.
pub const MAX_SECONDS: u32 = 900;

/// The default of `seconds`.
const DEFAULT_SECONDS: u32 = 300;

/// A valid query. Labels are indexes into [`Schema::names`], below [`SITE_LABELS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The length of the window, in seconds.
    pub seconds: u32,
    /// The labels to group by: at least one, without duplicates.
    pub by: Vec<usize>,
    /// The labels to filter by, with their values. An empty value selects call sites without the label.
    pub filters: Vec<(usize, String)>,
    /// The maximum number of rows.
    pub limit: usize,
    /// The text that a label value of each row must contain. The case of ASCII letters is ignored.
    pub search: String,
}

/// A fault of a query. Its message contains at most 40 characters of the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// A fault that any query can have.
    Common(Fault),
    /// A parameter does not exist.
    Unknown(String),
    /// `by` has no label, too many, the same one twice, or a name that is not a label of a call site.
    By(String),
    /// `seconds` is not a whole number in the allowed range.
    Seconds(String),
}

impl From<Fault> for QueryError {
    fn from(fault: Fault) -> Self {
        Self::Common(fault)
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = || crate::labels::RESERVED[..SITE_LABELS].join(", ");
        match self {
            Self::Common(fault) => fault.fmt(f),
            Self::Unknown(name) => write!(
                f,
                "There is no parameter {:?}. Use \"seconds\", \"by\", \"limit\", \"search\", or a label of \
                 the call site to filter by: {}.",
                short(name),
                labels()
            ),
            Self::By(given) => write!(
                f,
                "\"by\" must be 1 to {MAX_BY} different labels of the call site, separated by commas, not \
                 {:?}. These are {}.",
                short(given),
                labels()
            ),
            Self::Seconds(given) => write!(
                f,
                "\"seconds\" must be a whole number from 1 to {MAX_SECONDS}, not {:?}.",
                short(given)
            ),
        }
    }
}

impl Default for Query {
    fn default() -> Self {
        Self {
            seconds: DEFAULT_SECONDS,
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
    /// If the name or the value of any parameter is not valid.
    pub fn parse(query: &str, schema: &Schema) -> Result<Self, QueryError> {
        let names = &schema.names()[..SITE_LABELS];
        let mut parsed = Self::default();
        for (name, value) in parameters(query)? {
            match &*name {
                "seconds" => {
                    parsed.seconds = parse_number(&value, MAX_SECONDS)
                        .ok_or_else(|| QueryError::Seconds(value.into_owned()))?;
                }
                "by" => {
                    parsed.by = parse_by(&value, names)
                        .ok_or_else(|| QueryError::By(value.into_owned()))?;
                }
                "limit" => {
                    parsed.limit = parse_number(&value, MAX_LIMIT)
                        .ok_or_else(|| Fault::Limit(value.into_owned()))?;
                }
                "search" => parsed.search = value.into_owned(),
                label => {
                    let index = label_index(label, names)
                        .ok_or_else(|| QueryError::Unknown(label.to_owned()))?;
                    parsed.filters.push((index, value.into_owned()));
                }
            }
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(query: &str) -> Result<Query, QueryError> {
        Query::parse(query, &Schema::new(&["p"]))
    }

    #[test]
    fn each_parameter_is_read() {
        assert_eq!(parse(""), Ok(Query::default()));
        let query =
            "seconds=900&by=parent_object_classname,object_classname&limit=7&search=x&id=a+b";
        let expected = Query {
            seconds: 900,
            by: vec![4, 0],
            filters: vec![(3, "a b".to_owned())],
            limit: 7,
            search: "x".to_owned(),
        };
        assert_eq!(parse(query), Ok(expected));
    }

    #[test]
    fn an_invalid_query_has_an_error_for_its_fault() {
        let table = [
            ("seconds=0", QueryError::Seconds("0".into())),
            ("seconds=901", QueryError::Seconds("901".into())),
            ("seconds=1.5", QueryError::Seconds("1.5".into())),
            ("by=object_id", QueryError::By("object_id".into())),
            ("by=id,object_props_p", QueryError::By("id,object_props_p".into())),
            ("by=", QueryError::By(String::new())),
            ("limit=1001", Fault::Limit("1001".into()).into()),
            ("object_id=1", QueryError::Unknown("object_id".into())),
            ("window=5", QueryError::Unknown("window".into())),
            ("id=1&id=2", Fault::Duplicate("id".into()).into()),
            ("id=%", Fault::Encoding.into()),
        ];
        for (query, error) in table {
            assert_eq!(parse(query), Err(error), "{query:?}");
        }
    }

    #[test]
    fn an_error_names_the_labels_that_are_allowed() {
        for query in ["by=object_id", "object_id=1"] {
            let message = parse(query).expect_err("an error").to_string();
            let labels = "object_classname, caller_functionname, caller_filename, id, parent_object_classname.";
            assert!(message.ends_with(labels), "{message}");
        }
    }

    proptest! {
        #[test]
        fn no_query_panics(query in any::<String>()) {
            let _ = parse(&query);
        }
    }
}
