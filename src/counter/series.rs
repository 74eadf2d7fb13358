//! The table of series. It finds the slot of a label set, and the label set of a slot.
//!
//! A series has six parts: the call site's labels as one fragment, the ids of object and parent, and
//! one fragment for the properties of each owner. Long text is shared between series, so a series
//! takes 32 bytes and its bucket in the hash table, however long its line is.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::{
    cells::RANGE,
    fragments::Fragments,
    protobuf::{COUNTER_LENGTH, EncodedLabels},
    start::Start,
};
use crate::labels::protobuf;

/// The number of parts of a series.
pub const PARTS: usize = 6;

/// The part of the call site. The properties of object, parent and caller follow the two ids.
pub const SITE: usize = 0;

/// The part of the object's id.
pub const OBJECT: usize = 1;

/// The part of the parent's id.
pub const PARENT: usize = 2;

/// The label of the part [`OBJECT`].
pub const OBJECT_ID: &[u8; 9] = b"object_id";

/// The label of the part [`PARENT`].
pub const PARENT_ID: &[u8; 16] = b"parent_object_id";

/// One part of a label set that is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// No label.
    Absent,
    /// An id below 2³¹, which needs no fragment.
    Number(u32),
    /// Labels in the text format.
    Text(&'a [u8]),
}

/// One part of a series as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// No label.
    Absent,
    /// An id below 2³¹.
    Number(u32),
    /// The number of a fragment: dense from 0, and shared by all series with the same text.
    Fragment(u32),
}

/// A reference to the call site of a series, which is compared as a number. The reference is valid while a
/// series has the call site, or while the reference is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SiteRef(u32);

/// A label set, part by part.
pub type Parts<'a> = [Part<'a>; PARTS];

/// A label set as it is stored: each part is absent, a number, or a fragment's number with the top bit
/// set. The fragments are stored while a series or a caller of [`SeriesTable::hold`] uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u32; PARTS]);

impl Key {
    /// A label set without labels.
    pub const EMPTY: Self = Self([ABSENT; PARTS]);

    /// Returns the label set of the call site alone.
    #[must_use]
    pub fn site(self) -> Self {
        let mut key = Self::EMPTY;
        key.0[SITE] = self.0[SITE];
        key
    }

    /// Returns the same label set with a number as one part, if there is a number.
    #[must_use]
    pub fn with_number(mut self, part: usize, number: Option<u32>) -> Self {
        self.0[part] = number.filter(|&number| number < NUMBERS_END).unwrap_or(self.0[part]);
        self
    }

    /// Returns the parts of both label sets, which have no part in common.
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

/// Ids below this number are stored as numbers, all others as fragments.
pub const NUMBERS_END: u32 = FRAGMENT;

/// All series, by slot. Slots are numbered from 0. A new series gets a free slot or, if there is none, the
/// next number.
#[derive(Debug, Default)]
pub struct SeriesTable {
    fragments: Fragments,
    keys: Vec<Key>,
    /// By slot; [`Start::NEVER`] for a free slot.
    starts: Vec<Start>,
    ranges: Vec<RangeFacts>,
    free: Vec<u32>,
    slots: HashTable<u32>,
    hasher: DefaultHashBuilder,
    constant: ConstantLabels,
}

/// Labels that every series has after its own, in both formats.
#[derive(Debug, Default)]
struct ConstantLabels {
    text: Vec<u8>,
    protobuf: Vec<u8>,
}

/// Sums and bounds of a range of slots. Each change updates them, so that a page need not read each series.
#[derive(Clone, Copy, Debug, Default)]
pub struct RangeFacts {
    /// The latest start of a series that is or was in the range.
    pub newest: Start,
    /// The sum of [`SeriesTable::protobuf_length`] over its series.
    pub protobuf_length: u64,
}

impl SeriesTable {
    /// Creates an empty table. Each of its series has the `constant` labels, in the text format, after its
    /// own.
    #[must_use]
    pub fn new(constant: Vec<u8>) -> Self {
        let mut table = Self::default();
        table.set_constant(constant);
        table
    }

