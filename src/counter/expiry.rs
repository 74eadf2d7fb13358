//! The expiry of idle series, and the moment at which a slot can be freed.
//!
//! A thread's cache may contain the slot of an idle series, so a slot is freed in two steps. It is
//! *marked*; each thread then drops its cache at its next sweep; after that, marked slots that were
//! neither looked up nor counted meanwhile are freed. The trace path is not involved.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{cells::ShardId, start::Start};

/// The idle times of all slots.
#[derive(Debug)]
pub struct Expiry {
    idle_timeout: Duration,
    /// The last use of each slot.
    last_uses: Vec<LastUse>,
    /// The marked slots, with their values at the time when they were marked.
    marked: HashMap<u32, f64>,
    /// Threads whose caches may still contain marked slots.
    waiting: Vec<ShardId>,
}

/// The last use of a slot, as the sweeps have observed it.
#[derive(Clone, Copy, Debug)]
struct LastUse {
    value: f64,
    /// The time of the first sweep that read this value, or of a later look-up of the slot.
    used: Instant,
    /// The number of pages that had been started at the first sweep that read this value.
    pages: u64,
}

/// The result of a sweep.
#[derive(Debug, Default, PartialEq)]
pub struct Sweep {
    /// `true` if the thread that sweeps must drop its cache before it counts again.
    pub drop_cache: bool,
    /// The slots to free. No thread can count in them any more.
    pub expired: Vec<u32>,
}

/// The data of a counter that a sweep reads.
pub trait Slots {
    /// Returns the start and the value of a series that can expire; `None` for a free slot and for the
    /// overflow series.
    fn get(&self, slot: u32) -> Option<(Start, f64)>;

    /// Returns the number of pages that have been started.
    fn pages(&self) -> u64;

    /// Returns whether the last value of a series has been shown. `pages` is the number of pages that had
    /// been started when a sweep first read this value.
    fn was_shown(&self, start: Start, pages: u64) -> bool;
}

impl Expiry {
    /// Creates an expiry of series that are not counted for `idle_timeout`.
    #[must_use]
    pub fn new(idle_timeout: Duration) -> Self {
        Self { idle_timeout, last_uses: Vec::new(), marked: HashMap::new(), waiting: Vec::new() }
    }

    /// Records that a thread has looked up a slot, so that it can count in this slot.
    pub fn used(&mut self, slot: u32, now: Instant) {
        self.marked.remove(&slot);
        self.last_use(slot, now).used = now;
    }

    /// Records that a series has started in a slot.
    pub fn started(&mut self, slot: u32, now: Instant) {
        self.marked.remove(&slot);
        *self.last_use(slot, now) = LastUse { value: 0.0, used: now, pages: 0 };
    }

    fn last_use(&mut self, slot: u32, now: Instant) -> &mut LastUse {
        let slot = slot as usize;
        if self.last_uses.len() <= slot {
            self.last_uses.resize(slot + 1, LastUse { value: 0.0, used: now, pages: 0 });
        }
        &mut self.last_uses[slot]
    }

    /// Does one step of the expiry. Each thread that counts calls this regularly. `shard` is that of the
    /// calling thread; `with_cache` are the shards of all threads whose caches may contain slots. No slot
    /// is freed while slots are `pinned`, so that no page contains a series twice.
    pub fn sweep(
        &mut self,
        shard: ShardId,
        with_cache: &[ShardId],
        pinned: bool,
        now: Instant,
        slots: &impl Slots,
    ) -> Sweep {
        let mut sweep = Sweep::default();
        if self.marked.is_empty() {
            self.mark_idle(now, slots);
            if self.marked.is_empty() {
                return sweep;
            }
            self.waiting = with_cache.iter().copied().filter(|other| *other != shard).collect();
            sweep.drop_cache = true;
        } else {
            sweep.drop_cache = self.waiting.contains(&shard);
            self.waiting.retain(|other| *other != shard && with_cache.contains(other));
        }
        if self.waiting.is_empty() && !pinned {
            let unchanged = |(slot, value): (u32, f64)| {
                slots.get(slot).is_some_and(|(_, now)| now == value).then_some(slot)
            };
            sweep.expired = self.marked.drain().filter_map(unchanged).collect();
        }
        sweep
    }

