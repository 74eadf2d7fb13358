//! Parts of a series' `Metric` message in the protobuf format: the labels of fragments, and the
//! `Counter` message at its end. Pure.
//!
//! The length of the `Counter` message is always the same, so that the length of a whole family is known
//! before its values are read. Numbers that vary in length are padded, which every decoder accepts.
//!
//! Schema: <https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto>.

use super::{
    fragments::Fragments,
    series::{OBJECT_ID, PARENT_ID},
    start::Start,
};
use crate::labels::protobuf::{self, NumberLabel};

/// The number of fragments in [`EncodedLabels`].
const FRAGMENTS: usize = 256;

/// A cache of encoded labels for one page. Many series have the same labels.
#[derive(Debug)]
pub struct EncodedLabels {
    /// The numbers of fragments and their encoded labels. The index is the number modulo the length.
    fragments: Box<[(u32, Vec<u8>); FRAGMENTS]>,
    /// The object's id, where it is a number.
    pub object: NumberLabel<9>,
    /// The parent's id, where it is a number.
    pub parent: NumberLabel<16>,
}

impl Default for EncodedLabels {
    fn default() -> Self {
        Self::new()
    }
}

impl EncodedLabels {
    /// Creates a cache for one page, during which no fragment is freed.
    #[must_use]
    pub fn new() -> Self {
        Self {
            fragments: Box::new([const { (u32::MAX, Vec::new()) }; FRAGMENTS]),
            object: NumberLabel::new(*OBJECT_ID),
            parent: NumberLabel::new(*PARENT_ID),
        }
    }

    /// Appends the labels of a fragment.
    #[inline]
    pub fn write_fragment(&mut self, out: &mut Vec<u8>, number: u32, fragments: &Fragments) {
        let (entry, labels) = &mut self.fragments[number as usize % FRAGMENTS];
        if *entry != number {
            *entry = number;
            labels.clear();
            protobuf::write_labels(labels, fragments.text(number));
        }
        out.extend_from_slice(labels);
    }
}

/// The number of bytes that [`write_counter`] appends.
pub const COUNTER_LENGTH: usize = 2 + MESSAGE_LENGTH as usize;

const MESSAGE_LENGTH: u8 = 9 + 2 + TIMESTAMP_LENGTH;
const TIMESTAMP_LENGTH: u8 = 2 * (1 + PADDED_LENGTH);
/// Five bytes of seven bits: enough for seconds until the year 3058, and for nanoseconds.
const PADDED_LENGTH: u8 = 5;

/// Appends the `counter` field of a `Metric` message: the value and the start timestamp, in
/// milliseconds, which is the resolution of Prometheus.
#[inline]
pub fn write_counter(out: &mut Vec<u8>, value: f64, start: Start) {
    let milliseconds = start.milliseconds();
    let mut field = [0; COUNTER_LENGTH];
    // Metric.counter = 3, Counter.value = 1.
    field[..3].copy_from_slice(&[0x1a, MESSAGE_LENGTH, 0x09]);
    field[3..11].copy_from_slice(&value.to_le_bytes());
    // Counter.start_timestamp = 3, Timestamp.seconds = 1, Timestamp.nanos = 2.
    field[11..14].copy_from_slice(&[0x1a, TIMESTAMP_LENGTH, 0x08]);
    field[14..19].copy_from_slice(&padded_varint(milliseconds / 1000));
    field[19] = 0x10;
    field[20..25].copy_from_slice(&padded_varint(milliseconds % 1000 * 1_000_000));
    out.extend_from_slice(&field);
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits a byte")]
fn padded_varint(number: u64) -> [u8; PADDED_LENGTH as usize] {
    let byte = |position: u32| (number >> (7 * position)) as u8;
    [byte(0) | 0x80, byte(1) | 0x80, byte(2) | 0x80, byte(3) | 0x80, byte(4) & 0x7f]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_has_its_value_and_start_in_a_fixed_length() {
        for nanoseconds in [1, 1_760_000_000_250_999_999, u64::MAX / 2] {
            let mut out = Vec::new();
            write_counter(&mut out, 3.0, Start::from_nanoseconds(nanoseconds));
            assert_eq!(out.len(), COUNTER_LENGTH);
            assert_eq!(out[..3], [0x1a, 23, 0x09]);
            assert_eq!(out[3..11], 3.0_f64.to_le_bytes());
            let (seconds, rest) = read_varint(&out[14..]);
            assert_eq!((seconds, rest[0]), (nanoseconds / 1_000_000_000, 0x10));
            let (nanos, rest) = read_varint(&rest[1..]);
            assert_eq!(nanos, nanoseconds % 1_000_000_000 / 1_000_000 * 1_000_000);
            assert!(rest.is_empty());
        }
    }

    fn read_varint(bytes: &[u8]) -> (u64, &[u8]) {
        let end = 1 + bytes.iter().position(|byte| byte & 0x80 == 0).expect("an end");
        let digits = bytes[..end].iter().rev();
        let number = digits.fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f));
        (number, &bytes[end..])
    }
}
