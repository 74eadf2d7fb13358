//! Checks that the bytes of a member are series of the counter with the member's label, so that a faulty
//! process cannot make the page of all processes invalid. Pure.
//!
//! The bytes come in pieces of any length.

use super::PROCESS_LABEL;
use crate::exposition::Format;

/// The maximum length of a series, in bytes. A label value has at most 65,535 UTF-16 code units.
const MAX_SERIES: usize = 8 * 1024 * 1024;

/// The bytes are not series of the member.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid;

/// Checks the series of one member.
pub struct SeriesCheck {
    format: Format,
    /// The name of the counter.
    name: Vec<u8>,
    /// The member's number.
    process: Vec<u8>,
    /// The bytes of a series that is not complete yet.
    rest: Vec<u8>,
}

impl SeriesCheck {
    /// Checks series of the counter `name` and the member `process`.
    #[must_use]
    pub fn new(format: Format, name: &str, process: u32) -> Self {
        let (name, process) = (name.as_bytes().to_vec(), process.to_string().into_bytes());
        Self { format, name, process, rest: Vec::new() }
    }

    /// Checks the next bytes. Returns the number of series that end in them.
    ///
    /// # Errors
    ///
    /// If the bytes are not series of the member.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<usize, Invalid> {
        let mut series = 0;
        while !self.rest.is_empty() && !bytes.is_empty() {
            let missing = self.missing(bytes).clamp(1, bytes.len());
            let (start, after) = bytes.split_at(missing);
            self.rest.extend_from_slice(start);
            bytes = after;
            let length = self.check_all(&self.rest, &mut series)?;
            self.rest.drain(..length);
        }
        let length = self.check_all(bytes, &mut series)?;
        self.rest.extend_from_slice(&bytes[length..]);
        if self.rest.len() > MAX_SERIES { Err(Invalid) } else { Ok(series) }
    }

    /// Returns whether the bytes so far end with a series.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns the number of these bytes to append to `rest`: not more than to the end of its series.
    fn missing(&self, bytes: &[u8]) -> usize {
        match self.format {
            Format::Text => memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1),
            Format::Protobuf => match read_field(&self.rest, METRIC) {
                Field::Complete { .. } | Field::Invalid => 0,
                Field::Incomplete { missing } => missing,
            },
        }
    }

    /// Checks the complete series at the start of the bytes, and returns their length.
    fn check_all(&self, bytes: &[u8], series: &mut usize) -> Result<usize, Invalid> {
        let mut length = 0;
        loop {
            let rest = &bytes[length..];
            let (message, end) = match self.format {
                Format::Text => match memchr::memchr(b'\n', rest) {
                    None => return Ok(length),
                    Some(end) => (&rest[..end], end + 1),
                },
                Format::Protobuf => match read_field(rest, METRIC) {
                    Field::Incomplete { .. } => return Ok(length),
                    Field::Invalid => return Err(Invalid),
                    Field::Complete { value, length } => (value, length),
                },
            };
            let is_valid = match self.format {
                Format::Text => self.check_line(message),
                Format::Protobuf => self.check_metric(message),
            };
            is_valid.ok_or(Invalid)?;
            *series += 1;
            length += end;
        }
    }

    /// Checks `name{label="value",…} 123`.
    fn check_line(&self, line: &[u8]) -> Option<()> {
        std::str::from_utf8(line).ok()?;
        let mut rest = line.strip_prefix(&self.name[..])?.strip_prefix(b"{")?;
        let mut names = Names::default();
        loop {
            let end = memchr::memchr(b'=', rest)?;
            let (name, after) = (&rest[..end], rest[end + 1..].strip_prefix(b"\"")?);
            let end = closing_quote(after)?;
            names.add(name, &after[..end], &self.process)?;
            rest = &after[end + 1..];
            match rest.split_first()? {
                (b',', after) => rest = after,
                (b'}', after) => {
                    rest = after;
                    break;
                }
                _ => return None,
            }
        }
        let value = rest.strip_prefix(b" ")?;
        let is_count = (1..=20).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
        (names.has_process && is_count).then_some(())
    }

    /// Checks a `Metric` message: labels, then the counter.
    fn check_metric(&self, message: &[u8]) -> Option<()> {
        let mut rest = message;
        let mut names = Names::default();
        while let Field::Complete { value: pair, length } = read_field(rest, LABEL) {
            let Field::Complete { value: name, length: end } = read_field(pair, NAME) else {
                return None;
            };
            let Field::Complete { value, length: last } = read_field(&pair[end..], VALUE) else {
                return None;
            };
            if end + last != pair.len() {
                return None;
            }
            std::str::from_utf8(value).ok()?;
            names.add(name, value, &self.process)?;
            rest = &rest[length..];
        }
        // The counter as this package writes it, with a fixed length: the value, then the start in seconds
        // and nanoseconds.
        let is_counter = rest.len() == 25
            && rest[..3] == [0x1a, 23, 0x09]
            && rest[11..14] == [0x1a, 12, 0x08]
            && is_padded_varint(&rest[14..19])
            && rest[19] == 0x10
            && is_padded_varint(&rest[20..25]);
        (names.has_process && is_counter).then_some(())
    }
}

