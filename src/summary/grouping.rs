//! Series to groups: sums the counter by some of its labels.
//!
//! A series is told by numbers (its stored parts), so a label's text is read once for each fragment,
//! not for each series: what a part means to the query (its component of the group's key, or that
//! a filter turns it down) is kept in a table by the fragment's number. Two series of one group get
//! the same key, whichever fragments they hold.
//!
//! Pure; runs on the server thread, under the counter's lock for one chunk of series at a time.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use super::query::Query;
use crate::{
    counter::{PARTS, SITE, Series, Stored, part_of},
    labels::{OVERFLOW, Schema, read_labels},
};

/// A group's key: a component for each part.
type Key = [u32; PARTS];

/// The component of a part that the query does not group by.
const NOT_GROUPED: u32 = 0;

/// A component that is not a number but a place in [`Part::components`].
const TEXT: u32 = 1 << 31;
/// Entries of a part's table that are no component.
const UNREAD: u32 = u32::MAX;
const REFUSED: u32 = u32::MAX - 1;

/// Sums by the labels of a query.
pub struct Grouping {
    names: Vec<String>,
    parts: Vec<Part>,
    keys: Vec<Key>,
    sums: Vec<f64>,
    /// The place of the one part that is grouped by, as it is when one asks for call sites: then a
    /// group is found by its component alone.
    only: Option<usize>,
    /// The group of each of that part's components.
    direct: Vec<u32>,
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// The sum over every series.
    pub total: f64,
    /// The sum over the series that pass the query's filters.
    pub matched: f64,
}

/// A group: its labels in the order asked for, absent ones left out, and its sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Names and values.
    pub labels: Vec<(String, String)>,
    /// The sum.
    pub value: f64,
}

/// One part of the series, as the query looks at it.
struct Part {
    place: usize,
    /// Places of `Query::by` and names of the labels to group by that stand in this part.
    by: Vec<(usize, String)>,
    /// Names and values of the labels to filter by that stand in this part.
    filters: Vec<(String, String)>,
    /// What a fragment means, by its number.
    read: Vec<u32>,
    /// What it means that the part is absent.
    absent: u32,
    /// The labels behind a component: places of `Query::by` and values.
    components: Vec<Labels>,
    known: HashMap<Labels, u32>,
}

/// Places of `Query::by`, and values.
type Labels = Vec<(usize, String)>;

/// The place of the overflow series' label, which nobody asks for and whose rows show it.
const OVERFLOW_PLACE: usize = usize::MAX;

impl Grouping {
    /// Nothing summed yet.
    #[must_use]
    pub fn new(query: &Query, schema: &Schema) -> Self {
        let names = schema.names();
        let mut parts: Vec<Part> = Vec::new();
        for (place, &label) in query.by.iter().enumerate() {
            let part = entry(&mut parts, part_of(label, schema.props_per_owner()));
            part.by.push((place, names[label].clone()));
        }
        for (label, value) in &query.filters {
            let part = entry(&mut parts, part_of(*label, schema.props_per_owner()));
            part.filters.push((names[*label].clone(), value.clone()));
        }
        for part in &mut parts {
            part.absent = part.component("");
        }
        let mut grouped = parts.iter().filter(|part| !part.by.is_empty());
        let only = grouped.next().filter(|_| grouped.next().is_none()).map(|part| part.place);
        Self {
            names: query.by.iter().map(|&label| names[label].clone()).collect(),
            parts,
            keys: Vec::new(),
            sums: Vec::new(),
            only,
            direct: Vec::new(),
            numbers: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            total: 0.0,
            matched: 0.0,
        }
    }

    /// Adds a series to its group.
    #[inline]
    pub fn add(&mut self, series: &Series<'_>) {
        self.total += series.value;
        let mut key = [0; PARTS];
        for part in &mut self.parts {
            let component = part.read(series);
            if component == REFUSED {
                return;
            }
            key[part.place] = component;
        }
        self.matched += series.value;
        let group = match self.only {
            Some(place) if key[place] >= TEXT => self.group_of_component(key, key[place] ^ TEXT),
            _ => self.group(key),
        };
        self.sums[group] += series.value;
    }

    #[inline]
    fn group_of_component(&mut self, key: Key, component: u32) -> usize {
        let at = component as usize;
        match self.direct.get(at) {
            Some(&group) if group != UNREAD => group as usize,
            _ => {
                let group = self.group(key);
                if self.direct.len() <= at {
                    self.direct.resize(at + 1, UNREAD);
                }
                self.direct[at] = u32::try_from(group).unwrap_or(UNREAD);
                group
            }
        }
    }

