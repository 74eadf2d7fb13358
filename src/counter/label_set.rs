//! Converts a label set from JavaScript, which is a list of values in the schema's order, to parts.

use super::series::{NUMBERS_END, PARTS, Part, Parts, SITE};
use crate::labels::{self, RESERVED, SITE_LABELS, Schema};

/// A label set in the text format. It is escaped before the lock is taken.
pub struct Written {
    text: Vec<u8>,
    ends: [usize; PARTS],
    numbers: [Option<u32>; PARTS],
}

impl Written {
    /// Formats values. They are in the order of [`Schema::names`], from the index `first` on.
    pub fn new<'v>(
        schema: &Schema,
        first: usize,
        values: impl IntoIterator<Item = &'v str>,
    ) -> Self {
        let mut written =
            Self { text: Vec::with_capacity(256), ends: [0; PARTS], numbers: [None; PARTS] };
        let mut part = 0;
        for ((label, name), value) in schema.names().iter().enumerate().skip(first).zip(values) {
            let of = part_of(label, schema.props_per_owner());
            while part < of {
                written.ends[part] = written.text.len();
                part += 1;
            }
            match number(value).filter(|_| (SITE_LABELS..RESERVED.len()).contains(&label)) {
                Some(number) => written.numbers[part] = Some(number),
                None => labels::write_label(&mut written.text, name, value),
            }
        }
        for end in &mut written.ends[part..] {
            *end = written.text.len();
        }
        written
    }

    /// Returns the label set, part by part.
    #[must_use]
    pub fn parts(&self) -> Parts<'_> {
        let mut start = 0;
        std::array::from_fn(|part| {
            let text = &self.text[start..self.ends[part]];
            start = self.ends[part];
            match self.numbers[part] {
                Some(number) => Part::Number(number),
                None if text.is_empty() => Part::Absent,
                None => Part::Text(text),
            }
        })
    }
}

/// Returns the index, among the [`PARTS`] of a series, of the part that contains a label of the schema.
#[must_use]
pub fn part_of(label: usize, props_per_owner: usize) -> usize {
    if label < SITE_LABELS {
        SITE
    } else if label < RESERVED.len() {
        label - SITE_LABELS + 1
    } else {
        3 + (label - RESERVED.len()) / props_per_owner
    }
}

/// Returns an id as a number if the number prints as the same text, so that no two texts have the same
/// number.
fn number(value: &str) -> Option<u32> {
    let number = value.parse::<u32>().ok().filter(|&number| number < NUMBERS_END)?;
    (itoa::Buffer::new().format(number) == value).then_some(number)
}
