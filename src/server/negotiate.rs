//! The choice of a page's format and content coding. Pure.

use crate::exposition::Format;

/// A content coding of a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Coding {
    /// The page without compression.
    Identity,
    /// One gzip member.
    Gzip,
}

/// A weight in thousandths: 123 for `q=0.123`.
type Weight = u16;

/// Chooses a coding from the values of a request's `Accept-Encoding` headers (RFC 9110, 12.5.3).
///
/// gzip is chosen if the request accepts it, by name or by `*`, with a weight that is not less than the weight
/// of `identity`. gzip is also chosen if the request rejects `identity` and names neither gzip nor `*`. A request
/// that rejects both gets identity: an unexpected coding is easier to diagnose than a 406.
#[must_use]
pub fn coding<'a>(values: impl Iterator<Item = &'a [u8]>) -> Coding {
    let (mut gzip, mut identity, mut any) = (None, None, None);
    for element in values.flat_map(|value| value.split(|byte| *byte == b',')) {
        let Some((name, weight)) = parse(element) else { continue };
        let found: &mut Option<Weight> = match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => &mut gzip,
            "identity" => &mut identity,
            "*" => &mut any,
            _ => continue,
        };
        *found = Some(found.map_or(weight, |other| other.max(weight)));
    }
    let refused = |weight: Option<Weight>| weight == Some(0);
    let is_gzip = match (gzip.or(any), identity) {
        (Some(0), _) => false,
        (Some(gzip), identity) => gzip >= identity.unwrap_or(0),
        (None, identity) => refused(identity),
    };
    if is_gzip { Coding::Gzip } else { Coding::Identity }
}

/// Chooses a format from the values of a request's `Accept` headers (RFC 9110, 12.5.1).
///
/// The protobuf format is chosen if the request names it, with its schema, and gives it a greater weight
/// than text. `OpenMetrics` is never chosen, because it would rename the counter. Every other request gets
/// the text format, which each scraper reads.
#[must_use]
pub fn format<'a>(values: impl Iterator<Item = &'a [u8]>) -> Format {
    let (mut protobuf, mut text, mut any) = (None, None, None);
    for element in values.flat_map(|value| value.split(|byte| *byte == b',')) {
        let Some((name, weight)) = parse(element) else { continue };
        let found: &mut Option<Weight> = match name.to_ascii_lowercase().as_str() {
            "application/vnd.google.protobuf" if has_schema(element) => &mut protobuf,
            "text/plain" => &mut text,
            "text/*" | "*/*" => &mut any,
            _ => continue,
        };
        *found = Some(found.map_or(weight, |other| other.max(weight)));
    }
    let is_protobuf = protobuf.is_some_and(|weight| weight > text.or(any).unwrap_or(0));
    if is_protobuf { Format::Protobuf } else { Format::Text }
}

/// Returns whether a media type has the parameters of the protobuf format.
fn has_schema(element: &[u8]) -> bool {
    let is = |name: &str, value: &str| {
        element.split(|byte| *byte == b';').skip(1).any(|parameter| {
            let text = std::str::from_utf8(parameter).unwrap_or_default();
            text.split_once('=').is_some_and(|(key, given)| {
                key.trim().eq_ignore_ascii_case(name) && given.trim().trim_matches('"') == value
            })
        })
    };
    is("proto", "io.prometheus.client.MetricFamily") && is("encoding", "delimited")
}

/// Parses one element of the list into a name and its weight. Returns `None` if it is malformed.
fn parse(element: &[u8]) -> Option<(&str, Weight)> {
    let mut fields = std::str::from_utf8(element).ok()?.split(';');
    let name = fields.next()?.trim();
    let mut weight = 1000;
    for parameter in fields {
        let (key, value) = parameter.split_once('=')?;
        if key.trim().eq_ignore_ascii_case("q") {
            weight = thousandths(value.trim())?;
        }
    }
    (!name.is_empty()).then_some((name, weight))
}

