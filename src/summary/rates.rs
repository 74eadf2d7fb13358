//! The rates of a summary's groups, which come from the recorder. Pure.

use hashbrown::{DefaultHashBuilder, HashMap};

/// The labels that a group has: indexes into the labels that the query groups by, in ascending order, and their
/// values. The overflow series also has [`OVERFLOW_INDEX`], at the end.
pub type GroupLabels = Vec<(usize, String)>;

/// The index that stands for the label of the overflow series. No query groups by this label.
pub const OVERFLOW_INDEX: usize = usize::MAX;

/// Calls by group.
pub type GroupCalls = HashMap<GroupLabels, u64, DefaultHashBuilder>;

/// Calls of the last seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rates {
    /// The seconds that were measured, at least 1.
    pub seconds: u32,
    /// All calls in these seconds.
    pub calls: u64,
    /// The calls of each group that was called; `None` if the query has other labels than those of the call
    /// site.
    pub groups: Option<GroupCalls>,
    /// `true` if a group that is missing in `groups` had no calls; `false` if its calls are unknown.
    pub is_complete: bool,
}

impl Rates {
    /// Returns the calls of a group per second, if they are known.
    #[must_use]
    pub fn of(&self, labels: &GroupLabels) -> Option<f64> {
        let calls = self.groups.as_ref()?.get(labels).copied();
        calls.or(self.is_complete.then_some(0)).map(|calls| self.per_second(calls))
    }

    /// Returns all calls per second.
    #[must_use]
    pub fn of_all(&self) -> f64 {
        self.per_second(self.calls)
    }

    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    fn per_second(&self, calls: u64) -> f64 {
        calls as f64 / f64::from(self.seconds.max(1))
    }
}