/// The names of the labels of one series.
#[derive(Default)]
struct Names<'a> {
    names: Vec<&'a [u8]>,
    has_process: bool,
}

impl<'a> Names<'a> {
    // Called for each label of a series.
    #[expect(clippy::inline_always, reason = "the release build inlines little")]
    #[inline(always)]
    fn add(&mut self, name: &'a [u8], value: &[u8], process: &[u8]) -> Option<()> {
        if !is_label_name(name) || self.names.contains(&name) {
            return None;
        }
        if name == PROCESS_LABEL.as_bytes() {
            self.has_process = value == process;
        }
        self.names.push(name);
        Some(())
    }
}

/// Returns whether a label can have this name. Called for each label of a series.
#[expect(clippy::inline_always, reason = "the release build inlines little")]
#[inline(always)]
pub fn is_label_name(name: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    name.first().is_some_and(is_letter)
        && name.iter().all(|byte| is_letter(byte) || byte.is_ascii_digit())
}

/// Returns the position of the quote that ends a value. Returns `None` if there is no such quote, or if an
/// escape before it does not exist in the text format. Called for each label of a series.
#[expect(clippy::inline_always, reason = "the release build inlines little")]
#[inline(always)]
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut start = 0;
    loop {
        let position = start + memchr::memchr2(b'"', b'\\', text.get(start..)?)?;
        if text[position] == b'"' {
            return Some(position);
        }
        if !matches!(text.get(position + 1)?, b'\\' | b'"' | b'n') {
            return None;
        }
        start = position + 2;
    }
}

const METRIC: u8 = 0x22;
const LABEL: u8 = 0x0a;
const NAME: u8 = 0x0a;
const VALUE: u8 = 0x12;

enum Field<'a> {
    Complete {
        value: &'a [u8],
        length: usize,
    },
    /// At least this many bytes are missing.
    Incomplete {
        missing: usize,
    },
    Invalid,
}

/// Reads a field of variable length with this tag.
fn read_field(bytes: &[u8], tag: u8) -> Field<'_> {
    match bytes.first() {
        None => return Field::Incomplete { missing: 1 },
        Some(first) if *first != tag => return Field::Invalid,
        Some(_) => {}
    }
    let mut length = 0;
    // The length of the longest series has four bytes.
    for (index, byte) in bytes[1..].iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let start = 2 + index;
            return match bytes.get(start..start + length) {
                Some(value) => Field::Complete { value, length: start + length },
                None => Field::Incomplete { missing: start + length - bytes.len() },
            };
        }
    }
    if bytes.len() > 4 { Field::Invalid } else { Field::Incomplete { missing: 1 } }
}

