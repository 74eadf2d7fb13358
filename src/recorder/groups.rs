//! Sums the calls of call sites by some of their labels, a few call sites at a time. Pure.

use hashbrown::{DefaultHashBuilder, HashMap};

use super::{
    history::{History, Window},
    sites::Site,
};
use crate::{
    labels::{OVERFLOW, read_labels},
    sort::sort_by,
    summary::{GroupCalls, GroupLabels, OVERFLOW_INDEX, contains},
};

/// The number of call sites that are read at a time. Their reading takes at most about half a millisecond.
pub const SITES_AT_A_TIME: u32 = 128;

/// Call sites with the same values of the labels that a query groups by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The labels that are present.
    pub labels: GroupLabels,
    /// The calls in the window.
    pub calls: u64,
    /// The numbers of the call sites.
    pub sites: Vec<u32>,
}

/// The groups of a query, while their calls are summed.
#[derive(Debug)]
pub struct Groups {
    by: Vec<String>,
    filters: Vec<(String, String)>,
    window: Window,
    sums: HashMap<GroupLabels, (u64, Vec<u32>), DefaultHashBuilder>,
    next: u32,
}

impl Groups {
    /// Groups the calls of a window by these labels. Filters are names and values; an empty value selects
    /// call sites without the label.
    #[must_use]
    pub fn new(by: Vec<String>, filters: Vec<(String, String)>, window: Window) -> Self {
        Self { by, filters, window, sums: HashMap::default(), next: 0 }
    }

    /// Adds the next call sites, and returns whether more are left. The caller has pinned the history.
    pub fn advance(&mut self, history: &History) -> bool {
        let end = self.next + SITES_AT_A_TIME;
        for number in self.next..end {
            if let Some(site) = history.site(number) {
                self.add(number, site);
            }
        }
        self.next = end;
        end < history.site_numbers()
    }

    fn add(&mut self, number: u32, site: &Site) {
        let calls = site.column.calls(&self.window.steps);
        if calls == 0 {
            return;
        }
        let Some(labels) = group_labels(&site.labels, &self.by, &self.filters) else { return };
        let (sum, sites) = self.sums.entry(labels).or_default();
        *sum += calls;
        sites.push(number);
    }

    /// Returns the calls of each group.
    #[must_use]
    pub fn into_calls(self) -> GroupCalls {
        self.sums.into_iter().map(|(labels, (calls, _))| (labels, calls)).collect()
    }

    /// Returns the groups that contain `search` in a label value: at most `limit`, those with the most calls,
    /// in descending order.
    #[must_use]
    pub fn into_top(self, limit: usize, search: &str) -> Vec<Group> {
        let is_found = |(labels, _): &(GroupLabels, _)| {
            search.is_empty() || labels.iter().any(|(_, value)| contains(value, search))
        };
        let groups = self.sums.into_iter().filter(is_found);
        let mut groups: Vec<Group> =
            groups.map(|(labels, (calls, sites))| Group { labels, calls, sites }).collect();
        let by_calls =
            |a: &Group, b: &Group| b.calls.cmp(&a.calls).then_with(|| a.labels.cmp(&b.labels));
        if groups.len() > limit {
            groups.select_nth_unstable_by(limit, by_calls);
            groups.truncate(limit);
        }
        sort_by(&mut groups, by_calls);
        groups
    }
}

/// Returns the labels by which a call site is grouped; `None` if a filter rejects the call site.
pub fn group_labels(
    written: &[u8],
    by: &[String],
    filters: &[(String, String)],
) -> Option<GroupLabels> {
    let text = String::from_utf8_lossy(written);
    let labels = read_labels(&text);
    let value = |wanted: &str| {
        labels.iter().find(|(name, _)| *name == wanted).map_or("", |(_, value)| value)
    };
    if filters.iter().any(|(name, wanted)| value(name) != wanted) {
        return None;
    }
    let by = by.iter().map(|name| value(name)).enumerate();
    let all = by.chain([(OVERFLOW_INDEX, value(OVERFLOW))]);
    let present = all.filter(|(_, value)| !value.is_empty());
    Some(present.map(|(index, value)| (index, value.to_owned())).collect())
}