    fn mark_idle(&mut self, now: Instant, slots: &impl Slots) {
        for (slot, last_use) in (0..).zip(&mut self.last_uses) {
            let Some((start, value)) = slots.get(slot) else { continue };
            if value != last_use.value {
                *last_use = LastUse { value, used: now, pages: slots.pages() };
            }
            if now.saturating_duration_since(last_use.used) >= self.idle_timeout
                && (value == 0.0 || slots.was_shown(start, last_use.pages))
            {
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
        slots: Values,
        begin: Instant,
    }

    /// Values by slot, and the number of pages.
    struct Values {
        values: Vec<Option<f64>>,
        pages: u64,
    }

    impl Slots for Values {
        fn get(&self, slot: u32) -> Option<(Start, f64)> {
            let value = self.values.get(slot as usize).copied().flatten()?;
            Some((Start::from_nanoseconds(1), value))
        }

        fn pages(&self) -> u64 {
            self.pages
        }

        fn was_shown(&self, _: Start, pages: u64) -> bool {
            self.pages > pages
        }
    }

    impl Fixture {
        fn new(values: &[f64]) -> Self {
            let begin = Instant::now();
            let mut expiry = Expiry::new(IDLE);
            for (slot, _) in (0..).zip(values) {
                expiry.started(slot, begin);
            }
            let values = values.iter().copied().map(Some).collect();
            let slots = Values { values, pages: 0 };
            Self { expiry, shards: Shards::default(), slots, begin }
        }

        fn show(&mut self) {
            self.slots.pages += 1;
        }

        fn sweep(&mut self, shard: ShardId, second: u64) -> Sweep {
            self.sweep_pinned(shard, second, false)
        }

        fn sweep_pinned(&mut self, shard: ShardId, second: u64, pinned: bool) -> Sweep {
            let now = self.begin + Duration::from_secs(second);
            self.expiry.sweep(shard, &self.shards.with_cache(), pinned, now, &self.slots)
        }
    }

    fn expired(slots: &[u32]) -> Sweep {
        Sweep { drop_cache: true, expired: slots.to_vec() }
    }

    #[test]
    fn a_series_expires_when_it_was_shown_and_is_idle_for_long_enough() {
        let mut f = Fixture::new(&[5.0]);
        let shard = f.shards.open();
        assert_eq!(f.sweep(shard, 1), Sweep::default());
        assert_eq!(f.sweep(shard, 60), Sweep::default(), "59 s since the value was first seen");
        assert_eq!(f.sweep(shard, 61), Sweep::default(), "not shown");
        f.show();
        assert_eq!(f.sweep(shard, 62), expired(&[0]));
    }

    #[test]
    fn a_change_after_the_last_page_keeps_a_series() {
        let mut f = Fixture::new(&[5.0]);
        let shard = f.shards.open();
        f.sweep(shard, 0);
        f.show();
        f.slots.values[0] = Some(6.0);
        assert_eq!(f.sweep(shard, 100), Sweep::default());
        assert_eq!(f.sweep(shard, 200), Sweep::default(), "idle, but the last value is not shown");
        f.show();
        assert_eq!(f.sweep(shard, 201), expired(&[0]));
    }

    #[test]
    fn every_thread_drops_its_cache_before_a_slot_is_freed() {
        let mut f = Fixture::new(&[5.0]);
        let (a, b) = (f.shards.open(), f.shards.open());
        f.sweep(a, 0);
        f.show();
        assert_eq!(f.sweep(a, 61), Sweep { drop_cache: true, expired: vec![] });
        assert_eq!(f.sweep(a, 62), Sweep::default(), "the other thread has not dropped its cache");
        assert_eq!(f.sweep(b, 63), expired(&[0]));
    }

    #[test]
    fn a_thread_that_has_ended_or_has_no_cache_is_not_waited_for() {
        let ends: [fn(&mut Shards, ShardId); 2] = [Shards::close, Shards::end_cache];
        for end in ends {
            let mut f = Fixture::new(&[5.0]);
            let (a, b) = (f.shards.open(), f.shards.open());
            f.sweep(a, 0);
            f.show();
            f.sweep(a, 61);
            end(&mut f.shards, b);
            assert_eq!(f.sweep(a, 62), Sweep { drop_cache: false, expired: vec![0] });
        }
    }

    #[test]
    fn a_marked_series_that_is_looked_up_or_counted_stays() {
        let mut f = Fixture::new(&[5.0, 6.0, 7.0]);
        let (a, b) = (f.shards.open(), f.shards.open());
        f.sweep(a, 0);
        f.show();
        f.sweep(a, 61);
        f.expiry.used(0, f.begin);
        f.slots.values[1] = Some(7.0);
        assert_eq!(f.sweep(b, 62), expired(&[2]));
    }

    #[test]
    fn no_slot_is_freed_while_slots_are_pinned() {
        let mut f = Fixture::new(&[5.0]);
        let shard = f.shards.open();
        f.sweep(shard, 0);
        f.show();
        assert_eq!(f.sweep_pinned(shard, 61, true), Sweep { drop_cache: true, expired: vec![] });
        assert_eq!(f.sweep(shard, 62), Sweep { drop_cache: false, expired: vec![0] });
    }

    #[test]
    fn a_free_slot_does_not_expire() {
        let mut f = Fixture::new(&[0.0]);
        let shard = f.shards.open();
        assert_eq!(f.sweep(shard, 60), expired(&[0]));
        f.slots.values[0] = None;
        assert_eq!(f.sweep(shard, 600), Sweep::default());
    }
}
