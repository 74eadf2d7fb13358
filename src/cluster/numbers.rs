//! The numbers of the processes of one port. Pure.

use std::collections::BTreeSet;

/// The numbers of the running processes. The smallest number is 1.
#[derive(Debug)]
pub struct Numbers(BTreeSet<u32>);

impl Numbers {
    /// Creates the numbers, of which only the opener's is assigned.
    #[must_use]
    pub fn new(opener: u32) -> Self {
        Self(BTreeSet::from([opener]))
    }

    /// Assigns the number that a process had before, if it is free; otherwise the smallest free one.
    pub fn assign(&mut self, before: Option<u32>) -> u32 {
        let is_free = |number: &u32| *number != 0 && !self.0.contains(number);
        let number = before
            .filter(is_free)
            .unwrap_or_else(|| (1..u32::MAX).find(is_free).unwrap_or(u32::MAX));
        self.0.insert(number);
        number
    }

    /// Frees the number of a process that has ended.
    pub fn free(&mut self, number: u32) {
        self.0.remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_gets_the_smallest_free_number() {
        let mut numbers = Numbers::new(2);
        assert_eq!([numbers.assign(None), numbers.assign(None)], [1, 3]);
        numbers.free(1);
        assert_eq!([numbers.assign(None), numbers.assign(None)], [1, 4]);
    }

    #[test]
    fn a_process_keeps_its_number_unless_another_has_it() {
        let mut numbers = Numbers::new(1);
        assert_eq!([numbers.assign(Some(7)), numbers.assign(Some(7))], [7, 2]);
        assert_eq!([numbers.assign(Some(1)), numbers.assign(Some(0))], [3, 4]);
    }
}
