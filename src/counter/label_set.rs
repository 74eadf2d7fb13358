//! A label set as it comes from JavaScript: values in the schema's order, made into parts.

use super::series::{NUMBERS_END, PARTS, Part, Parts, SITE};
use crate::labels::{self, RESERVED, SITE_LABELS, Schema};

/// A label set written out, to be looked up without holding the lock while it is escaped.
pub struct Written {
    text: Vec<u8>,
    ends: [usize; PARTS],
    numbers: [Option<u32>; PARTS],
}

impl Written {
    /// Writes the values out, which come in the order of [`Schema::names`], from the `first`th on.
    pub fn new<'v>(
        schema: &Schema,
        first: usize,
        values: impl IntoIterator<Item = &'v str>,
    ) -> Self {
        let mut written =
            Self { text: Vec::with_capacity(256), ends: [0; PARTS], numbers: [None; PARTS] };
        let mut part = 0;
        for ((at, name), value) in schema.names().iter().enumerate().skip(first).zip(values) {
            let of = part_of(at, schema.props_per_owner());
            while part < of {
                written.ends[part] = written.text.len();
                part += 1;
            }
            match number(value).filter(|_| (SITE_LABELS..RESERVED.len()).contains(&at)) {
                Some(number) => written.numbers[part] = Some(number),
                None => labels::write_label(&mut written.text, name, value),
            }
        }
        for end in &mut written.ends[part..] {
            *end = written.text.len();
        }
        written
    }

    /// The label set, part by part.
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

/// Which of a series' [`PARTS`] the label at this place of the schema belongs to.
#[must_use]
pub fn part_of(at: usize, props_per_owner: usize) -> usize {
    if at < SITE_LABELS {
        SITE
    } else if at < RESERVED.len() {
        at - SITE_LABELS + 1
    } else {
        3 + (at - RESERVED.len()) / props_per_owner
    }
}

/// An id that is a number as it would be printed, so that no two texts are one number.
fn number(value: &str) -> Option<u32> {
    let number = value.parse::<u32>().ok().filter(|&number| number < NUMBERS_END)?;
    (itoa::Buffer::new().format(number) == value).then_some(number)
}
