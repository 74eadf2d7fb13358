//! The calls of one call site, by step. Steps without calls take no memory. Pure.

use std::{collections::VecDeque, iter::Peekable, ops::Range};

/// Calls by step. An entry has the distance from the step of the previous entry, then the calls. Both
/// numbers are written with 7 bits in each byte, so an entry with small numbers takes 2 bytes.
#[derive(Debug, Default)]
pub struct Column {
    bytes: VecDeque<u8>,
    /// The step from which the distance of the first entry is counted.
    base: u32,
    /// The step of the last entry; without entries, the same as [`Column::base`].
    last: u32,
    /// The calls of all entries.
    sum: u64,
}

impl Column {
    /// Adds the calls of a step that is later than all others.
    pub fn push(&mut self, step: u32, calls: u64) {
        if calls == 0 {
            return;
        }
        if self.bytes.is_empty() {
            self.base = step;
            self.last = step;
        }
        if self.bytes.capacity() - self.bytes.len() < MAX_ENTRY {
            // Grows by a quarter of the length and not to double the capacity, because there are many columns.
            self.bytes.reserve_exact(MAX_ENTRY + self.bytes.len() / 4);
        }
        self.write((step - self.last).into());
        self.write(calls);
        self.last = step;
        self.sum += calls;
    }

    /// Returns steps and calls, the last step first: most readers need the last steps only.
    pub fn iter_back(&self) -> impl Iterator<Item = (u32, u64)> {
        let mut bytes = self.bytes.iter().rev().copied().peekable();
        let mut step = self.last;
        std::iter::from_fn(move || {
            let calls = read_back(&mut bytes)?;
            let entry = (step, calls);
            let distance = read_back(&mut bytes)?;
            step = step.saturating_sub(u32::try_from(distance).unwrap_or(u32::MAX));
            Some(entry)
        })
    }

    /// Returns steps and calls of the steps in a range, the last step first.
    pub fn within(&self, steps: &Range<u32>) -> impl Iterator<Item = (u32, u64)> {
        let (start, end) = (steps.start, steps.end);
        let entries = self.iter_back().skip_while(move |(step, _)| *step >= end);
        entries.take_while(move |(step, _)| *step >= start)
    }

    /// Returns the calls of the steps in a range.
    pub fn calls(&self, steps: &Range<u32>) -> u64 {
        self.within(steps).map(|(_, calls)| calls).sum()
    }

    /// Returns the mean number of calls in a step, from the first entry's step to the one before `next`.
    #[expect(clippy::cast_precision_loss, reason = "rates need no precision")]
    pub fn rate(&self, next: u32) -> f64 {
        self.sum as f64 / f64::from(next.saturating_sub(self.base).max(1))
    }

    /// Drops the steps before this one.
    pub fn drop_before(&mut self, step: u32) {
        while !self.bytes.is_empty() {
            let mut bytes = self.bytes.iter().copied();
            let distance = read(&mut bytes).and_then(|distance| u32::try_from(distance).ok());
            let first = self.base + distance.unwrap_or_default();
            if first >= step {
                return;
            }
            self.sum -= read(&mut bytes).unwrap_or_default();
            let remaining = bytes.len();
            self.bytes.drain(..self.bytes.len() - remaining);
            self.base = first;
        }
    }

    /// Merges each pair of steps into one step.
    pub fn double_steps(&mut self) {
        let mut entries: Vec<(u32, u64)> = Vec::new();
        for (step, calls) in self.iter_back() {
            match entries.last_mut() {
                Some((of, sum)) if *of == step / 2 => *sum += calls,
                _ => entries.push((step / 2, calls)),
            }
        }
        *self = Self::default();
        for (step, calls) in entries.into_iter().rev() {
            self.push(step, calls);
        }
    }

    /// Returns whether no step has calls.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the memory of the entries, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes.capacity()
    }

    fn write(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push_back((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push_back((number & 0x7f) as u8);
    }
}

/// The maximum length of an entry in bytes: 5 for the distance and 10 for the calls.
const MAX_ENTRY: usize = 15;

fn read(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes.next()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Reads a number backwards. Each byte of a number except its last one has the upper bit set.
fn read_back(bytes: &mut Peekable<impl Iterator<Item = u8>>) -> Option<u64> {
    let mut number = u64::from(bytes.next()?);
    while let Some(byte) = bytes.next_if(|byte| *byte >= 0x80) {
        number = number << 7 | u64::from(byte & 0x7f);
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column(entries: &[(u32, u64)]) -> Column {
        let mut column = Column::default();
        for &(step, calls) in entries {
            column.push(step, calls);
        }
        column
    }

    fn in_order(column: &Column) -> Vec<(u32, u64)> {
        let mut entries: Vec<_> = column.iter_back().collect();
        entries.reverse();
        entries
    }

    fn entries() -> impl Strategy<Value = Vec<(u32, u64)>> {
        let entry = (1..2000_u32, prop_oneof![0..200_u64, any::<u64>()]);
        prop::collection::vec(entry, 0..60).prop_map(|entries| {
            let mut step = 0;
            let add = |(distance, calls)| {
                step += distance;
                // Sums stay below 2^64.
                (step, calls / 128)
            };
            entries.into_iter().map(add).filter(|(_, calls)| *calls > 0).collect()
        })
    }

    proptest! {
        #[test]
        fn entries_are_read_back_unchanged(entries in entries()) {
            prop_assert_eq!(in_order(&column(&entries)), entries);
        }

        #[test]
        fn a_range_has_its_steps_only(entries in entries(), start in 0..3000_u32, length in 0..3000_u32) {
            let range = start..start + length;
            let mut within: Vec<_> = column(&entries).within(&range).collect();
            within.reverse();
            let expected: Vec<_> =
                entries.into_iter().filter(|(step, _)| range.contains(step)).collect();
            prop_assert_eq!(within, expected);
        }

        #[test]
        fn dropped_steps_are_absent_and_the_others_remain(entries in entries(), from in 0..2000_u32) {
            let mut column = column(&entries);
            column.drop_before(from);
            let left: Vec<_> = entries.iter().copied().filter(|(step, _)| *step >= from).collect();
            prop_assert_eq!(in_order(&column), left);
            let sum: u64 = column.iter_back().map(|(_, calls)| calls).sum();
            prop_assert_eq!(column.sum, sum);
            let next = entries.last().map_or(from, |(step, _)| *step) + 1;
            column.push(next.max(from), 7);
            prop_assert_eq!(column.iter_back().next(), Some((next.max(from), 7)));
        }

        #[test]
        fn a_doubled_step_has_the_calls_of_two_steps(entries in entries()) {
            let mut column = column(&entries);
            column.double_steps();
            let mut sums = std::collections::BTreeMap::new();
            for (step, calls) in entries {
                *sums.entry(step / 2).or_insert(0) += calls;
            }
            prop_assert_eq!(in_order(&column), sums.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_step_of_few_calls_takes_two_bytes() {
        let column = column(&(0..900).map(|step| (step, 127)).collect::<Vec<_>>());
        assert!(column.bytes() <= 900 * 2 * 5 / 4 + 2 * MAX_ENTRY, "{}", column.bytes());
    }
}