    #[inline]
    fn group(&mut self, key: Key) -> usize {
        let (keys, hasher) = (&mut self.keys, &self.hasher);
        let hash = hasher.hash_one(key);
        if let Some(&number) = self.numbers.find(hash, |&n| keys[n as usize] == key) {
            return number as usize;
        }
        let group = keys.len();
        keys.push(key);
        self.sums.push(0.0);
        let number = u32::try_from(group).unwrap_or(u32::MAX);
        self.numbers.insert_unique(hash, number, |&n| hasher.hash_one(keys[n as usize]));
        group
    }

    /// How many groups there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sums.len()
    }

    /// The groups with the greatest sums, greatest first; of equal ones the first by its labels.
    #[must_use]
    pub fn top(&self, limit: usize) -> Vec<Row> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        let by_sum = |&a: &usize, &b: &usize| self.sums[b].total_cmp(&self.sums[a]).then(a.cmp(&b));
        if order.len() > limit {
            order.select_nth_unstable_by(limit, by_sum);
            order.truncate(limit);
        }
        let mut rows: Vec<Row> = order.into_iter().map(|group| self.row(group)).collect();
        rows.sort_by(|a, b| b.value.total_cmp(&a.value).then_with(|| a.labels.cmp(&b.labels)));
        rows
    }

    fn row(&self, group: usize) -> Row {
        let mut labels: Vec<(usize, String)> = Vec::new();
        for part in &self.parts {
            labels.extend(part.labels(self.keys[group][part.place]));
        }
        labels.sort_by_key(|&(place, _)| place);
        let named = |(place, value): (usize, String)| {
            (self.names.get(place).map_or(OVERFLOW, |name| name).to_owned(), value)
        };
        Row { labels: labels.into_iter().map(named).collect(), value: self.sums[group] }
    }
}

fn entry(parts: &mut Vec<Part>, part: usize) -> &mut Part {
    let at = parts.iter().position(|known| known.place == part).unwrap_or_else(|| {
        parts.push(Part::new(part));
        parts.len() - 1
    });
    &mut parts[at]
}

impl Part {
    fn new(part: usize) -> Self {
        Self {
            place: part,
            by: Vec::new(),
            filters: Vec::new(),
            read: Vec::new(),
            absent: REFUSED,
            components: Vec::new(),
            known: HashMap::new(),
        }
    }

    #[inline]
    fn read(&mut self, series: &Series<'_>) -> u32 {
        match series.part(self.place) {
            Stored::Absent => self.absent,
            Stored::Number(number) => self.number(number),
            Stored::Fragment(number) => {
                let known = self.read.get(number as usize).copied().unwrap_or(UNREAD);
                if known == UNREAD { self.fragment(series, number) } else { known }
            }
        }
    }

    /// A part that holds numbers holds one label, so each filter here is on that one.
    #[inline]
    fn number(&self, number: u32) -> u32 {
        if !self.filters.is_empty() {
            let mut buffer = itoa::Buffer::new();
            let text = buffer.format(number);
            if self.filters.iter().any(|(_, value)| value != text) {
                return REFUSED;
            }
        }
        if self.by.is_empty() { NOT_GROUPED } else { number }
    }

    #[cold]
    fn fragment(&mut self, series: &Series<'_>, number: u32) -> u32 {
        let text = String::from_utf8_lossy(series.fragment(number));
        let component = self.component(&text);
        if self.read.len() <= number as usize {
            self.read.resize(number as usize + 1, UNREAD);
        }
        self.read[number as usize] = component;
        component
    }

    /// What written labels mean: a component, or that a filter refuses them.
    fn component(&mut self, written: &str) -> u32 {
        let labels = read_labels(written);
        let value = |name: &str| {
            labels.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
        };
        if self.filters.iter().any(|(name, wanted)| value(name) != wanted) {
            return REFUSED;
        }
        if self.by.is_empty() {
            return NOT_GROUPED;
        }
        let mut found: Labels = self
            .by
            .iter()
            .filter(|(_, name)| !value(name).is_empty())
            .map(|(place, name)| (*place, value(name).to_owned()))
            .collect();
        if self.place == SITE && !value(OVERFLOW).is_empty() {
            found.push((OVERFLOW_PLACE, value(OVERFLOW).to_owned()));
        }
        if let Some(&component) = self.known.get(&found) {
            return component;
        }
        let component = TEXT | u32::try_from(self.components.len()).unwrap_or(0);
        self.components.push(found.clone());
        self.known.insert(found, component);
        component
    }

    /// The labels behind a component.
    fn labels(&self, component: u32) -> Labels {
        if component < TEXT {
            let by = self.by.iter().map(|(place, _)| (*place, component.to_string()));
            return by.collect();
        }
        self.components.get((component ^ TEXT) as usize).cloned().unwrap_or_default()
    }
}
