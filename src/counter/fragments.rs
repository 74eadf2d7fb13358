//! Pieces of label text, each stored once however many series hold it.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Interned pieces of written labels, numbered from 0.
#[derive(Debug, Default)]
pub struct Fragments {
    texts: Vec<Box<[u8]>>,
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Fragments {
    /// The number of a piece that is here already.
    #[must_use]
    pub fn find(&self, text: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(text);
        self.numbers.find(hash, |&number| *self.texts[number as usize] == *text).copied()
    }

    /// The number of a piece, stored now if it is new.
    pub fn intern(&mut self, text: &[u8]) -> u32 {
        if let Some(number) = self.find(text) {
            return number;
        }
        let number = u32::try_from(self.texts.len()).expect("fewer fragments than series can hold");
        self.texts.push(text.into());
        let (texts, hasher) = (&self.texts, &self.hasher);
        self.numbers.insert_unique(hasher.hash_one(text), number, |&n| {
            hasher.hash_one(&*texts[n as usize])
        });
        number
    }

    /// A piece's text.
    #[must_use]
    pub fn text(&self, number: u32) -> &[u8] {
        &self.texts[number as usize]
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
    }
}
