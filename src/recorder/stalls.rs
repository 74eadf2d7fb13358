//! The last stalls of the event loops: their starts, their lengths, and the calls during each. Pure.
//!
//! A **stall** is the time for which an event loop has not answered a question, if this time is at least
//! [`STALL_AFTER`](super::STALL_AFTER).

use std::collections::VecDeque;

use hashbrown::{DefaultHashBuilder, HashMap};

use crate::sort::sort_by;

/// The maximum number of stalls that are stored.
pub const MAX_STALLS: usize = 100;

/// The maximum number of call sites that are stored for a stall: those with the most calls.
pub const MAX_STALL_SITES: usize = 20;

/// The maximum memory of the call sites of all stalls, in bytes. Beyond it, the call sites of the oldest
/// stalls are dropped.
const MAX_STALL_BYTES: usize = 256 * 1024;

/// The maximum number of call sites that are distinguished while a stall goes on.
const MAX_RUNNING_SITES: usize = 1000;

/// One stall.
#[derive(Clone, Debug, PartialEq)]
pub struct Stall {
    id: u64,
    /// The time of the question that was not answered, in seconds since the epoch.
    pub start: f64,
    /// The time until the answer, or until now while the stall goes on.
    pub seconds: f64,
    /// The label of a worker thread; `None` for the main thread.
    pub worker: Option<String>,
    /// `true` while the stall goes on.
    pub ongoing: bool,
    /// The calls of the thread during the stall.
    pub calls: u64,
    /// The call sites with the most calls: their labels in the text format, and the calls.
    pub sites: Vec<(Box<[u8]>, u64)>,
}

impl Stall {
    fn bytes(&self) -> usize {
        let site = |(labels, _): &(Box<[u8]>, u64)| labels.len() + size_of::<(Box<[u8]>, u64)>();
        self.sites.iter().map(site).sum()
    }
}

/// The calls of a thread during a stall, by the labels of the call sites.
#[derive(Debug, Default)]
pub struct StallCalls {
    calls: u64,
    sites: HashMap<Box<[u8]>, u64, DefaultHashBuilder>,
}

impl StallCalls {
    /// Returns whether there is no call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls == 0
    }

    /// Adds calls of a call site.
    pub fn add(&mut self, labels: &[u8], calls: u64) {
        self.calls += calls;
        if let Some(sum) = self.sites.get_mut(labels) {
            *sum += calls;
        } else if self.sites.len() < MAX_RUNNING_SITES {
            self.sites.insert(labels.into(), calls);
        }
    }

    fn busiest(&self) -> Vec<(Box<[u8]>, u64)> {
        let mut sites: Vec<_> = self.sites.iter().collect();
        sort_by(&mut sites, |a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        sites.truncate(MAX_STALL_SITES);
        sites.into_iter().map(|(labels, calls)| (labels.clone(), *calls)).collect()
    }
}

/// The last stalls, in the order in which they began.
#[derive(Debug, Default)]
pub struct Stalls {
    list: VecDeque<Stall>,
    last: u64,
}

impl Stalls {
    /// Begins a stall. Returns its number.
    pub fn begin(&mut self, start: f64, worker: Option<String>) -> u64 {
        self.last += 1;
        let (calls, sites) = (0, Vec::new());
        let id = self.last;
        let stall = Stall { id, start, seconds: 0.0, worker, ongoing: true, calls, sites };
        self.list.push_back(stall);
        if self.list.len() > MAX_STALLS {
            self.list.pop_front();
        }
        id
    }

    /// Sets the length and the calls of a stall that goes on or ends. When it ends, a stall of a worker thread
    /// without calls is dropped: an idle worker of a thread pool may block its event loop while it waits for work.
    pub fn set(&mut self, id: u64, seconds: f64, ongoing: bool, calls: &StallCalls) {
        let Some(stall) = self.list.iter_mut().find(|stall| stall.id == id) else { return };
        stall.seconds = seconds;
        stall.ongoing = ongoing;
        stall.calls = calls.calls;
        stall.sites = calls.busiest();
        if !ongoing && stall.worker.is_some() && calls.is_empty() {
            self.list.retain(|stall| stall.id != id);
            return;
        }
        let mut bytes = self.bytes();
        for stall in &mut self.list {
            if bytes <= MAX_STALL_BYTES {
                return;
            }
            bytes -= stall.bytes();
            stall.sites = Vec::new();
        }
    }

