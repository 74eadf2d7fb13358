//! Sums series by some of their labels.
//!
//! A series is stored as six numbers, which this module calls its columns. A label's text is read
//! once for each fragment and not for each series: [`Column::values`] maps the number of a fragment to
//! a component of the group's key, or to [`REJECTED`] if a filter rejects the fragment. All series of a
//! group have the same key, even if their fragments differ.
//!
//! The number of groups is bounded. Beyond the bound, the groups whose keys have the greater hashes are left to
//! further passes over the series. Each pass adds those of its groups that are first in the query's order.
//!
//! Pure. Runs on the server thread, under the counter's lock for one step.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use super::{
    document::{Other, Row},
    query::{Order, Query},
    rates::{GroupLabels, OVERFLOW_INDEX, Rates},
};
use crate::{
    counter::{PARTS, SITE, Series, Stored, part_of},
    labels::{OVERFLOW, Schema, read_labels},
    sort::sort_by,
};

/// The key of a group: a component for each column.
type Key = [u32; PARTS];

/// The component of a column that the query does not group by.
const NOT_GROUPED: u32 = 0;

/// A bit that is set in components that are an index into [`Column::texts`]. Other components are ids.
const TEXT: u32 = 1 << 31;

/// Entries of [`Column::values`] that are not components.
const UNREAD: u32 = u32::MAX;
const REJECTED: u32 = u32::MAX - 1;

/// The maximum number of groups of one pass. A group takes about 50 bytes.
pub const MAX_GROUPS: usize = 1 << 17;

/// No groups.
const NONE: Other = Other { groups: 0, value: 0.0 };

/// Sums by the labels of a query.
pub struct Grouping {
    names: Vec<String>,
    columns: Vec<Column>,
    keys: Vec<Key>,
    sums: Vec<f64>,
    /// The index of the column, if the query groups by one column only. Then the group is found by the
    /// component of this column, without a hash.
    single: Option<usize>,
    /// The group of each component of that column.
    single_groups: Vec<u32>,
    groups: HashTable<u32>,
    hasher: DefaultHashBuilder,
    max_groups: usize,
    /// The first and the last hash of the groups of this pass.
    pass: (u64, u64),
    /// The first groups of the previous passes in the query's order, and the sum of the others.
    before: (Vec<Row>, Other),
    limit: usize,
    search: String,
    order: Order,
    /// The sum over the series that pass the query's filters.
    pub matched: f64,
}

/// One of the stored numbers of a series, as a query reads it.
struct Column {
    index: usize,
    /// The labels of this column to group by: an index into [`Query::by`], and the name.
    by: Vec<(usize, String)>,
    /// The labels of this column to filter by: name and value.
    filters: Vec<(String, String)>,
    /// The component of each fragment, [`UNREAD`] or [`REJECTED`].
    values: Vec<u32>,
    /// The component of a series that has no value in this column, or [`REJECTED`].
    absent: u32,
    /// The labels of each component with [`TEXT`].
    texts: Vec<GroupLabels>,
    components: HashMap<GroupLabels, u32>,
    /// Rates of groups by this column alone.
    rates: Option<Rates>,
    /// The rate of each component with [`TEXT`], if there are rates.
    text_rates: Vec<Option<f64>>,
}

