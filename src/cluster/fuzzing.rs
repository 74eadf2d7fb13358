//! Functions that read the bytes of hostile processes. Compiled for the targets in `fuzz/` only.

use super::{
    blocks::BlockCheck,
    merge::{self, ProcessDocument, Query},
    protocol::{HEADER, ToMember, ToOpener},
    series_check::SeriesCheck,
};
use crate::exposition::Format;

/// Reads bytes as a message. If they are one, writes the message and reads it again.
///
/// # Panics
///
/// If the two messages differ.
pub fn read(bytes: &[u8]) {
    if let Ok(message) = ToMember::decode(bytes) {
        assert_eq!(ToMember::decode(&message.encode()[HEADER..]), Ok(message));
    }
    if let Ok(message) = ToOpener::decode(bytes) {
        let again = ToOpener::decode(&message.encode()[HEADER..]);
        assert_eq!(again, Ok(message));
    }
}

/// Reads bytes as blocks and as series of a member. Series are read at once, and again in two pieces.
///
/// # Panics
///
/// If the results differ.
pub fn check(bytes: &[u8], cut: usize) {
    let mut series = SeriesCheck::new(Format::Text, "trace_counter", 2);
    let _ = BlockCheck::new(1).check(bytes, &mut series);
    for format in [Format::Text, Format::Protobuf] {
        let (first, second) = bytes.split_at(cut.min(bytes.len()));
        let mut whole = SeriesCheck::new(format, "trace_counter", 2);
        let mut pieces = SeriesCheck::new(format, "trace_counter", 2);
        let one = whole.push(bytes).map(|series| (series, whole.is_at_end()));
        let two = pieces.push(first).and_then(|a| Ok(a + pieces.push(second)?));
        assert_eq!(one, two.map(|series| (series, pieces.is_at_end())));
    }
}

/// Merges the bytes that two processes sent as their documents.
pub fn merge(query: &str, first: &[u8], second: &[u8]) {
    let Ok(query) = Query::parse(query) else { return };
    let documents: Vec<ProcessDocument> = [(1, first), (2, second)]
        .into_iter()
        .filter_map(|(n, json)| ProcessDocument::read(n, json))
        .collect();
    let _ = merge::summary(&query, &documents, &[3]);
    let _ = merge::history(&query, &documents);
}
