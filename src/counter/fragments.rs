//! Fragments of label text. Each is stored once, whatever the number of series that use it.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::labels::protobuf;

/// Interned fragments: labels in the text format, numbered from 0. A number is free again after the release
/// of its last use.
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
    /// The hash of the text, so that the table can grow without hashing all texts again.
    hash: u64,
    uses: u32,
    /// The length of the same labels in the protobuf format.
    protobuf_length: u32,
}

impl Fragments {
    /// Returns the number of fragments.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Returns the number that identifies a fragment, if it is stored.
    #[cfg(test)]
    pub fn find(&self, text: &[u8]) -> Option<u32> {
        self.find_hashed(self.hasher.hash_one(text), text)
    }

    /// Stores a fragment if it is new, adds a use of it, and returns the number that identifies it.
    pub fn intern(&mut self, text: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(text);
        let number = self.find_hashed(hash, text).unwrap_or_else(|| self.insert(hash, text));
        self.hold(number);
        number
    }

    /// Adds a use of a fragment.
    pub fn hold(&mut self, number: u32) {
        self.entries[number as usize].uses += 1;
    }

    /// Ends a use of a fragment.
    pub fn release(&mut self, number: u32) {
        let fragment = &mut self.entries[number as usize];
        fragment.uses -= 1;
        if fragment.uses > 0 {
            return;
        }
        fragment.text = Box::default();
        if let Ok(entry) = self.numbers.find_entry(fragment.hash, |&other| other == number) {
            entry.remove();
        }
        self.free.push(number);
    }

    /// Returns the text of a fragment.
    #[inline]
    #[must_use]
    pub fn text(&self, number: u32) -> &[u8] {
        &self.entries[number as usize].text
    }

    /// Returns the length of a fragment's labels in the protobuf format.
    #[inline]
    #[must_use]
    pub fn protobuf_length(&self, number: u32) -> u32 {
        self.entries[number as usize].protobuf_length
    }

    fn find_hashed(&self, hash: u64, text: &[u8]) -> Option<u32> {
        self.numbers.find(hash, |&number| *self.text(number) == *text).copied()
    }

    fn insert(&mut self, hash: u64, text: &[u8]) -> u32 {
        let protobuf_length = u32::try_from(protobuf::labels_length(text)).unwrap_or(u32::MAX);
        let fragment = Fragment { text: text.into(), hash, uses: 0, protobuf_length };
        let number = if let Some(number) = self.free.pop() {
            self.entries[number as usize] = fragment;
            number
        } else {
            self.entries.push(fragment);
            u32::try_from(self.entries.len() - 1).expect("fewer than 2^32 fragments")
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
        fn a_fragment_is_freed_with_its_last_use(
            texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3), 0..100)
        ) {
            let mut fragments = Fragments::default();
            let held = fragments.intern(b"held");
            let numbers: Vec<u32> = texts.iter().map(|text| fragments.intern(text)).collect();
            for &number in &numbers {
                fragments.release(number);
            }
            for text in texts.iter().filter(|text| **text != b"held"[..]) {
                prop_assert_eq!(fragments.find(text), None);
            }
            prop_assert_eq!(fragments.find(b"held"), Some(held));
            prop_assert_eq!(fragments.len(), 1);
            prop_assert_eq!(fragments.entries.len(), 1 + fragments.free.len());
        }
    }
}