/// Returns whether five bytes are one number, padded to this length as this package writes it.
fn is_padded_varint(bytes: &[u8]) -> bool {
    bytes[..4].iter().all(|byte| byte & 0x80 != 0) && bytes[4] & 0x80 == 0
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        counter::{
            TraceCounter,
            tests::{Thread, counter_with},
        },
        exposition::CounterSeries,
    };

    fn counter() -> (Arc<TraceCounter>, Thread) {
        let counter = Arc::new(counter_with(&["p"], 1000));
        counter.set_common_label(PROCESS_LABEL, "2");
        let mut thread = Thread::join(&counter);
        for id in ["", "1", "a\"b\\c\nd", "\u{e9}\u{2028}"] {
            for count in 0..3 {
                let slot = counter.intern(["Class", "f", "/f.js", id, "", "7", "", "prop"]).slot;
                let other = counter.intern(["C", "", "", id, "", &count.to_string()]).slot;
                thread.count(&counter, slot);
                thread.count(&counter, other);
            }
        }
        (counter, thread)
    }

    /// Returns the series of a counter as its process writes them.
    fn written(counter: &Arc<TraceCounter>, format: Format) -> Vec<u8> {
        let mut series = CounterSeries::new(Arc::clone(counter), format, None);
        while series.measure() {}
        let mut out = Vec::new();
        while !series.is_finished() {
            series.render(&|_| None, &mut out);
        }
        out
    }

    fn check(format: Format, process: u32, bytes: &[u8]) -> Option<usize> {
        let mut check = SeriesCheck::new(format, "trace_counter", process);
        let series = check.push(bytes).ok()?;
        check.is_at_end().then_some(series)
    }

    #[test]
    fn the_series_of_a_member_are_valid_in_pieces_of_any_length() {
        let (counter, thread) = counter();
        for format in [Format::Text, Format::Protobuf] {
            let bytes = written(&counter, format);
            for length in [1, 2, 3, 7, 50, 1000, bytes.len()] {
                let mut check = SeriesCheck::new(format, "trace_counter", 2);
                let series: usize =
                    bytes.chunks(length).map(|piece| check.push(piece).expect("valid")).sum();
                assert_eq!((series, check.is_at_end()), (16, true), "{format:?} {length}");
            }
            assert_eq!(check(format, 1, &bytes), None, "the number of another process");
            assert_eq!(
                check(format, 2, &bytes[..bytes.len() - 1]),
                None,
                "the last byte is missing"
            );
        }
        thread.leave(&counter);
    }

    #[test]
    fn a_line_that_is_not_a_series_of_the_member_is_invalid() {
        let good = "trace_counter{a=\"1\",process=\"2\"} 3\n";
        assert_eq!(check(Format::Text, 2, good.as_bytes()), Some(1));
        let bad = [
            "",
            "trace_counter 3",
            "trace_counter{} 3",
            "trace_counter{a=\"1\"} 3",
            "trace_counter{process=\"1\"} 3",
            "trace_counter{process=\"2\",process=\"2\"} 3",
            "trace_counter{process=\"2\",a=\"1\",a=\"2\"} 3",
            "trace_counter{process=\"2\",} 3",
            "trace_counter{process=\"2\"}3",
            "trace_counter{process=\"2\"} ",
            "trace_counter{process=\"2\"} 3 1",
            "trace_counter{process=\"2\"} -3",
            "trace_counter{process=\"2\"} NaN",
            "trace_counter{process=\"2\"} 3\r",
            "trace_counter{process=\"2\",a=\"\\x\"} 3",
            "trace_counter{process=\"2\",a=\"1} 3",
            "trace_counter{process=\"2\",1a=\"1\"} 3",
            "trace_counter{process=\"2\",a:b=\"1\"} 3",
            "trace_counter{process=\"2\",a=1} 3",
            "other{process=\"2\"} 3",
            "trace_counter_x{process=\"2\"} 3",
            "# TYPE trace_counter gauge",
        ];
        for line in bad {
            assert_eq!(check(Format::Text, 2, format!("{line}\n").as_bytes()), None, "{line}");
        }
        assert_eq!(check(Format::Text, 2, b"trace_counter{a=\"\xff\",process=\"2\"} 3\n"), None);
    }

    #[test]
    fn a_changed_byte_of_a_message_causes_no_panic() {
        let (counter, thread) = counter();
        let bytes = written(&counter, Format::Protobuf);
        for index in 0..bytes.len().min(400) {
            for change in [1, 0x7f, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[index] ^= change;
                let _ = check(Format::Protobuf, 2, &changed);
            }
        }
        thread.leave(&counter);
    }

    proptest! {
        #[test]
        fn any_bytes_are_checked_without_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..64),
            is_text in any::<bool>(),
        ) {
            let format = if is_text { Format::Text } else { Format::Protobuf };
            let _ = check(format, 2, &bytes);
            let _ = check(format, 2, &[b"\x22", &bytes[..]].concat());
        }
    }
}
