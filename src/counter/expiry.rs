//! Which series have been idle for long enough to leave the page, and when that is safe.
//!
//! A thread's cache may hold the slot of an idle series, so a slot is given up in two steps. It is
//! *marked*; each thread then drops its cache at its next sweep; and once all have, whatever was not
//! looked up or counted meanwhile is gone. Nothing of this is seen by the trace path.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::cells::ShardId;

/// The idleness of every slot.
#[derive(Debug)]
pub struct Expiry {
    idle_timeout: Duration,
    watches: Vec<Watch>,
    /// Slots on their way out, with the value they had when they were marked.
    marked: HashMap<u32, f64>,
    /// Threads whose caches may still hold marked slots.
    waiting: Vec<ShardId>,
}

#[derive(Clone, Copy, Debug)]
struct Watch {
    value: f64,
    changed: Instant,
    /// The value that a page showed last.
    shown: Option<f64>,
}

/// What a sweep asks for.
#[derive(Debug, Default, PartialEq)]
pub struct Sweep {
    /// The thread that sweeps has to drop its cache before it counts again.
    pub forget: bool,
    /// Slots that no thread can count in any more.
    pub expired: Vec<u32>,
}

impl Expiry {
    /// Series expire that are not counted for `idle_timeout`.
    #[must_use]
    pub fn new(idle_timeout: Duration) -> Self {
        Self { idle_timeout, watches: Vec::new(), marked: HashMap::new(), waiting: Vec::new() }
    }

    /// A page has shown a slot with this value.
    pub fn shown(&mut self, slot: u32, value: f64) {
        if let Some(watch) = self.watches.get_mut(slot as usize) {
            watch.shown = Some(value);
        }
    }

    /// A slot has been looked up, to be counted in.
    pub fn used(&mut self, slot: u32, now: Instant) {
        self.marked.remove(&slot);
        let at = slot as usize;
        if self.watches.len() <= at {
            self.watches.resize(at + 1, Watch { value: 0.0, changed: now, shown: None });
        }
        self.watches[at].changed = now;
    }

    /// A slot begins anew, with another series.
    pub fn started(&mut self, slot: u32, now: Instant) {
        self.used(slot, now);
        self.watches[slot as usize] = Watch { value: 0.0, changed: now, shown: None };
    }

    /// One step, taken now and then by each thread that counts: `shard` is its own, `open` are all
    /// whose caches may hold slots.
    /// `value` gives a live slot's value, and nothing for a slot that cannot expire. While pages are
    /// being written (`reading`) no slot is given up, so that no page shows a series twice.
    pub fn sweep(
        &mut self,
        shard: ShardId,
        open: &[ShardId],
        reading: bool,
        now: Instant,
        value: impl Fn(u32) -> Option<f64>,
    ) -> Sweep {
        let mut sweep = Sweep::default();
        if self.marked.is_empty() {
            self.mark_idle(now, &value);
            if self.marked.is_empty() {
                return sweep;
            }
            self.waiting = open.iter().copied().filter(|other| *other != shard).collect();
            sweep.forget = true;
        } else {
            sweep.forget = self.waiting.contains(&shard);
            self.waiting.retain(|other| *other != shard && open.contains(other));
        }
        if self.waiting.is_empty() && !reading {
            let unchanged = |(slot, was): (u32, f64)| (value(slot) == Some(was)).then_some(slot);
            sweep.expired = self.marked.drain().filter_map(unchanged).collect();
        }
        sweep
    }