impl Grouping {
    /// Creates sums that have no series yet, with at most `max_groups` groups in one pass.
    #[must_use]
    pub fn new(query: &Query, schema: &Schema, rates: Option<Rates>, max_groups: usize) -> Self {
        let names = schema.names();
        let mut rates = rates.filter(|rates| rates.groups.is_some());
        let mut labels = query.by.clone();
        labels.extend(query.filters.iter().map(|(label, _)| *label));
        let columns = by_column(&labels, schema).into_iter().map(|(index, labels)| {
            let mut column = Column::new(index);
            let by = query.by.iter().enumerate().filter(|(_, label)| labels.contains(label));
            column.by = by.map(|(at, &label)| (at, names[label].clone())).collect();
            let filters = query.filters.iter().filter(|(label, _)| labels.contains(label));
            column.filters =
                filters.map(|(label, value)| (names[*label].clone(), value.clone())).collect();
            column.rates = rates.take_if(|_| index == SITE);
            column.absent = column.component("");
            column
        });
        let columns: Vec<Column> = columns.collect();
        let mut grouped = columns.iter().filter(|column| !column.by.is_empty());
        let single = grouped.next().filter(|_| grouped.next().is_none());
        Self {
            names: query.by.iter().map(|&label| names[label].clone()).collect(),
            single: single.map(|column| column.index),
            columns,
            keys: Vec::new(),
            sums: Vec::new(),
            single_groups: Vec::new(),
            groups: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            max_groups,
            pass: (0, u64::MAX),
            before: (Vec::new(), NONE),
            limit: query.limit,
            search: query.search.clone(),
            order: query.order,
            matched: 0.0,
        }
    }

    /// Adds a series to its group.
    #[inline]
    pub fn add(&mut self, series: &Series<'_>) {
        let mut key = [0; PARTS];
        for column in &mut self.columns {
            let component = column.read(series);
            if component == REJECTED {
                return;
            }
            key[column.index] = component;
        }
        if self.pass.0 == 0 {
            self.matched += series.value;
        }
        let group = match self.single {
            Some(index) if key[index] >= TEXT => self.group_of_component(key, key[index] ^ TEXT),
            _ => self.group(key),
        };
        if let Some(group) = group {
            self.sums[group] += series.value;
        }
    }

    #[inline]
    fn group_of_component(&mut self, key: Key, component: u32) -> Option<usize> {
        let at = component as usize;
        match self.single_groups.get(at) {
            Some(&group) if group != UNREAD => Some(group as usize),
            _ => {
                let group = self.group(key)?;
                if self.single_groups.len() <= at {
                    self.single_groups.resize(at + 1, UNREAD);
                }
                self.single_groups[at] = u32::try_from(group).unwrap_or(UNREAD);
                Some(group)
            }
        }
    }

    /// Finds or adds a group; `None` if it belongs to another pass.
    #[inline]
    fn group(&mut self, key: Key) -> Option<usize> {
        let hash = self.hasher.hash_one(key);
        if !(self.pass.0..=self.pass.1).contains(&hash) {
            return None;
        }
        let keys = &self.keys;
        if let Some(&group) = self.groups.find(hash, |&group| keys[group as usize] == key) {
            return Some(group as usize);
        }
        while self.keys.len() >= self.max_groups {
            self.halve_pass();
            if hash > self.pass.1 {
                return None;
            }
        }
        Some(self.insert(key, hash, 0.0))
    }

    fn insert(&mut self, key: Key, hash: u64, sum: f64) -> usize {
        let group = self.keys.len();
        self.keys.push(key);
        self.sums.push(sum);
        let number = u32::try_from(group).unwrap_or(u32::MAX);
        let (keys, hasher) = (&self.keys, &self.hasher);
        self.groups.insert_unique(hash, number, |&group| hasher.hash_one(keys[group as usize]));
        group
    }

    /// Leaves the groups with the greater hashes to further passes.
    #[cold]
    fn halve_pass(&mut self) {
        let (first, last) = self.pass;
        self.pass.1 = first + (last - first) / 2;
        let (keys, sums) = self.take_groups();
        for (key, sum) in keys.into_iter().zip(sums) {
            let hash = self.hasher.hash_one(key);
            if hash <= self.pass.1 {
                self.insert(key, hash, sum);
            }
        }
    }

    fn take_groups(&mut self) -> (Vec<Key>, Vec<f64>) {
        self.groups.clear();
        self.single_groups.clear();
        (std::mem::take(&mut self.keys), std::mem::take(&mut self.sums))
    }