    /// Returns the stalls that overlap the time from `start` to `end`, without those of idle worker threads.
    pub fn within(&self, start: f64, end: f64) -> impl Iterator<Item = &Stall> {
        let is_idle = |stall: &Stall| stall.worker.is_some() && stall.calls == 0;
        self.list.iter().filter(move |stall| !is_idle(stall)).filter(move |stall| {
            stall.ongoing || (stall.start <= end && stall.start + stall.seconds >= start)
        })
    }

    /// Returns the memory of the call sites of all stalls, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.list.iter().map(Stall::bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(sites: &[(&str, u64)]) -> StallCalls {
        let mut calls = StallCalls::default();
        for (labels, count) in sites {
            calls.add(labels.as_bytes(), *count);
        }
        calls
    }

    fn starts(stalls: &Stalls, start: f64, end: f64) -> Vec<f64> {
        stalls.within(start, end).map(|stall| stall.start).collect()
    }

    #[test]
    fn a_stall_has_the_call_sites_with_the_most_calls() {
        let mut stalls = Stalls::default();
        let id = stalls.begin(10.0, None);
        let names: Vec<String> = (0..30).map(|number| format!("{number:02}")).collect();
        let mut sum = StallCalls::default();
        for (count, name) in (1..).zip(&names) {
            sum.add(name.as_bytes(), count);
        }
        sum.add(b"00", 100);
        stalls.set(id, 3.0, false, &sum);
        let stall = stalls.within(0.0, 100.0).next().expect("a stall");
        assert_eq!(stall.calls, 30 * 31 / 2 + 100);
        assert_eq!(stall.sites.len(), MAX_STALL_SITES);
        assert_eq!(stall.sites[0], (b"00".as_slice().into(), 101));
        assert_eq!(stall.sites[1], (b"29".as_slice().into(), 30));
    }

    #[test]
    fn a_window_has_the_stalls_that_overlap_it() {
        let mut stalls = Stalls::default();
        for start in [10.0, 20.0, 30.0] {
            let id = stalls.begin(start, None);
            stalls.set(id, 2.0, false, &calls(&[]));
        }
        assert_eq!(starts(&stalls, 12.0, 19.0), [10.0]);
        assert_eq!(starts(&stalls, 12.5, 20.0), [20.0]);
        assert_eq!(starts(&stalls, 33.0, 40.0), [0.0; 0]);
        let id = stalls.begin(40.0, None);
        assert_eq!(starts(&stalls, 33.0, 35.0), [40.0], "the stall goes on");
        stalls.set(id, 1.0, false, &calls(&[]));
        assert_eq!(starts(&stalls, 33.0, 35.0), [0.0; 0]);
    }

    #[test]
    fn the_oldest_stall_is_dropped_and_its_end_changes_no_other() {
        let mut stalls = Stalls::default();
        let first = stalls.begin(0.0, None);
        for start in 1..=MAX_STALLS {
            stalls.begin(f64::from(u32::try_from(start).expect("small")), None);
        }
        stalls.set(first, 9.0, false, &calls(&[("a", 1)]));
        assert_eq!(stalls.list.len(), MAX_STALLS);
        assert!(stalls.list.iter().all(|stall| stall.calls == 0 && stall.start >= 1.0));
    }

    #[test]
    fn an_idle_worker_of_a_pool_leaves_no_stall() {
        let mut stalls = Stalls::default();
        for (worker, count, stored) in [(Some("1"), 0, 0), (Some("1"), 1, 1), (None, 0, 2)] {
            let id = stalls.begin(0.0, worker.map(str::to_owned));
            stalls.set(id, 1.0, true, &StallCalls::default());
            let shown = stalls.within(0.0, 9.0).filter(|stall| stall.id == id).count();
            assert_eq!(shown, usize::from(worker.is_none()));
            stalls.set(id, 2.0, false, &calls(if count > 0 { &[("a", 1)] } else { &[] }));
            assert_eq!(stalls.list.len(), stored);
        }
    }

    #[test]
    fn the_memory_of_all_stalls_is_bounded() {
        let mut stalls = Stalls::default();
        let long: Vec<String> =
            (0..20).map(|number| format!("{number}{}", "x".repeat(4000))).collect();
        for start in 0..10 {
            let id = stalls.begin(f64::from(start), None);
            let mut sum = StallCalls::default();
            for labels in &long {
                sum.add(labels.as_bytes(), 1);
            }
            stalls.set(id, 1.0, false, &sum);
        }
        assert!(stalls.bytes() <= MAX_STALL_BYTES);
        assert_eq!(stalls.list[0].sites, []);
        assert_eq!(stalls.list[9].sites.len(), 20);
        assert!(stalls.list.iter().all(|stall| stall.calls == 20));
    }
}
