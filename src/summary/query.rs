//! Parses and validates the query strings of `/summary.json` and `/history.json`. Pure.

use std::{borrow::Cow, fmt};

use crate::labels::Schema;

/// The highest `limit`.
pub const MAX_LIMIT: usize = 1000;

/// The default of `limit`.
pub const DEFAULT_LIMIT: usize = 50;

/// The maximum number of labels to group by.
pub const MAX_BY: usize = 8;

/// The longest `window`, in seconds.
pub const MAX_WINDOW: u32 = 900;

/// The default of `window`, in seconds.
const DEFAULT_WINDOW: u32 = 5;

/// The default of `by`: class and function.
pub const DEFAULT_BY: [usize; 2] = [0, 1];

/// A valid query. Labels are indexes into [`Schema::names`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The labels to group by: at least one, without duplicates.
    pub by: Vec<usize>,
    /// The labels to filter by, with their values. An empty value selects series without the label.
    pub filters: Vec<(usize, String)>,
    /// The maximum number of rows, 1 to [`MAX_LIMIT`].
    pub limit: usize,
    /// The text that a label value of each row must contain. The case of ASCII letters is ignored.
    pub search: String,
    /// The order of the rows.
    pub order: Order,
    /// The time over which rates are computed, in seconds.
    pub window: u32,
}

/// The order of the rows of a summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By their sums.
    #[default]
    Total,
    /// By their rates, where these are known.
    Rate,
}

impl Order {
    /// Returns the name of the order in a query.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Rate => "rate",
        }
    }
}

/// A fault of a query. Its message contains at most 40 characters of the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// A name or a value is not valid percent-encoded UTF-8.
    Encoding,
    /// A parameter occurs twice.
    Duplicate(String),
    /// A parameter is not one of `/summary.json`.
    Unknown(String),
    /// `by` has no label, too many, the same one twice, or a name that is not a label.
    By(String),
    /// `limit` is not a whole number in the allowed range.
    Limit(String),
    /// `order` is not the name of an order.
    Order(String),
    /// `window` is not a whole number in the allowed range.
    Window(String),
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding => f.write_str("The query is not percent-encoded UTF-8."),
            Self::Duplicate(name) => write!(f, "{:?} occurs twice.", short(name)),
            Self::Unknown(name) => {
                write!(f, "There is no parameter {:?}. ", short(name))?;
                f.write_str(
                    "Use \"by\", \"limit\", \"search\", \"order\", \"window\", or the name of a label to \
                     filter by.",
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
            Self::Order(given) => {
                write!(f, "\"order\" must be \"total\" or \"rate\", not {:?}.", short(given))
            }
            Self::Window(given) => write!(
                f,
                "\"window\" must be a whole number of seconds from 1 to {MAX_WINDOW}, not {:?}.",
                short(given)
            ),
        }
    }
}

/// Returns the start of a text, for a message.
#[must_use]
pub fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

impl Default for Query {
    fn default() -> Self {
        Self {
            by: DEFAULT_BY.to_vec(),
            filters: Vec::new(),
            limit: DEFAULT_LIMIT,
            search: String::new(),
            order: Order::Total,
            window: DEFAULT_WINDOW,
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
        for (name, value) in parameters(query)? {
            match &*name {
                "by" => {
                    parsed.by = parse_by(&value, schema.names())
                        .ok_or_else(|| QueryError::By(value.into_owned()))?;
                }
                "limit" => {
                    parsed.limit = parse_number(&value, MAX_LIMIT)
                        .ok_or_else(|| QueryError::Limit(value.into_owned()))?;
                }
                "search" => parsed.search = value.into_owned(),
                "order" => {
                    parsed.order = match &*value {
                        "total" => Order::Total,
                        "rate" => Order::Rate,
                        _ => return Err(QueryError::Order(value.into_owned())),
                    }
                }
                "window" => {
                    parsed.window = parse_number(&value, MAX_WINDOW)
                        .ok_or_else(|| QueryError::Window(value.into_owned()))?;
                }
                label => {
                    let index = label_index(label, schema.names())
                        .ok_or_else(|| QueryError::Unknown(label.to_owned()))?;
                    parsed.filters.push((index, value.into_owned()));
                }
            }
        }
        Ok(parsed)
    }
}

/// A name and its value.
type Parameter<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Returns the parameters of a query string, each of which occurs once.
///
/// # Errors
///
/// If the string is not percent-encoded UTF-8, or a parameter occurs twice.
pub fn parameters(query: &str) -> Result<Vec<Parameter<'_>>, QueryError> {
    let mut parameters: Vec<Parameter<'_>> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        if parameters.iter().any(|(other, _)| *other == name) {
            return Err(QueryError::Duplicate(name.into_owned()));
        }
        parameters.push((name, value));
    }
    Ok(parameters)
}

/// Returns the index of a label.
#[must_use]
pub fn label_index(label: &str, names: &[String]) -> Option<usize> {
    names.iter().position(|name| name == label)
}

/// Returns the indexes of 1 to [`MAX_BY`] different labels.
#[must_use]
pub fn parse_by(value: &str, names: &[String]) -> Option<Vec<usize>> {
    let mut by = Vec::new();
    for label in value.split(',') {
        let index = label_index(label, names)?;
        if by.contains(&index) || by.len() == MAX_BY {
            return None;
        }
        by.push(index);
    }
    Some(by)
}

/// Returns a number from 1 to `most`.
#[must_use]
pub fn parse_number<N: std::str::FromStr + PartialOrd + From<u8>>(
    value: &str,
    most: N,
) -> Option<N> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|number| digits && (N::from(1)..=most).contains(number))
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
        let query = "by=caller_filename,object_props_p&limit=1000&object_classname=A%26+%2B%C3%A9&id=&search=+x&order=rate&window=900";
        let filters = vec![(0, "A& +é".to_owned()), (3, String::new())];
        let search = " x".to_owned();
        let order = Order::Rate;
        let expected = Query { by: vec![2, 7], filters, limit: 1000, search, order, window: 900 };
        assert_eq!(parse(query), Ok(expected));
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
            ("order=", QueryError::Order(String::new())),
            ("order=Rate", QueryError::Order("Rate".into())),
            ("window=0", QueryError::Window("0".into())),
            ("window=901", QueryError::Window("901".into())),
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