    /// Ends a pass over all series, and returns whether another one is needed.
    pub fn next_pass(&mut self) -> bool {
        let (first, last) = self.pass;
        if last == u64::MAX {
            return false;
        }
        self.before = self.top();
        self.take_groups();
        self.pass = (last + 1, last.saturating_add(last - first + 1));
        true
    }

    /// Returns the number of groups.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sums.len()
    }

    /// Returns the first groups of all passes so far in the query's order, up to the query's limit. Equal
    /// groups are ordered by their sums, then by their labels. Only groups with the query's search text in a
    /// label value are returned and counted. `Other` has the groups beyond the limit.
    #[must_use]
    pub fn top(&mut self) -> (Vec<Row>, Other) {
        let limit = self.limit;
        let (mut rows, mut other) = std::mem::replace(&mut self.before, (Vec::new(), NONE));
        let mut order = self.search(&self.search);
        other.groups += rows.len() + order.len();
        other.value += rows.iter().map(|row| row.value).sum::<f64>();
        other.value += order.iter().map(|&group| self.sums[group]).sum::<f64>();
        if order.len() > limit {
            let rate = |group: usize| match self.order {
                Order::Total => 0.0,
                Order::Rate => self.rate(group).unwrap_or_default(),
            };
            let by_order = |&a: &usize, &b: &usize| {
                let by_sum = || self.sums[b].total_cmp(&self.sums[a]);
                rate(b).total_cmp(&rate(a)).then_with(by_sum).then(a.cmp(&b))
            };
            order.select_nth_unstable_by(limit, by_order);
            order.truncate(limit);
        }
        rows.extend(order.into_iter().map(|group| self.row(group)));
        let rate = |row: &Row| match self.order {
            Order::Total => 0.0,
            Order::Rate => row.rate.unwrap_or_default(),
        };
        sort_by(&mut rows, |a, b| {
            let by_sum = || b.value.total_cmp(&a.value);
            rate(b).total_cmp(&rate(a)).then_with(by_sum).then_with(|| a.labels.cmp(&b.labels))
        });
        rows.truncate(limit);
        other.groups -= rows.len();
        other.value -= rows.iter().map(|row| row.value).sum::<f64>();
        (rows, other)
    }

    /// Returns the rate of a group, if it is known.
    fn rate(&self, group: usize) -> Option<f64> {
        let key = &self.keys[group];
        self.columns.iter().find_map(|column| column.rate(key[column.index]))
    }

    /// Returns the groups that have this text in a label value.
    fn search(&self, text: &str) -> Vec<usize> {
        let groups = 0..self.len();
        if text.is_empty() {
            return groups.collect();
        }
        let texts: Vec<Vec<bool>> = self.columns.iter().map(|column| column.search(text)).collect();
        let is_found = |&group: &usize| {
            self.columns.iter().zip(&texts).any(|(column, texts)| {
                let component = self.keys[group][column.index];
                if component >= TEXT {
                    texts[(component ^ TEXT) as usize]
                } else {
                    !column.by.is_empty() && component.to_string().contains(text)
                }
            })
        };
        groups.filter(is_found).collect()
    }

    fn row(&self, group: usize) -> Row {
        let mut values = vec![None; self.names.len()];
        let mut labels = Vec::new();
        for column in &self.columns {
            for (index, value) in column.labels(self.keys[group][column.index]) {
                match values.get_mut(index) {
                    Some(entry) => *entry = Some(value),
                    None => labels.push((OVERFLOW.to_owned(), value)),
                }
            }
        }
        let by = self.names.iter().zip(values);
        labels.extend(by.filter_map(|(name, value)| Some((name.clone(), value?))));
        Row { labels, value: self.sums[group], rate: self.rate(group) }
    }
}

/// Returns whether a value contains a text. The case of ASCII letters is ignored.
pub fn contains(value: &str, text: &str) -> bool {
    let (value, text) = (value.as_bytes(), text.as_bytes());
    value.windows(text.len()).any(|run| run.eq_ignore_ascii_case(text))
}

