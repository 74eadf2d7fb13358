//! What the threads' caches have numbers for: parts of label sets that a thread has told once, so that
//! a new label set made of them crosses from JavaScript as a few integers.

use std::collections::HashMap;

use hashbrown::DefaultHashBuilder;

use super::{
    cells::ShardId,
    series::{Key, OBJECT, PARENT},
};

/// A label set by a thread's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownLabelSet {
    /// The number of its call site.
    pub site: u32,
    /// The object's id, if it is a label; below 2³¹.
    pub object: Option<u32>,
    /// The parent's id, if it is a label; below 2³¹.
    pub parent: Option<u32>,
    /// The number of its set of properties, if it has any.
    pub props: Option<u32>,
}

type Numbers = HashMap<u32, Key, DefaultHashBuilder>;

/// The numbers of each shard's thread. Whoever adds a key holds it; what comes back has to be released.
#[derive(Debug, Default)]
pub struct Known(Vec<(ShardId, Numbers)>);

impl Known {
    /// Takes a part under a number; gives what had it before.
    pub fn add(&mut self, shard: ShardId, number: u32, key: Key) -> Option<Key> {
        if self.numbers(shard).is_none() {
            self.0.push((shard, Numbers::default()));
        }
        self.0.iter_mut().find(|(id, _)| *id == shard)?.1.insert(number, key)
    }

    /// A label set whose every number is known.
    #[must_use]
    pub fn find(&self, shard: ShardId, known: &KnownLabelSet) -> Option<Key> {
        let numbers = self.numbers(shard)?;
        let props = known.props.map_or(Some(Key::EMPTY), |props| numbers.get(&props).copied())?;
        let site = numbers.get(&known.site)?.and(props);
        Some(site.with_number(OBJECT, known.object).with_number(PARENT, known.parent))
    }

    /// Drops all numbers of a shard, and gives what had them.
    pub fn forget(&mut self, shard: ShardId) -> impl Iterator<Item = Key> {
        let at = self.0.iter().position(|(id, _)| *id == shard);
        let numbers = at.map(|at| self.0.swap_remove(at).1).unwrap_or_default();
        numbers.into_values()
    }

    fn numbers(&self, shard: ShardId) -> Option<&Numbers> {
        self.0.iter().find(|(id, _)| *id == shard).map(|(_, numbers)| numbers)
    }
}