    fn mark_idle(&mut self, now: Instant, value: impl Fn(u32) -> Option<f64>) {
        for (slot, watch) in (0..).zip(&mut self.watches) {
            let Some(value) = value(slot) else { continue };
            if value != watch.value {
                watch.value = value;
                watch.changed = now;
            }
            let was_seen = value == 0.0 || watch.shown == Some(value);
            if was_seen && now.saturating_duration_since(watch.changed) >= self.idle_timeout {
                self.marked.insert(slot, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter::cells::Shards;

    const IDLE: Duration = Duration::from_secs(60);

    struct Fixture {
        expiry: Expiry,
        shards: Shards,
        values: Vec<f64>,
        start: Instant,
    }

    impl Fixture {
        fn new(values: &[f64]) -> Self {
            let start = Instant::now();
            let mut expiry = Expiry::new(IDLE);
            for slot in 0..values.len() {
                expiry.started(u32::try_from(slot).expect("few"), start);
            }
            Self { expiry, shards: Shards::default(), values: values.to_vec(), start }
        }

        fn sweep(&mut self, shard: ShardId, after: u64) -> Sweep {
            self.sweep_while(shard, after, false)
        }

        fn sweep_while(&mut self, shard: ShardId, after: u64, reading: bool) -> Sweep {
            let now = self.start + Duration::from_secs(after);
            let values = &self.values;
            let value = |slot: u32| values.get(slot as usize).copied();
            self.expiry.sweep(shard, &self.shards.remembering(), reading, now, value)
        }
    }

    fn gone(slots: &[u32]) -> Sweep {
        Sweep { forget: true, expired: slots.to_vec() }
    }

    #[test]
    fn a_series_expires_when_it_was_shown_and_idle_for_long_enough() {
        let mut f = Fixture::new(&[5.0, 6.0]);
        let shard = f.shards.open();
        assert_eq!(f.sweep(shard, 0), Sweep::default());
        f.expiry.shown(0, 5.0);
        assert_eq!(f.sweep(shard, 59), Sweep::default());
        assert_eq!(f.sweep(shard, 60), gone(&[0]), "the other has never been shown");
    }

    #[test]
    fn a_change_after_the_last_page_keeps_a_series() {
        let mut f = Fixture::new(&[5.0]);
        let shard = f.shards.open();
        f.sweep(shard, 0);
        f.expiry.shown(0, 5.0);
        f.values[0] = 6.0;
        assert_eq!(f.sweep(shard, 100), Sweep::default());
        assert_eq!(f.sweep(shard, 200), Sweep::default(), "idle, but its end was not seen");
        f.expiry.shown(0, 6.0);
        assert_eq!(f.sweep(shard, 201), gone(&[0]));
    }

    #[test]
    fn every_thread_drops_its_cache_before_a_slot_is_given_up() {
        let mut f = Fixture::new(&[5.0]);
        let (a, b) = (f.shards.open(), f.shards.open());
        f.sweep(a, 0);
        f.expiry.shown(0, 5.0);
        assert_eq!(f.sweep(a, 61), Sweep { forget: true, expired: vec![] });
        assert_eq!(f.sweep(a, 62), Sweep::default(), "the other has not");
        assert_eq!(f.sweep(b, 63), gone(&[0]));
    }

    #[test]
    fn a_thread_that_ended_is_not_waited_for() {
        let mut f = Fixture::new(&[5.0]);
        let (a, b) = (f.shards.open(), f.shards.open());
        f.sweep(a, 0);
        f.expiry.shown(0, 5.0);
        f.sweep(a, 61);
        f.shards.close(b);
        assert_eq!(f.sweep(a, 62), Sweep { forget: false, expired: vec![0] });
    }

    #[test]
    fn a_thread_that_remembers_nothing_is_not_waited_for() {
        let mut f = Fixture::new(&[5.0]);
        let (a, b) = (f.shards.open(), f.shards.open());
        f.sweep(a, 0);
        f.expiry.shown(0, 5.0);
        f.sweep(a, 61);
        f.shards.remembers_no_more(b);
        assert_eq!(f.sweep(a, 62), Sweep { forget: false, expired: vec![0] });
    }

    #[test]
    fn a_marked_series_that_is_looked_up_or_counted_stays() {
        let mut f = Fixture::new(&[5.0, 6.0, 7.0]);
        let (a, b) = (f.shards.open(), f.shards.open());
        f.sweep(a, 0);
        for (slot, value) in [(0, 5.0), (1, 6.0), (2, 7.0)] {
            f.expiry.shown(slot, value);
        }
        f.sweep(a, 61);
        f.expiry.used(0, f.start);
        f.values[1] += 1.0;
        assert_eq!(f.sweep(b, 62), gone(&[2]));
    }

    #[test]
    fn nothing_is_given_up_while_a_page_is_written() {
        let mut f = Fixture::new(&[5.0]);
        let shard = f.shards.open();
        f.sweep(shard, 0);
        f.expiry.shown(0, 5.0);
        assert_eq!(f.sweep_while(shard, 61, true), Sweep { forget: true, expired: vec![] });
        assert_eq!(f.sweep(shard, 62), Sweep { forget: false, expired: vec![0] });
    }
}