    /// Replaces the labels that every series has after its own. Reads each series.
    pub fn set_constant(&mut self, text: Vec<u8>) {
        let mut encoded = Vec::new();
        protobuf::write_labels(&mut encoded, &text);
        self.constant = ConstantLabels { text, protobuf: encoded };
        for range in &mut self.ranges {
            range.protobuf_length = 0;
        }
        for slot in 0..self.slots() {
            if self.start(slot).is_some() {
                self.ranges[(slot / RANGE) as usize].protobuf_length += self.protobuf_length(slot);
            }
        }
    }

    /// Returns the number of series.
    #[must_use]
    pub fn len(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    /// Returns the number of slots, free ones included.
    #[must_use]
    pub fn slots(&self) -> u32 {
        u32::try_from(self.keys.len()).unwrap_or(u32::MAX)
    }

    /// Stores the text of a label set until [`SeriesTable::release`].
    pub fn hold(&mut self, parts: &Parts<'_>) -> Key {
        Key(parts.map(|part| match part {
            Part::Absent => ABSENT,
            Part::Number(number) => number,
            Part::Text(text) => self.fragments.intern(text) | FRAGMENT,
        }))
    }

    /// Ends a [`SeriesTable::hold`]: label text without another holder is freed.
    pub fn release(&mut self, key: Key) {
        for fragment in key.fragments() {
            self.fragments.release(fragment);
        }
    }

    /// Returns the slot of a label set, if it has one.
    #[must_use]
    pub fn find(&self, key: Key) -> Option<u32> {
        self.slots.find(self.hasher.hash_one(key), |&slot| self.keys[slot as usize] == key).copied()
    }

    /// Assigns a slot to a label set that has none.
    pub fn insert(&mut self, key: Key, start: Start) -> u32 {
        for fragment in key.fragments() {
            self.fragments.hold(fragment);
        }
        let slot = if let Some(slot) = self.free.pop() {
            self.keys[slot as usize] = key;
            self.starts[slot as usize] = start;
            slot
        } else {
            self.keys.push(key);
            self.starts.push(start);
            self.slots() - 1
        };
        let range = (slot / RANGE) as usize;
        if self.ranges.len() <= range {
            self.ranges.push(RangeFacts::default());
        }
        self.ranges[range].newest = start;
        self.ranges[range].protobuf_length += self.protobuf_length(slot);
        let (keys, hasher) = (&self.keys, &self.hasher);
        self.slots
            .insert_unique(hasher.hash_one(key), slot, |&s| hasher.hash_one(keys[s as usize]));
        slot
    }

    /// Frees the slot of a series, and the label text without another holder.
    pub fn remove(&mut self, slot: u32) {
        let key = self.keys[slot as usize];
        let Ok(entry) = self.slots.find_entry(self.hasher.hash_one(key), |&other| other == slot)
        else {
            return;
        };
        entry.remove();
        self.ranges[(slot / RANGE) as usize].protobuf_length -= self.protobuf_length(slot);
        self.keys[slot as usize] = Key::EMPTY;
        self.starts[slot as usize] = Start::NEVER;
        self.release(key);
        self.free.push(slot);
    }

    /// Returns the start of a slot's series; `None` for a free slot.
    #[inline]
    #[must_use]
    pub fn start(&self, slot: u32) -> Option<Start> {
        self.starts.get(slot as usize).copied().filter(|&start| start != Start::NEVER)
    }

    /// Returns the facts of a range.
    #[must_use]
    pub fn range(&self, range: u32) -> RangeFacts {
        self.ranges.get(range as usize).copied().unwrap_or_default()
    }

    /// Returns a part of a series.
    #[inline]
    #[must_use]
    pub fn part(&self, slot: u32, part: usize) -> Stored {
        match self.keys[slot as usize].0[part] {
            ABSENT => Stored::Absent,
            stored if stored >= FRAGMENT => Stored::Fragment(stored ^ FRAGMENT),
            number => Stored::Number(number),
        }
    }

    /// Returns the call site of a series.
    #[inline]
    #[must_use]
    pub fn site(&self, slot: u32) -> SiteRef {
        SiteRef(self.keys[slot as usize].0[SITE])
    }

    /// Returns the labels of a call site, each preceded by a comma.
    #[must_use]
    pub fn site_labels(&self, site: SiteRef) -> &[u8] {
        match site.0 {
            ABSENT => &[],
            stored => self.fragments.text(stored ^ FRAGMENT),
        }
    }

    /// Keeps a valid reference to a call site valid until [`SeriesTable::release_site`].
    pub fn hold_site(&mut self, site: SiteRef) {
        if site.0 != ABSENT {
            self.fragments.hold(site.0 ^ FRAGMENT);
        }
    }

    /// Ends a [`SeriesTable::hold_site`].
    pub fn release_site(&mut self, site: SiteRef) {
        if site.0 != ABSENT {
            self.fragments.release(site.0 ^ FRAGMENT);
        }
    }

    /// Returns the number of fragments.
    #[cfg(test)]
    pub fn texts(&self) -> usize {
        self.fragments.len()
    }

    /// Returns a fragment's text: labels, each preceded by a comma.
    #[must_use]
    pub fn fragment(&self, number: u32) -> &[u8] {
        self.fragments.text(number)
    }

    /// Appends a series' labels in the text format, each preceded by a comma.
    #[inline]
    pub fn write_labels(&self, slot: u32, out: &mut Vec<u8>) {
        let [site, object, parent, properties @ ..] = self.keys[slot as usize].0;
        self.write_text(site, out);
        self.write_id(object, b",object_id=\"", out);
        self.write_id(parent, b",parent_object_id=\"", out);
        for stored in properties {
            self.write_text(stored, out);
        }
        out.extend_from_slice(&self.constant.text);
    }

    // A call for each fragment takes a tenth of the time of a page.
    #[expect(clippy::inline_always, reason = "the release build inlines little")]
    #[inline(always)]
    fn write_text(&self, stored: u32, out: &mut Vec<u8>) {
        if stored != ABSENT {
            out.extend_from_slice(self.fragments.text(stored ^ FRAGMENT));
        }
    }

    /// Appends an id. The length of the label is constant, so that it is copied without a function call.
    #[inline]
    fn write_id<const N: usize>(&self, stored: u32, label: &[u8; N], out: &mut Vec<u8>) {
        if stored >= FRAGMENT {
            return self.write_text(stored, out);
        }
        out.extend_from_slice(label);
        out.extend_from_slice(itoa::Buffer::new().format(stored).as_bytes());
        out.push(b'"');
    }

    /// Returns the length of a series' `Metric` message in the protobuf format.
    fn message_length(&self, slot: u32) -> usize {
        let [site, object, parent, properties @ ..] = self.keys[slot as usize].0;
        let text = |stored: u32| match stored {
            ABSENT => 0,
            fragment => self.fragments.protobuf_length(fragment ^ FRAGMENT) as usize,
        };
        let id = |stored: u32, name: &[u8]| match stored {
            fragment if fragment >= FRAGMENT => text(fragment),
            number => protobuf::label_length(name.len(), digits(number)),
        };
        let labels = text(site) + id(object, OBJECT_ID) + id(parent, PARENT_ID);
        let suffix = self.constant.protobuf.len() + COUNTER_LENGTH;
        labels + properties.into_iter().map(text).sum::<usize>() + suffix
    }

    /// Returns the length of a series' field in the protobuf format: tag, length and message.
    #[must_use]
    pub fn protobuf_length(&self, slot: u32) -> u64 {
        let message = self.message_length(slot) as u64;
        1 + protobuf::varint_length(message) as u64 + message
    }

    /// Appends a series' labels in the protobuf format.
    #[inline]
    pub fn write_protobuf_labels(&self, slot: u32, out: &mut Vec<u8>, encoded: &mut EncodedLabels) {
        let [site, object, parent, properties @ ..] = self.keys[slot as usize].0;
        let write = |stored: u32, out: &mut Vec<u8>, encoded: &mut EncodedLabels| {
            if stored != ABSENT {
                encoded.write_fragment(out, stored ^ FRAGMENT, &self.fragments);
            }
        };
        write(site, out, encoded);
        if object < FRAGMENT {
            encoded.object.write(out, object);
        } else {
            write(object, out, encoded);
        }
        if parent < FRAGMENT {
            encoded.parent.write(out, parent);
        } else {
            write(parent, out, encoded);
        }
        for stored in properties {
            write(stored, out, encoded);
        }
        out.extend_from_slice(&self.constant.protobuf);
    }
}

/// Returns the number of decimal digits of a number.
fn digits(number: u32) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}
