//! Reads the calls of each call site since the previous reading, some ranges at a time.
//!
//! # Invariants
//!
//! - Over all readings, the sum of the calls is the number of calls, also across expiries, resets and
//!   threads that end. When a value is set back to 0, its calls are stored for the next reading
//!   ([`CallReadings::set_back`]).
//! - A range whose version has not changed is not read value by value.
//! - The last value is stored for at most [`MAX_READ_SLOTS`] slots. Calls in other slots have no call site.

use std::collections::HashMap;

use hashbrown::DefaultHashBuilder;

use super::{
    TraceCounter,
    cells::{RANGE, RangeVersion, ShardId, Shards},
    series::{SeriesTable, SiteRef},
    state::State,
};

/// The maximum number of slots whose last values are stored, in 4 bytes each.
pub const MAX_READ_SLOTS: u32 = 1 << 20;

/// The number of ranges that one step reads under one lock: 4,096 slots. This takes about 50 µs if the
/// values of all slots have changed.
const STEP_RANGES: u32 = 16;

/// One step reads the calls of at most this many call sites whose values were set back.
const STEP_SITES: usize = 1024;

/// The calls of one call site, as one step of a reading has found them. A call site can be found
/// several times.
pub struct CalledSite<'a> {
    series: &'a mut SeriesTable,
    /// The call site. After this visit, the reference may stand for another call site, unless it is held.
    pub site: SiteRef,
    /// The number of calls.
    pub calls: u64,
}

impl CalledSite<'_> {
    /// Returns the labels of the call site in the text format, each preceded by a comma.
    #[must_use]
    pub fn labels(&self) -> &[u8] {
        self.series.site_labels(self.site)
    }

    /// Keeps the reference to the call site valid until [`TraceCounter::release_sites`].
    pub fn hold(&mut self) {
        self.series.hold_site(self.site);
    }
}

/// The result of one step of a reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallsStep {
    /// The range to continue from; `None` at the end.
    pub next: Option<u32>,
    /// The number of calls that have no call site.
    pub without_site: u64,
}

/// The values that the last reading has found.
#[derive(Debug, Default)]
pub struct CallReadings {
    /// The lower 32 bits of the last value of each slot. A series has fewer than 2³² calls between two
    /// readings.
    values: Vec<u32>,
    /// The last version of each range.
    versions: Vec<RangeVersion>,
    /// The lower 32 bits of the last sum of the values, for each range beyond [`MAX_READ_SLOTS`].
    beyond: Vec<u32>,
    /// The calls of values that were set back since the last reading. Each call site is held.
    set_back: HashMap<SiteRef, u64, DefaultHashBuilder>,
}

impl CallReadings {
    /// Records that the value of a slot is about to be set back to 0.
    pub fn set_back(&mut self, slot: u32, value: f64, series: &mut SeriesTable) {
        if slot >= MAX_READ_SLOTS {
            let range = ((slot - MAX_READ_SLOTS) / RANGE) as usize;
            if let Some(sum) = self.beyond.get_mut(range) {
                *sum = sum.wrapping_sub(lower_bits(value));
            }
            return;
        }
        let read = self.values.get_mut(slot as usize).map(std::mem::take);
        let calls = difference(value, read.unwrap_or_default());
        if calls == 0 {
            return;
        }
        let site = series.site(slot);
        *self.set_back.entry(site).or_insert_with(|| {
            series.hold_site(site);
            0
        }) += calls;
    }
}

/// Returns the growth of a value since its lower 32 bits were `before`.
fn difference(value: f64, before: u32) -> u64 {
    u64::from(lower_bits(value).wrapping_sub(before))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "values are whole numbers, and the upper bits do not matter"
)]
fn lower_bits(value: f64) -> u32 {
    value as u64 as u32
}

impl TraceCounter {
    /// Enables [`TraceCounter::read_calls`]. The first reading has all calls so far.
    pub fn enable_call_readings(&self) {
        self.state().call_readings.get_or_insert_default();
    }

