//! `trace_counter`: a counter whose label sets are interned here and counted in JavaScript's memory.
//!
//! # Design
//!
//! `prometheus::CounterVec` is not used: it looks children up by a hash of their label values taken
//! without a separator, so that ("Foo", "12") and ("Foo1", "2") become one series, and it prints a
//! label that is not there as `x=""`. This type implements [`prometheus::core::Collector`] in its place.
//!
//! # Invariants
//!
//! - Two different label sets are never one series below the bound; one label set is never two.
//! - A series keeps its slot as long as it is there.
//! - The sum over all series is the number of calls, at the bound too.
//! - The lock is held for one interning or for one chunk of a page, never across either.

mod bound;
mod cells;
mod collect;
mod expiry;
mod fragments;
mod known;
mod label_set;
mod reader;
mod series;
mod state;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use prometheus::core::Desc;

pub use self::{
    cells::{CELLS, CellBlock, RANGE, RangeVersion, ShardId},
    known::KnownLabelSet,
    label_set::part_of,
    reader::{PageReader, Series},
    series::{PARTS, SITE, Stored},
    state::Interned,
};
use self::{expiry::Expiry, label_set::Written, state::State};
use crate::labels::{self, RESERVED, Schema};

/// What a counter is made of.
#[derive(Clone, Debug)]
pub struct CounterOptions {
    /// The metric's name.
    pub name: String,
    /// The metric's help text.
    pub help: String,
    /// Its labels.
    pub schema: Schema,
    /// Labels that every series has besides: names and values.
    pub default_labels: Vec<(String, String)>,
    /// The most series there may be at a time, at least 1.
    pub max_series: u32,
    /// How long a series may be idle before it leaves the page; `None`: for ever.
    pub idle_timeout: Option<Duration>,
}

/// How a counter stands, for the `hypertrace_*` families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CounterStats {
    /// Series in use.
    pub series: u32,
    /// The most there may be.
    pub limit: u32,
    /// Label sets that were shortened to their call site at the bound.
    pub collapsed: u64,
    /// Label sets that the overflow series took.
    pub overflowed: u64,
    /// Series that left the page because they were idle.
    pub expired: u64,
}

/// The counter of traces.
#[derive(Debug)]
pub struct TraceCounter {
    options: CounterOptions,
    desc: Desc,
    constant: Vec<u8>,
    state: Mutex<State>,
}

impl TraceCounter {
    /// A counter without series.
    ///
    /// # Errors
    ///
    /// If the name is not a metric name, or a label name of the options is not one or stands twice.
    pub fn new(options: CounterOptions) -> prometheus::Result<Self> {
        let constants =
            options.default_labels.iter().map(|(name, value)| (name.clone(), value.clone()));
        let desc = Desc::new(
            options.name.clone(),
            options.help.clone(),
            options.schema.names().to_vec(),
            constants.collect(),
        )?;
        let mut constant = Vec::new();
        for (name, value) in &options.default_labels {
            labels::write_label(&mut constant, name, value);
        }
        let expiry = options.idle_timeout.map(Expiry::new);
        let state = Mutex::new(State { expiry, ..State::default() });
        Ok(Self { options, desc, constant, state })
    }

    /// The metric's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// The metric's help text.
    #[must_use]
    pub fn help(&self) -> &str {
        &self.options.help
    }

