//! The counter `trace_counter`: label sets are interned here; calls are counted in cell blocks, in memory
//! of JavaScript. The cell blocks of one JavaScript thread are a *shard*.
//!
//! # Design
//!
//! `prometheus::CounterVec` is not used: it finds children by a hash of their label values without
//! separators, so that ("Foo", "12") and ("Foo1", "2") become one series, and it prints an absent
//! label as `x=""`. [`TraceCounter`] implements [`prometheus::core::Collector`] instead.
//!
//! # Invariants
//!
//! - Two different label sets are never one series below the bound; one label set is never two series.
//! - A series keeps its slot until it expires.
//! - The sum over all series is the number of calls, at the bound too. This sum does not contain calls that
//!   were counted before a reset or by series that have expired.
//! - A scraper never sees a series fall, except for an expiry or a reset ([`scrapers`], [`view`]).
//! - The lock is held for the interning of one label set, or for one chunk of a page. Only rare operations
//!   hold it for all series: a sweep, a reset, and a new common label.

mod bound;
mod calls;
mod cells;
mod collect;
mod definitions;
mod expiry;
mod fragments;
mod label_set;
mod protobuf;
mod reader;
mod reading;
mod scrapers;
mod series;
mod start;
mod state;
mod view;

use std::time::{Duration, Instant};

use prometheus::core::Desc;

pub use self::{
    calls::{CalledSite, CallsStep, ThreadCalls},
    cells::{CELLS, CellBlock, RANGE, RangeVersion, ShardId},
    definitions::DefinedLabelSet,
    label_set::part_of,
    protobuf::EncodedLabels,
    reader::{PageReader, RangeMeasure, RangeSeries, RangeVisit, Series, SlotPin},
    reading::{ReadSeries, Reading},
    scrapers::{PageRecord, ScraperId},
    series::{PARTS, SITE, SiteRef, Stored},
    start::Start,
    state::Interned,
};
use self::{
    cells::Shards,
    expiry::{Expiry, Slots},
    label_set::Written,
    scrapers::Scrapers,
    series::SeriesTable,
    state::State,
};
use crate::{
    labels::{self, RESERVED, Schema},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The options of a counter.
#[derive(Clone, Debug)]
pub struct CounterOptions {
    /// The metric's name.
    pub name: String,
    /// The metric's help text.
    pub help: String,
    /// The labels that a series can have.
    pub schema: Schema,
    /// Names and values of the labels that every series has in addition.
    pub default_labels: Vec<(String, String)>,
    /// The maximum number of series at a time, at least 1.
    pub max_series: u32,
    /// `true` if each new series is shown at 0 once, to each scraper.
    pub start_at_zero: bool,
    /// The time after which an idle series expires; `None` if series do not expire.
    pub idle_timeout: Option<Duration>,
}

/// The figures of a counter that the `hypertrace_*` families show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CounterStats {
    /// The number of series.
    pub series: u32,
    /// The maximum number of series.
    pub limit: u32,
    /// The number of times that a label set was shortened to its call site near the bound, when it was
    /// interned.
    pub collapsed: u64,
    /// The number of times that a label set was replaced by the overflow series, when it was interned.
    pub overflowed: u64,
    /// The number of series that have expired.
    pub expired: u64,
}

/// The counter of traces.
#[derive(Debug)]
pub struct TraceCounter {
    options: CounterOptions,
    desc: Desc,
    state: Mutex<State>,
}

impl TraceCounter {
    /// Creates a counter without series.
    ///
    /// # Errors
    ///
    /// If the name is not a metric name, or if a label name of the options is invalid or occurs twice.
    pub fn new(options: CounterOptions) -> prometheus::Result<Self> {
        let constants =
            options.default_labels.iter().map(|(name, value)| (name.clone(), value.clone()));
        let desc = Desc::new(
            options.name.clone(),
            options.help.clone(),
            options.schema.names().to_vec(),
            constants.collect(),
        )?;
        let state = Mutex::new(State {
            series: SeriesTable::new(constant_labels(&options.default_labels, None)),
            expiry: options.idle_timeout.map(Expiry::new),
            ..State::default()
        });
        Ok(Self { options, desc, state })
    }

    /// Returns the metric's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// Returns the metric's help text.
    #[must_use]
    pub fn help(&self) -> &str {
        &self.options.help
    }