    /// Visits the call sites that were called since the previous reading, in some ranges from range `from`
    /// on. A reading begins at range 0.
    ///
    /// Holds the lock meanwhile, so `visit` must only copy and return.
    pub fn read_calls(&self, from: u32, visit: &mut impl FnMut(CalledSite<'_>)) -> CallsStep {
        let mut guard = self.state();
        let State { series, shards, call_readings, .. } = &mut *guard;
        let Some(readings) = call_readings else { return CallsStep::default() };
        if from == 0 && !readings.set_back.is_empty() {
            let sites: Vec<_> = readings.set_back.keys().copied().take(STEP_SITES).collect();
            for site in sites {
                let calls = readings.set_back.remove(&site).unwrap_or_default();
                visit(CalledSite { series, site, calls });
                series.release_site(site);
            }
            return CallsStep { next: Some(0), without_site: 0 };
        }
        let ranges = series.slots().div_ceil(RANGE);
        let end = ranges.min(from.saturating_add(STEP_RANGES));
        let mut step = CallsStep { next: (end < ranges).then_some(end), ..CallsStep::default() };
        for range in from..end {
            if range < MAX_READ_SLOTS / RANGE {
                readings.read_range(range, shards, series, visit);
            } else {
                step.without_site += readings.read_beyond(range, shards);
            }
        }
        step
    }

    /// Returns the memory that [`TraceCounter::read_calls`] needs, in bytes.
    #[must_use]
    pub fn call_readings_bytes(&self) -> usize {
        self.state().call_readings.as_ref().map_or(0, CallReadings::bytes)
    }

    /// Ends [`CalledSite::hold`] of these call sites.
    pub fn release_sites(&self, sites: &[SiteRef]) {
        let mut state = self.state();
        for &site in sites {
            state.series.release_site(site);
        }
    }
}

impl CallReadings {
    fn read_range(
        &mut self,
        range: u32,
        shards: &Shards,
        series: &mut SeriesTable,
        visit: &mut impl FnMut(CalledSite<'_>),
    ) {
        let values = shards.range(range);
        let mut version = shards.empty_version(range);
        version.add(&values);
        let index = range as usize;
        if self.versions.len() <= index {
            self.versions.resize(index + 1, RangeVersion::NONE);
        }
        if self.versions[index] == version {
            return;
        }
        self.versions[index] = version;
        let slots = range * RANGE..series.slots().min((range + 1) * RANGE);
        if self.values.len() < slots.end as usize {
            // Grows by a whole range, so that not every new series causes an allocation.
            self.values.resize((range as usize + 1) * RANGE as usize, 0);
        }
        let before = &mut self.values[slots.start as usize..slots.end as usize];
        for ((slot, before), &value) in slots.zip(before).zip(&values) {
            let calls = difference(value, *before);
            if calls > 0 {
                *before = lower_bits(value);
                let site = series.site(slot);
                visit(CalledSite { series, site, calls });
            }
        }
    }

    fn read_beyond(&mut self, range: u32, shards: &Shards) -> u64 {
        let index = (range - MAX_READ_SLOTS / RANGE) as usize;
        if self.beyond.len() <= index {
            self.beyond.resize(index + 1, 0);
        }
        let sum = shards.range(range).iter().sum();
        let calls = difference(sum, self.beyond[index]);
        self.beyond[index] = lower_bits(sum);
        calls
    }

    /// Returns the memory of the readings, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        4 * (self.values.capacity() + self.beyond.capacity())
            + size_of::<RangeVersion>() * self.versions.capacity()
    }
}

/// The readings of the calls of one thread, for a stall of that thread.
#[derive(Debug)]
pub struct ThreadCalls {
    shard: ShardId,
    /// The lower 32 bits of the thread's last count in each slot.
    values: Vec<u32>,
}

/// The maximum number of slots that a [`ThreadCalls`] reads. Calls in other slots are not read.
pub const MAX_THREAD_SLOTS: u32 = 1 << 19;

impl ThreadCalls {
    /// Returns its memory, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        4 * self.values.capacity()
    }
}

impl TraceCounter {
    /// Starts readings of the calls of one thread. They do not include calls before this start.
    #[must_use]
    pub fn start_thread_calls(&self, shard: ShardId) -> ThreadCalls {
        let mut calls = ThreadCalls { shard, values: Vec::new() };
        let mut from = Some(0);
        while let Some(range) = from {
            from = self.read_thread_calls(&mut calls, range, &mut |_| {});
        }
        calls
    }

    /// Does the same as [`TraceCounter::read_calls`], for one thread. Returns the range to continue from; `None`
    /// at the end.
    pub fn read_thread_calls(
        &self,
        calls: &mut ThreadCalls,
        from: u32,
        visit: &mut impl FnMut(CalledSite<'_>),
    ) -> Option<u32> {
        let mut guard = self.state();
        let State { series, shards, .. } = &mut *guard;
        let slots = series.slots().min(MAX_THREAD_SLOTS);
        let ranges = slots.div_ceil(RANGE);
        let end = ranges.min(from.saturating_add(STEP_RANGES));
        if calls.values.len() < slots as usize {
            calls.values.resize(slots as usize, 0);
        }
        for range in from..end {
            let values = shards.thread_range(calls.shard, range)?;
            let slots = range * RANGE..slots.min((range + 1) * RANGE);
            let before = &mut calls.values[slots.start as usize..slots.end as usize];
            for ((slot, before), &value) in slots.zip(before).zip(&values) {
                let calls = difference(value, *before);
                if calls > 0 {
                    *before = lower_bits(value);
                    let site = series.site(slot);
                    visit(CalledSite { series, site, calls });
                }
            }
        }
        (end < ranges).then_some(end)
    }
}
