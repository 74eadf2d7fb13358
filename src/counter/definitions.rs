//! Numbers of call sites and property sets that each thread has defined, so that a new combination
//! crosses from JavaScript as four integers.

use std::collections::HashMap;

use hashbrown::DefaultHashBuilder;

use super::{
    cells::ShardId,
    series::{Key, OBJECT, PARENT},
};

/// A label set in terms of a thread's definitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefinedLabelSet {
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

/// The definitions of each shard's thread. The caller holds the keys that it adds, and releases those
/// that are returned.
#[derive(Debug, Default)]
pub struct Definitions(Vec<(ShardId, Numbers)>);

impl Definitions {
    /// Adds a definition; returns the one that it replaces.
    pub fn add(&mut self, shard: ShardId, number: u32, key: Key) -> Option<Key> {
        if self.numbers(shard).is_none() {
            self.0.push((shard, Numbers::default()));
        }
        self.0.iter_mut().find(|(id, _)| *id == shard)?.1.insert(number, key)
    }

    /// Returns the label set, if all its numbers are defined.
    #[must_use]
    pub fn find(&self, shard: ShardId, label_set: &DefinedLabelSet) -> Option<Key> {
        let numbers = self.numbers(shard)?;
        let props =
            label_set.props.map_or(Some(Key::EMPTY), |props| numbers.get(&props).copied())?;
        let site = numbers.get(&label_set.site)?.and(props);
        Some(site.with_number(OBJECT, label_set.object).with_number(PARENT, label_set.parent))
    }

    /// Drops all definitions of a shard, and returns them.
    pub fn clear(&mut self, shard: ShardId) -> impl Iterator<Item = Key> {
        let position = self.0.iter().position(|(id, _)| *id == shard);
        let numbers = position.map(|position| self.0.swap_remove(position).1).unwrap_or_default();
        numbers.into_values()
    }

    fn numbers(&self, shard: ShardId) -> Option<&Numbers> {
        self.0.iter().find(|(id, _)| *id == shard).map(|(_, numbers)| numbers)
    }
}