    /// Returns the labels that a series can have.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.options.schema
    }

    /// Returns the labels that every series has in addition.
    #[must_use]
    pub fn default_labels(&self) -> &[(String, String)] {
        &self.options.default_labels
    }

    /// Adds a label to all series. It replaces the label that an earlier call added. The caller ensures that
    /// no page is being rendered.
    pub fn set_common_label(&self, name: &str, value: &str) {
        let constant = constant_labels(&self.options.default_labels, Some((name, value)));
        self.state().series.set_constant(constant);
    }

    /// Returns whether idle series expire.
    #[must_use]
    pub fn expires(&self) -> bool {
        self.options.idle_timeout.is_some()
    }

    /// Returns the slot of a label set. The values are in the order of [`Schema::names`]; a missing or
    /// empty value adds no label. Below the bound, a label set has the same slot until its series expires.
    ///
    /// Runs on the JavaScript thread, for a label set that the cache of this thread does not contain. Holds
    /// the lock for well under a microsecond, and may wait for it while a chunk of a page is rendered.
    pub fn intern<'v>(&self, values: impl IntoIterator<Item = &'v str>) -> Interned {
        let written = Written::new(&self.options.schema, 0, values);
        let mut state = self.state();
        let key = state.series.hold(&written.parts());
        let interned = state.intern(key, self.options.max_series);
        state.series.release(key);
        interned
    }

    /// Defines a call site by number, for the thread of one shard. The values are in the order of
    /// [`Schema::names`], and end before the object's id. The definition is valid until
    /// [`TraceCounter::clear_definitions`].
    pub fn define_site<'v>(
        &self,
        shard: ShardId,
        number: u32,
        values: impl IntoIterator<Item = &'v str>,
    ) {
        self.define(shard, number, 0, values);
    }

    /// Defines a property set by number, for the thread of one shard. The values are in the order of
    /// [`Schema::names`], and begin after the parent's id. The definition is valid until
    /// [`TraceCounter::clear_definitions`].
    pub fn define_props<'v>(
        &self,
        shard: ShardId,
        number: u32,
        values: impl IntoIterator<Item = &'v str>,
    ) {
        self.define(shard, number, RESERVED.len(), values);
    }

    fn define<'v>(
        &self,
        shard: ShardId,
        number: u32,
        first: usize,
        values: impl IntoIterator<Item = &'v str>,
    ) {
        let written = Written::new(&self.options.schema, first, values);
        let mut guard = self.state();
        let State { definitions, series, shards, .. } = &mut *guard;
        if !shards.is_open(shard) {
            return;
        }
        let key = series.hold(&written.parts());
        if let Some(replaced) = definitions.add(shard, number, key) {
            series.release(replaced);
        }
    }

    /// Returns the slot of a label set that is given by definitions of the shard's thread, as
    /// [`TraceCounter::intern`] does; `None` if a definition is missing.
    pub fn intern_defined(&self, shard: ShardId, label_set: &DefinedLabelSet) -> Option<Interned> {
        let mut state = self.state();
        let key = state.definitions.find(shard, label_set)?;
        Some(state.intern(key, self.options.max_series))
    }

    /// Drops all definitions of a shard's thread. The thread calls this when it drops its cache.
    pub fn clear_definitions(&self, shard: ShardId) {
        let mut guard = self.state();
        let State { definitions, series, .. } = &mut *guard;
        definitions.clear(shard).for_each(|key| series.release(key));
    }

    /// Opens a shard for one more JavaScript thread.
    pub fn open_shard(&self) -> ShardId {
        self.state().shards.open()
    }

    /// Adds a cell block to a shard, for the slots from `index * CELLS` on. Returns `false` if the shard is
    /// closed.
    pub fn lend_cells(&self, shard: ShardId, index: usize, block: CellBlock) -> bool {
        self.state().shards.lend(shard, index, block)
    }

    /// Closes a shard and keeps its counts. Its cell blocks are not read again.
    pub fn close_shard(&self, shard: ShardId) {
        self.clear_definitions(shard);
        self.state().shards.close(shard);
    }

    /// Records that a shard's thread has no cache any more, so that series expire without a sweep of this
    /// thread. The thread may still count in a slot that it has just looked up.
    pub fn end_cache(&self, shard: ShardId) {
        self.state().shards.end_cache(shard);
    }

    /// Sets every series to 0. Each scraper is shown such a series at 0 once; other readers see it when it
    /// is counted again.
    pub fn reset(&self) {
        self.state().reset();
    }

    /// Does one step of the expiry of idle series, if series expire. Each thread that counts calls this
    /// regularly, with its own shard. Returns whether the calling thread must drop its cache before it
    /// counts again.
    pub fn sweep(&self, shard: ShardId, now: Instant) -> bool {
        let mut guard = self.state();
        let state = &mut *guard;
        let Some(expiry) = &mut state.expiry else { return false };
        let slots = SweptSlots {
            series: &state.series,
            shards: &state.shards,
            scrapers: &state.scrapers,
            last_reset: state.last_reset,
            pages: state.pages,
            overflow: state.overflow,
            now,
        };
        let with_cache = state.shards.with_cache();
        let sweep = expiry.sweep(shard, &with_cache, state.slot_pins > 0, now, &slots);
        state.expire(&sweep.expired);
        sweep.drop_cache
    }

    /// Records that a page was completed: the socket has accepted its last byte, or the application has
    /// received the page.
    pub fn complete(&self, page: &PageRecord, now: Instant) {
        self.state().scrapers.complete(page, now);
    }

    /// Returns the figures of the counter.
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

    /// Locks the state. A lock that is poisoned is used as any other: each step of a change leaves the
    /// tables consistent, so a thread that panicked while it held the lock has broken nothing.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns labels, and a last one, in the text format.
fn constant_labels(labels: &[(String, String)], last: Option<(&str, &str)>) -> Vec<u8> {
    let mut text = Vec::new();
    let labels = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in labels.chain(last) {
        labels::write_label(&mut text, name, value);
    }
    text
}

/// The tables of a counter that a sweep reads.
struct SweptSlots<'a> {
    series: &'a SeriesTable,
    shards: &'a Shards,
    scrapers: &'a Scrapers,
    last_reset: Start,
    pages: u64,
    overflow: Option<u32>,
    now: Instant,
}

impl Slots for SweptSlots<'_> {
    fn get(&self, slot: u32) -> Option<(Start, f64)> {
        let start = self.series.start(slot).filter(|_| Some(slot) != self.overflow)?;
        Some((start.max(self.last_reset), self.shards.value(slot as usize)))
    }

    fn pages(&self) -> u64 {
        self.pages
    }

    fn was_shown(&self, start: Start, pages: u64) -> bool {
        self.scrapers.have_seen(start, pages, self.now)
    }
}

#[cfg(test)]
pub(crate) mod tests;