    /// The labels.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.options.schema
    }

    /// The slot of a label set, whose values come in the order of [`Schema::names`]; missing and
    /// empty ones are no labels. The same label set always gets the same slot.
    ///
    /// Runs on the JavaScript thread, once for a label set that its cache does not hold; takes the
    /// lock for well under a microsecond, and waits for at most one chunk of a page.
    pub fn intern<'v>(&self, values: impl IntoIterator<Item = &'v str>) -> Interned {
        let written = Written::new(&self.options.schema, 0, values);
        let mut state = self.state();
        let key = state.series.hold(&written.parts());
        let interned = state.intern(key, self.options.max_series);
        state.series.release(key);
        interned
    }

    /// A shard's thread calls a call site by a number from here on, until it [forgets] all of them:
    /// the first values of [`Schema::names`], up to the object's id.
    ///
    /// [forgets]: TraceCounter::forget
    pub fn know_site<'v>(
        &self,
        shard: ShardId,
        number: u32,
        values: impl IntoIterator<Item = &'v str>,
    ) {
        self.know(shard, number, 0, values);
    }

    /// As [`TraceCounter::know_site`] for a set of properties: the values after the ids.
    pub fn know_props<'v>(
        &self,
        shard: ShardId,
        number: u32,
        values: impl IntoIterator<Item = &'v str>,
    ) {
        self.know(shard, number, RESERVED.len(), values);
    }

    fn know<'v>(
        &self,
        shard: ShardId,
        number: u32,
        first: usize,
        values: impl IntoIterator<Item = &'v str>,
    ) {
        let written = Written::new(&self.options.schema, first, values);
        let mut guard = self.state();
        let State { known, series, shards, .. } = &mut *guard;
        if !shards.is_open(shard) {
            return;
        }
        let key = series.hold(&written.parts());
        if let Some(before) = known.add(shard, number, key) {
            series.release(before);
        }
    }

    /// As [`TraceCounter::intern`] for what the shard's thread has numbers for; nothing where it has
    /// not.
    pub fn intern_known(&self, shard: ShardId, known: &KnownLabelSet) -> Option<Interned> {
        let mut state = self.state();
        let key = state.known.find(shard, known)?;
        Some(state.intern(key, self.options.max_series))
    }

    /// A shard's thread has dropped its cache: its numbers mean nothing any more.
    pub fn forget(&self, shard: ShardId) {
        let mut guard = self.state();
        let State { known, series, .. } = &mut *guard;
        known.forget(shard).for_each(|key| series.release(key));
    }

    /// A shard for one more JavaScript thread.
    pub fn open_shard(&self) -> ShardId {
        self.state().shards.open()
    }

    /// Takes the `index`th page of a shard: the cells of slots `index * CELLS` and up. `false` if
    /// the shard is closed.
    pub fn lend_cells(&self, shard: ShardId, index: usize, page: CellBlock) -> bool {
        self.state().shards.lend(shard, index, page)
    }

    /// Ends a shard, keeping what it counted. After this its pages are not read again.
    pub fn close_shard(&self, shard: ShardId) {
        self.forget(shard);
        self.state().shards.close(shard);
    }

    /// A shard's thread has dropped its cache and fills it no more: it sweeps no more, and series are
    /// let go without it. It may count on, with a slot that it has just looked up.
    pub fn remembers_no_more(&self, shard: ShardId) {
        self.state().shards.remembers_no_more(shard);
    }

    /// Sets every series to 0. A series at 0 is not shown until it counts again.
    pub fn reset(&self) {
        let mut state = self.state();
        for slot in 0..state.series.slots() {
            state.shards.zero(slot as usize);
        }
    }

    /// Lets series go that have been idle for long enough, if that was asked for. Each thread that
    /// counts calls this now and then, with its shard; `true`: it has to drop its cache before it
    /// counts again.
    pub fn sweep(&self, shard: ShardId, now: Instant) -> bool {
        let mut guard = self.state();
        let state = &mut *guard;
        let Some(expiry) = &mut state.expiry else { return false };
        let (shards, overflow) = (&state.shards, state.overflow);
        let value = |slot| (Some(slot) != overflow).then(|| shards.value(slot as usize));
        let sweep = expiry.sweep(shard, &shards.remembering(), state.readings > 0, now, value);
        for &slot in &sweep.expired {
            state.shards.zero(slot as usize);
            state.series.remove(slot);
        }
        state.expired += sweep.expired.len() as u64;
        sweep.forget
    }

    /// How the counter stands.
    #[must_use]
    pub fn stats(&self) -> CounterStats {
        let state = self.state();
        CounterStats {
            series: state.series.len(),
            limit: self.options.max_series,
            collapsed: state.collapsed,
            overflowed: state.overflowed,
            expired: state.expired,
        }
    }

    /// The value of every series, by slot: what a page of somebody else's is about to show.
    #[must_use]
    pub fn values(&self) -> Vec<f64> {
        let mut state = self.state();
        let slots = 0..state.series.slots();
        slots.map(|slot| state.show(slot)).collect()
    }

    /// How often a slot has been given to another series: whoever keeps labels by slot has to read
    /// them again when this has changed.
    #[must_use]
    pub fn reused_slots(&self) -> u64 {
        self.state().series.reused()
    }

    /// The labels of the series from a slot on, as names and values in turn.
    #[must_use]
    pub fn labels_from(&self, slot: u32) -> Vec<Vec<String>> {
        let state = self.state();
        let mut text = Vec::new();
        let labels = |slot| {
            text.clear();
            state.series.write_labels(slot, &mut text);
            text.extend_from_slice(&self.constant);
            let written = String::from_utf8_lossy(&text);
            labels::read_labels(&written)
                .into_iter()
                .flat_map(|(name, value)| [name.to_owned(), value.into_owned()])
                .collect()
        };
        (slot..state.series.slots()).map(labels).collect()
    }

    /// A thread that panicked with the lock has left nothing half-done that the next could see: every
    /// change to the tables is made of pushes that stand by themselves.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod tests;