/// Parses a weight from 0 to 1 with at most three digits after the point, such as `0.125`.
fn thousandths(value: &str) -> Option<Weight> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: Weight = format!("{fraction:0<3}").parse().ok()?;
    match (whole, fraction) {
        ("0", fraction) => Some(fraction),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Coding::*, *};

    const PROTOBUF: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

    #[test]
    fn protobuf_is_chosen_if_it_is_preferred_to_text() {
        let with = |rest: &str| format!("{PROTOBUF}{rest}");
        let table = [
            (String::new(), Format::Text),
            ("*/*".to_owned(), Format::Text),
            (with(""), Format::Protobuf),
            (with(";q=0.6,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"), Format::Protobuf),
            // Prometheus 3.5 with and without start timestamps.
            (
                with(concat!(
                    ";q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,",
                    "application/openmetrics-text;version=0.0.1;q=0.4,",
                    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,",
                    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
                )),
                Format::Protobuf,
            ),
            (
                concat!(
                    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,",
                    "application/openmetrics-text;version=0.0.1;q=0.5,",
                    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,",
                    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
                )
                .to_owned(),
                Format::Text,
            ),
            (with(";q=0.3,text/plain;q=0.5"), Format::Text),
            (with(";q=0.5,text/plain;q=0.5"), Format::Text),
            (with(";q=0"), Format::Text),
            (with(";q=0.1,*/*;q=0.2"), Format::Text),
            (with(";q=0.1,text/plain;q=0,*/*;q=0.2"), Format::Protobuf),
            ("application/vnd.google.protobuf".to_owned(), Format::Text),
            (PROTOBUF.replace("delimited", "text"), Format::Text),
            (PROTOBUF.replace("delimited", "\"delimited\""), Format::Protobuf),
            (
                PROTOBUF
                    .replace(';', " ; ")
                    .to_uppercase()
                    .replace(
                        "IO.PROMETHEUS.CLIENT.METRICFAMILY",
                        "io.prometheus.client.MetricFamily",
                    )
                    .replace("DELIMITED", "delimited"),
                Format::Protobuf,
            ),
        ];
        for (accept, expected) in table {
            assert_eq!(format([accept.as_bytes()].into_iter()), expected, "{accept:?}");
        }
        assert_eq!(format(std::iter::empty()), Format::Text);
    }

    #[test]
    fn gzip_is_chosen_if_it_is_accepted_and_weighs_no_less_than_identity() {
        let table: [(&[&str], Coding); 34] = [
            (&[], Identity),
            (&[""], Identity),
            (&["gzip"], Gzip),
            (&["GZip"], Gzip),
            (&["x-gzip"], Gzip),
            (&["gzip;q=0"], Identity),
            (&["gzip;q=0.0"], Identity),
            (&["gzip;q=0.000"], Identity),
            (&["gzip; q=0"], Identity),
            (&["gzip ; Q = 0"], Identity),
            (&["*"], Gzip),
            (&["*;q=0"], Identity),
            (&["*;q=0.1"], Gzip),
            (&["br"], Identity),
            (&["br, *;q=0"], Identity),
            (&["deflate, gzip, br"], Gzip),
            (&["deflate", "gzip"], Gzip),
            (&["gzip;q=0, *"], Identity),
            (&["gzip, *;q=0"], Gzip),
            (&["gzip;q=0.1"], Gzip),
            (&["gzip;q=0.1, identity;q=1"], Identity),
            (&["identity, gzip;q=0.999"], Identity),
            (&["gzip;q=0.5, identity;q=0.5"], Gzip),
            (&["gzip, identity"], Gzip),
            (&["identity"], Identity),
            (&["identity;q=0"], Gzip),
            (&["identity;q=0, *;q=0"], Identity),
            (&["identity;q=0, gzip;q=0"], Identity),
            (&["gzip;q=2"], Identity),
            (&["gzip;q=0.1234"], Identity),
            (&["gzip;q=a, br"], Identity),
            (&["gzip;q"], Identity),
            (&[",,, gzip ,"], Gzip),
            (&["gzip;q=0, gzip;q=1"], Gzip),
        ];
        for (values, expected) in table {
            let chosen = coding(values.iter().map(|value| value.as_bytes()));
            assert_eq!(chosen, expected, "{values:?}");
        }
        assert_eq!(coding([b"gzip\xff, gzip".as_slice()].into_iter()), Gzip);
    }
}