/// Groups labels by the column that stores them.
#[inline(never)]
pub fn by_column(labels: &[usize], schema: &Schema) -> Vec<(usize, Vec<usize>)> {
    let mut columns: [Vec<usize>; PARTS] = Default::default();
    for &label in labels {
        columns[part_of(label, schema.props_per_owner())].push(label);
    }
    columns.into_iter().enumerate().filter(|(_, labels)| !labels.is_empty()).collect()
}

impl Column {
    fn new(index: usize) -> Self {
        Self {
            index,
            by: Vec::new(),
            filters: Vec::new(),
            values: Vec::new(),
            absent: REJECTED,
            texts: Vec::new(),
            components: HashMap::new(),
            rates: None,
            text_rates: Vec::new(),
        }
    }

    /// Returns the rate of the group with this component, if it is known.
    fn rate(&self, component: u32) -> Option<f64> {
        self.text_rates.get((component ^ TEXT) as usize).copied().flatten()
    }

    #[inline]
    fn read(&mut self, series: &Series<'_>) -> u32 {
        match series.part(self.index) {
            Stored::Absent => self.absent,
            Stored::Number(id) => self.id(id),
            Stored::Fragment(number) => {
                let value = self.values.get(number as usize).copied().unwrap_or(UNREAD);
                if value == UNREAD { self.fragment(series, number) } else { value }
            }
        }
    }

    /// Returns the component of an id. A column of ids has one label, so each filter is for this label.
    #[inline]
    fn id(&self, id: u32) -> u32 {
        if !self.filters.is_empty() {
            let mut buffer = itoa::Buffer::new();
            let text = buffer.format(id);
            if self.filters.iter().any(|(_, value)| value != text) {
                return REJECTED;
            }
        }
        if self.by.is_empty() { NOT_GROUPED } else { id }
    }

    #[cold]
    fn fragment(&mut self, series: &Series<'_>, number: u32) -> u32 {
        let text = String::from_utf8_lossy(series.fragment(number));
        let component = self.component(&text);
        if self.values.len() <= number as usize {
            self.values.resize(number as usize + 1, UNREAD);
        }
        self.values[number as usize] = component;
        component
    }

    /// Returns the component of labels in the text format, or [`REJECTED`].
    #[inline(never)]
    fn component(&mut self, written: &str) -> u32 {
        let labels = read_labels(written);
        let value = |wanted: &str| {
            labels.iter().find(|(name, _)| *name == wanted).map_or("", |(_, value)| value)
        };
        if self.filters.iter().any(|(name, wanted)| value(name) != wanted) {
            return REJECTED;
        }
        if self.by.is_empty() {
            return NOT_GROUPED;
        }
        let mut found: GroupLabels = self
            .by
            .iter()
            .filter(|(_, name)| !value(name).is_empty())
            .map(|(index, name)| (*index, value(name).to_owned()))
            .collect();
        if self.index == SITE && !value(OVERFLOW).is_empty() {
            found.push((OVERFLOW_INDEX, value(OVERFLOW).to_owned()));
        }
        if let Some(&component) = self.components.get(&found) {
            return component;
        }
        let component = TEXT | u32::try_from(self.texts.len()).unwrap_or(0);
        if let Some(rates) = &self.rates {
            self.text_rates.push(rates.of(&found));
        }
        self.texts.push(found.clone());
        self.components.insert(found, component);
        component
    }

    /// Returns, for each entry of `texts`, true if one of its values has this text.
    fn search(&self, text: &str) -> Vec<bool> {
        let is_found = |labels: &GroupLabels| labels.iter().any(|(_, value)| contains(value, text));
        self.texts.iter().map(is_found).collect()
    }

    /// Returns the labels of a component.
    fn labels(&self, component: u32) -> GroupLabels {
        if component < TEXT {
            let by = self.by.iter().map(|(index, _)| (*index, component.to_string()));
            return by.collect();
        }
        self.texts.get((component ^ TEXT) as usize).cloned().unwrap_or_default()
    }
}
