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

/// The longest label of a number: name, ten digits, and 6 bytes of tags and lengths.
const NUMBER_LABEL: usize = 32;

/// A label whose values are numbers. It caches the encoded label of the last number, because consecutive
/// series often have the same object or parent.
///
/// All arrays that are copied have a constant length, so that they are copied without a function call.
#[derive(Debug)]
pub struct NumberLabel<const N: usize> {
    name: [u8; N],
    number: u32,
    encoded: [u8; NUMBER_LABEL],
    length: usize,
}

impl<const N: usize> NumberLabel<N> {
    /// Creates a label. The name is not longer than 16 bytes.
    #[must_use]
    pub fn new(name: [u8; N]) -> Self {
        const { assert!(N + 6 + 10 <= NUMBER_LABEL) };
        let mut label = Self { name, number: 0, encoded: [0; NUMBER_LABEL], length: 0 };
        label.encode(0);
        label
    }

    /// Appends the label with a number.
    #[inline]
    pub fn write(&mut self, out: &mut Vec<u8>, number: u32) {
        if number != self.number {
            self.encode(number);
        }
        let end = out.len() + self.length;
        out.extend_from_slice(&self.encoded);
        out.truncate(end);
    }

    #[inline]
    fn encode(&mut self, number: u32) {
        self.number = number;
        if number >= DIGITS_8 {
            let mut label = Vec::with_capacity(NUMBER_LABEL);
            write_label(&mut label, &self.name, itoa::Buffer::new().format(number).as_bytes());
            self.length = label.len();
            self.encoded[..label.len()].copy_from_slice(&label);
            return;
        }
        let (digits, count) = digits(number);
        let label = &mut self.encoded;
        label[..4].copy_from_slice(&[FIELD_1, short(N + 4 + count), FIELD_1, short(N)]);
        label[4..4 + N].copy_from_slice(&self.name);
        label[4 + N..6 + N].copy_from_slice(&[FIELD_2, short(count)]);
        label[6 + N..14 + N].copy_from_slice(&digits);
        self.length = 6 + N + count;
    }
}

/// The first number that has too many digits for [`digits`].
const DIGITS_8: u32 = 100_000_000;

/// Returns a length below 128 as a varint.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "short")]
const fn short(length: usize) -> u8 {
    length as u8
}

/// Returns the decimal digits of a number below 10⁸, and their count. The rest of the array has no
/// meaning.
///
/// The number is divided into two, four and eight parts, which lie side by side in one integer.
#[inline]
fn digits(number: u32) -> ([u8; 8], usize) {
    let number = u64::from(number);
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | ((fours - 100 * hundreds) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    let ones = tens | ((twos - 10 * tens) << 8);
    // The first digit is the lowest byte; at least one digit remains.
    let zeros = (ones.trailing_zeros() / 8).min(7);
    (((ones | 0x3030_3030_3030_3030) >> (8 * zeros)).to_le_bytes(), 8 - zeros as usize)
}

/// Reserves memory for the length of a message, which [`write_length`] writes. Returns the start of the
/// message.
#[inline]
pub fn reserve_length(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; 2]);
    out.len()
}

/// Writes the length of the message that begins at `start` into the memory before the message.
#[inline]
pub fn write_length(out: &mut Vec<u8>, start: usize) {
    let length = out.len() - start;
    #[expect(clippy::cast_possible_truncation, reason = "seven bits")]
    if (0x80..0x4000).contains(&length) {
        out[start - 2..start].copy_from_slice(&[length as u8 | 0x80, (length >> 7) as u8]);
    } else {
        let mut varint = Vec::new();
        write_varint(&mut varint, length as u64);
        out.splice(start - 2..start, varint);
    }
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

    #[test]
    fn the_length_of_a_message_is_written_before_it() {
        for length in [0, 1, 127, 128, 300, 0x3fff, 0x4000, 100_000] {
            let (mut out, mut expected) = (b"before".to_vec(), b"before".to_vec());
            let start = reserve_length(&mut out);
            out.resize(start + length, 7);
            write_length(&mut out, start);
            write_varint(&mut expected, length as u64);
            expected.resize(expected.len() + length, 7);
            assert_eq!(out, expected, "{length}");
        }
    }

    #[test]
    fn a_number_is_a_label_of_its_digits() {
        let powers = (0..=31).flat_map(|bits| [1 << bits, (1 << bits) - 1]);
        let tens = (0..=9).flat_map(|power| [10_u32.pow(power), 10_u32.pow(power) - 1]);
        let numbers = powers.chain(tens).chain(0..20_000).chain([12_345_678, 90_000_009, u32::MAX]);
        let mut label = NumberLabel::new(*b"parent_object_id");
        for number in numbers.flat_map(|number| [number, number]) {
            let (mut out, mut expected) = (Vec::new(), Vec::new());
            label.write(&mut out, number);
            write_label(&mut expected, b"parent_object_id", number.to_string().as_bytes());
            assert_eq!(out, expected, "{number}");
        }
    }

    proptest! {
        #[test]
        fn any_number_is_a_label_of_its_digits(number in any::<u32>()) {
            let (mut out, mut expected) = (Vec::new(), Vec::new());
            NumberLabel::new(*b"object_id").write(&mut out, number);
            write_label(&mut expected, b"object_id", number.to_string().as_bytes());
            prop_assert_eq!(out, expected);
        }

        #[test]
        fn the_computed_length_is_the_written_length(
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
