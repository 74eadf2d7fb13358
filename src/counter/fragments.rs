//! Pieces of label text, each stored once however many series hold it.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Interned pieces of written labels, numbered from 0. A number is free again once each use of it
/// has been released.
#[derive(Debug, Default)]
pub struct Fragments {
    entries: Vec<Fragment>,
    numbers: HashTable<u32>,
    free: Vec<u32>,
    hasher: DefaultHashBuilder,
}

#[derive(Debug, Default)]
struct Fragment {
    text: Box<[u8]>,
    /// The text's, so that the table grows without reading all texts.
    hash: u64,
    uses: u32,
}

impl Fragments {
    /// How many pieces there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The number of a piece that is here already.
    #[cfg(test)]
    pub fn find(&self, text: &[u8]) -> Option<u32> {
        self.find_hashed(self.hasher.hash_one(text), text)
    }

    /// The number of a piece, stored now if it is new. One more use of it.
    pub fn intern(&mut self, text: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(text);
        let number = self.find_hashed(hash, text).unwrap_or_else(|| self.insert(hash, text));
        self.hold(number);
        number
    }

    /// One more use of a piece.
    pub fn hold(&mut self, number: u32) {
        self.entries[number as usize].uses += 1;
    }

    /// Ends one use of a piece.
    pub fn release(&mut self, number: u32) {
        let fragment = &mut self.entries[number as usize];
        fragment.uses -= 1;
        if fragment.uses > 0 {
            return;
        }
        fragment.text = Box::default();
        if let Ok(entry) = self.numbers.find_entry(fragment.hash, |&known| known == number) {
            entry.remove();
        }
        self.free.push(number);
    }

    /// A piece's text.
    #[inline]
    #[must_use]
    pub fn text(&self, number: u32) -> &[u8] {
        &self.entries[number as usize].text
    }

    fn find_hashed(&self, hash: u64, text: &[u8]) -> Option<u32> {
        self.numbers.find(hash, |&number| *self.text(number) == *text).copied()
    }

    fn insert(&mut self, hash: u64, text: &[u8]) -> u32 {
        let fragment = Fragment { text: text.into(), hash, uses: 0 };
        let number = if let Some(number) = self.free.pop() {
            self.entries[number as usize] = fragment;
            number
        } else {
            self.entries.push(fragment);
            u32::try_from(self.entries.len() - 1).expect("fewer fragments than series can hold")
        };
        let entries = &self.entries;
        self.numbers.insert_unique(hash, number, |&n| entries[n as usize].hash);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_has_one_number_and_a_number_one_text(
            texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 0..200)
        ) {
            let mut fragments = Fragments::default();
            let numbers: Vec<u32> = texts.iter().map(|text| fragments.intern(text)).collect();
            for (text, &number) in texts.iter().zip(&numbers) {
                prop_assert_eq!(fragments.text(number), &text[..]);
                prop_assert_eq!(fragments.find(text), Some(number));
                prop_assert_eq!(fragments.intern(text), number);
            }
            let distinct: std::collections::HashSet<_> = texts.iter().collect();
            let highest = numbers.iter().max().map_or(0, |&n| n as usize + 1);
            prop_assert_eq!(highest, distinct.len());
        }

        #[test]
        fn what_is_released_as_often_as_it_was_interned_is_gone(
            texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3), 0..100)
        ) {
            let mut fragments = Fragments::default();
            let kept = fragments.intern(b"kept");
            let numbers: Vec<u32> = texts.iter().map(|text| fragments.intern(text)).collect();
            for &number in &numbers {
                fragments.release(number);
            }
            for text in texts.iter().filter(|text| **text != b"kept"[..]) {
                prop_assert_eq!(fragments.find(text), None);
            }
            prop_assert_eq!(fragments.find(b"kept"), Some(kept));
            prop_assert_eq!(fragments.len(), 1);
            prop_assert_eq!(fragments.entries.len(), 1 + fragments.free.len());
        }
    }
}
