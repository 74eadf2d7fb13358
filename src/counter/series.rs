//! The table of series: label sets to slots and back.
//!
//! A series is six parts: the call site's labels as one fragment, the ids of object and parent, and
//! one fragment for each owner of properties. Everything long is shared between series, so a series
//! costs 24 bytes and its place in the hash table, whatever its line is long.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::fragments::Fragments;

/// How many parts a series has.
pub const PARTS: usize = 6;

/// The part of the call site. After the ids come the properties of object, parent and caller.
pub const SITE: usize = 0;

/// The part of the object's id.
pub const OBJECT: usize = 1;

/// The part of the parent's id.
pub const PARENT: usize = 2;

/// One part of a label set that is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// No label.
    Absent,
    /// An id below 2³¹, which needs no fragment.
    Number(u32),
    /// Written labels.
    Text(&'a [u8]),
}

/// One part of a series as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// No label.
    Absent,
    /// An id below 2³¹.
    Number(u32),
    /// The number of a fragment: dense from 0, and one however many series hold it.
    Fragment(u32),
}

/// A label set, part by part.
pub type Parts<'a> = [Part<'a>; PARTS];

/// A label set as it is stored: each part absent, a number, or a fragment's number with the top bit
/// set. The fragments are held by somebody: a series, or whoever called [`SeriesTable::hold`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u32; PARTS]);

impl Key {
    /// No label at all.
    pub const EMPTY: Self = Self([ABSENT; PARTS]);

    /// The call site's labels alone.
    #[must_use]
    pub fn site(self) -> Self {
        let mut key = Self::EMPTY;
        key.0[SITE] = self.0[SITE];
        key
    }

    /// The same with a number in a part, if there is one.
    #[must_use]
    pub fn with_number(mut self, part: usize, number: Option<u32>) -> Self {
        self.0[part] = number.filter(|&number| number < NUMBERS_END).unwrap_or(self.0[part]);
        self
    }

    /// The parts of both, which have none in common.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for (part, other) in self.0.iter_mut().zip(other.0) {
            if *part == ABSENT {
                *part = other;
            }
        }
        self
    }

    fn fragments(self) -> impl Iterator<Item = u32> {
        let held = |stored: &u32| *stored != ABSENT && *stored >= FRAGMENT;
        self.0.into_iter().filter(held).map(|stored| stored ^ FRAGMENT)
    }
}

const ABSENT: u32 = u32::MAX;
const FRAGMENT: u32 = 1 << 31;

/// Ids from here on are kept as fragments.
pub const NUMBERS_END: u32 = FRAGMENT;

/// Every series, numbered from 0 in the order of their coming; the numbers of removed ones are given
/// out again.
#[derive(Debug, Default)]
pub struct SeriesTable {
    fragments: Fragments,
    keys: Vec<Key>,
    free: Vec<u32>,
    reused: u64,
    slots: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl SeriesTable {
    /// How many series there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    /// How many slots there are, free ones among them.
    #[must_use]
    pub fn slots(&self) -> u32 {
        u32::try_from(self.keys.len()).unwrap_or(u32::MAX)
    }

    /// How often a slot has been given to another series.
    #[must_use]
    pub fn reused(&self) -> u64 {
        self.reused
    }

    /// A label set as it is stored, whose text is here until it is released.
    pub fn hold(&mut self, parts: &Parts<'_>) -> Key {
        Key(parts.map(|part| match part {
            Part::Absent => ABSENT,
            Part::Number(number) => number,
            Part::Text(text) => self.fragments.intern(text) | FRAGMENT,
        }))
    }

    /// Ends what [`SeriesTable::hold`] began: label text that nobody else holds leaves.
    pub fn release(&mut self, key: Key) {
        for fragment in key.fragments() {
            self.fragments.release(fragment);
        }
    }

    /// The slot of a label set that has one.
    #[must_use]
    pub fn find(&self, key: Key) -> Option<u32> {
        self.slots.find(self.hasher.hash_one(key), |&slot| self.keys[slot as usize] == key).copied()
    }

    /// Gives a label set that has none a slot.
    pub fn insert(&mut self, key: Key) -> u32 {
        for fragment in key.fragments() {
            self.fragments.hold(fragment);
        }
        let slot = if let Some(slot) = self.free.pop() {
            self.keys[slot as usize] = key;
            self.reused += 1;
            slot
        } else {
            self.keys.push(key);
            self.slots() - 1
        };
        let (keys, hasher) = (&self.keys, &self.hasher);
        self.slots
            .insert_unique(hasher.hash_one(key), slot, |&s| hasher.hash_one(keys[s as usize]));
        slot
    }

    /// Frees a slot that has a series, and the label text that nobody else holds.
    pub fn remove(&mut self, slot: u32) {
        let key = std::mem::replace(&mut self.keys[slot as usize], Key::EMPTY);
        let Ok(entry) = self.slots.find_entry(self.hasher.hash_one(key), |&known| known == slot)
        else {
            return;
        };
        entry.remove();
        self.release(key);
        self.free.push(slot);
    }

    /// A part of a series.
    #[inline]
    #[must_use]
    pub fn part(&self, slot: u32, part: usize) -> Stored {
        match self.keys[slot as usize].0[part] {
            ABSENT => Stored::Absent,
            stored if stored >= FRAGMENT => Stored::Fragment(stored ^ FRAGMENT),
            number => Stored::Number(number),
        }
    }

    /// How many fragments there are.
    #[cfg(test)]
    pub fn texts(&self) -> usize {
        self.fragments.len()
    }

    /// A fragment's text: labels, each led by a comma.
    #[must_use]
    pub fn fragment(&self, number: u32) -> &[u8] {
        self.fragments.text(number)
    }

    /// Appends a series' labels, each led by a comma.
    #[inline]
    pub fn write_labels(&self, slot: u32, out: &mut Vec<u8>) {
        let [site, object, parent, properties @ ..] = self.keys[slot as usize].0;
        self.write_text(site, out);
        self.write_id(object, b",object_id=\"", out);
        self.write_id(parent, b",parent_object_id=\"", out);
        for stored in properties {
            self.write_text(stored, out);
        }
    }

    #[inline]
    fn write_text(&self, stored: u32, out: &mut Vec<u8>) {
        if stored != ABSENT {
            out.extend_from_slice(self.fragments.text(stored ^ FRAGMENT));
        }
    }

    /// The label's length is known to the compiler, so that copying it takes no call.
    #[inline]
    fn write_id<const N: usize>(&self, stored: u32, label: &[u8; N], out: &mut Vec<u8>) {
        if stored >= FRAGMENT {
            return self.write_text(stored, out);
        }
        out.extend_from_slice(label);
        out.extend_from_slice(itoa::Buffer::new().format(stored).as_bytes());
        out.push(b'"');
    }
}
