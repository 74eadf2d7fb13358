//! `trace_counter`: a counter whose label sets are interned here and counted in JavaScript's memory.
//!
//! # Design
//!
//! `prometheus::CounterVec` is not used: it looks children up by a hash of their label values taken
//! without a separator, so that ("Foo", "12") and ("Foo1", "2") become one series, and it prints a
//! label that is not there as `x=""`. This type implements [`Collector`] in its place.
//!
//! # Invariants
//!
//! - Two different label sets are never one series below the bound; one label set is never two.
//! - A series keeps its slot.
//! - The sum over all series is the number of calls, at the bound too.
//! - The lock is held for one interning or for one chunk of a page, never across either.

mod bound;
mod fragments;
mod pages;
mod series;

use std::{
    ops::ControlFlow,
    sync::{Mutex, MutexGuard, PoisonError},
};

use prometheus::{
    core::{Collector, Desc},
    proto,
};

use self::{
    bound::{Detail, detail_for},
    pages::Shards,
    series::{NUMBERS_END, Part, Parts, SeriesTable},
};
pub use self::{
    pages::{CELLS, LentPage, ShardId},
    series::{PARTS, SITE, Stored},
};
use crate::labels::{self, OVERFLOW, RESERVED, SITE_LABELS, Schema};

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
    /// The most series there may ever be, at least 1.
    pub max_series: u32,
}

/// The answer to [`TraceCounter::intern`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interned {
    /// The slot to count in.
    pub slot: u32,
    /// Whether the bound took labels away, so that the slot's series shows fewer than were given.
    pub shortened: bool,
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
}

/// The counter of traces.
#[derive(Debug)]
pub struct TraceCounter {
    options: CounterOptions,
    desc: Desc,
    constant: Vec<u8>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    series: SeriesTable,
    shards: Shards,
    overflow: Option<u32>,
    collapsed: u64,
    overflowed: u64,
}

/// One series as it is visited: its labels, to be written, and its value.
pub struct Series<'a> {
    counter: &'a TraceCounter,
    table: &'a SeriesTable,
    /// The series' slot.
    pub slot: u32,
    /// Its value, summed over the threads: a whole number.
    pub value: f64,
}

impl Series<'_> {
    /// Appends the labels, each led by a comma.
    #[inline]
    pub fn write_labels(&self, out: &mut Vec<u8>) {
        self.table.write_labels(self.slot, out);
        out.extend_from_slice(&self.counter.constant);
    }

    /// A part of the label set as it is stored, so that series can be told apart by numbers alone.
    #[inline]
    #[must_use]
    pub fn part(&self, part: usize) -> Stored {
        self.table.part(self.slot, part)
    }

    /// The text of a fragment that a part names: labels, each led by a comma.
    #[must_use]
    pub fn fragment(&self, number: u32) -> &[u8] {
        self.table.fragment(number)
    }
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
        Ok(Self { options, desc, constant, state: Mutex::default() })
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
        let written = Written::new(&self.options.schema, values);
        let parts = written.parts();
        let mut state = self.state();
        if let Some(slot) = state.series.find(&parts) {
            return Interned { slot, shortened: false };
        }
        match detail_for(state.series.len(), self.options.max_series, state.overflow.is_some()) {
            Detail::Full => Interned { slot: state.series.insert(&parts), shortened: false },
            Detail::Site => Interned { slot: state.intern_site(parts[SITE]), shortened: true },
            Detail::Overflow => Interned { slot: state.overflow(parts[SITE]), shortened: true },
        }
    }

    /// A shard for one more JavaScript thread.
    pub fn open_shard(&self) -> ShardId {
        self.state().shards.open()
    }

    /// Takes the `index`th page of a shard: the cells of slots `index * CELLS` and up. `false` if
    /// the shard is closed.
    pub fn lend_page(&self, shard: ShardId, index: usize, page: LentPage) -> bool {
        self.state().shards.lend(shard, index, page)
    }

    /// Ends a shard, keeping what it counted. After this its pages are not read again.
    pub fn close_shard(&self, shard: ShardId) {
        self.state().shards.close(shard);
    }

    /// Sets every series to 0. A series at 0 is not shown until it counts again.
    pub fn reset(&self) {
        let mut state = self.state();
        for slot in 0..state.series.len() {
            state.shards.zero(slot as usize);
        }
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
        }
    }

    /// The value of every series, by slot.
    #[must_use]
    pub fn values(&self) -> Vec<f64> {
        let state = self.state();
        (0..state.series.len()).map(|slot| state.shards.value(slot as usize)).collect()
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
        (slot..state.series.len()).map(labels).collect()
    }

    /// Visits the series with a value from slot `from` on, in the order of their coming, until
    /// `visit` breaks: then the slot to go on from is returned, and `None` at the end.
    ///
    /// Holds the lock meanwhile: `visit` copies and returns.
    pub fn visit(
        &self,
        from: u32,
        mut visit: impl FnMut(Series<'_>) -> ControlFlow<()>,
    ) -> Option<u32> {
        let state = self.state();
        for slot in from..state.series.len() {
            let value = state.shards.value(slot as usize);
            if value == 0.0 {
                continue;
            }
            let series = Series { counter: self, table: &state.series, slot, value };
            if visit(series).is_break() {
                return Some(slot + 1);
            }
        }
        None
    }

    /// A thread that panicked with the lock has left nothing half-done that the next could see: every
    /// change to the tables is made of pushes that stand by themselves.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn intern_site(&mut self, site: Part<'_>) -> u32 {
        self.collapsed += 1;
        let mut parts = [Part::Absent; PARTS];
        parts[SITE] = site;
        self.series.find(&parts).unwrap_or_else(|| self.series.insert(&parts))
    }

    /// Past the reserve a call site that has its shortened series still counts there.
    fn overflow(&mut self, site: Part<'_>) -> u32 {
        let mut parts = [Part::Absent; PARTS];
        parts[SITE] = site;
        if let Some(slot) = self.series.find(&parts) {
            self.collapsed += 1;
            return slot;
        }
        self.overflowed += 1;
        if let Some(slot) = self.overflow {
            return slot;
        }
        let mut label = Vec::new();
        labels::write_label(&mut label, OVERFLOW, "true");
        parts[SITE] = Part::Text(&label);
        let slot = self.series.insert(&parts);
        self.overflow = Some(slot);
        slot
    }
}

/// A label set written out, to be looked up without holding the lock while it is escaped.
struct Written {
    text: Vec<u8>,
    ends: [usize; PARTS],
    numbers: [Option<u32>; PARTS],
}

impl Written {
    fn new<'v>(schema: &Schema, values: impl IntoIterator<Item = &'v str>) -> Self {
        let mut written =
            Self { text: Vec::with_capacity(256), ends: [0; PARTS], numbers: [None; PARTS] };
        let mut part = 0;
        for (at, (name, value)) in schema.names().iter().zip(values).enumerate() {
            let of = part_of(at, schema.props_per_owner());
            while part < of {
                written.ends[part] = written.text.len();
                part += 1;
            }
            match number(value).filter(|_| (SITE_LABELS..RESERVED.len()).contains(&at)) {
                Some(number) => written.numbers[part] = Some(number),
                None => labels::write_label(&mut written.text, name, value),
            }
        }
        for end in &mut written.ends[part..] {
            *end = written.text.len();
        }
        written
    }

    fn parts(&self) -> Parts<'_> {
        let mut start = 0;
        std::array::from_fn(|part| {
            let text = &self.text[start..self.ends[part]];
            start = self.ends[part];
            match self.numbers[part] {
                Some(number) => Part::Number(number),
                None if text.is_empty() => Part::Absent,
                None => Part::Text(text),
            }
        })
    }
}

/// Which of a series' [`PARTS`] the label at this place of the schema belongs to.
#[must_use]
pub fn part_of(at: usize, props_per_owner: usize) -> usize {
    if at < SITE_LABELS {
        SITE
    } else if at < RESERVED.len() {
        at - SITE_LABELS + 1
    } else {
        3 + (at - RESERVED.len()) / props_per_owner
    }
}

/// An id that is a number as it would be printed, so that no two texts are one number.
fn number(value: &str) -> Option<u32> {
    let number = value.parse::<u32>().ok().filter(|&number| number < NUMBERS_END)?;
    (itoa::Buffer::new().format(number) == value).then_some(number)
}

impl Collector for TraceCounter {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let mut metrics = Vec::new();
        let mut text = Vec::new();
        self.visit(0, |series| {
            text.clear();
            series.write_labels(&mut text);
            metrics.push(metric(&text, series.value));
            ControlFlow::Continue(())
        });
        let mut family = proto::MetricFamily::default();
        family.set_name(self.options.name.clone());
        family.set_help(self.options.help.clone());
        family.set_field_type(proto::MetricType::COUNTER);
        family.set_metric(metrics);
        vec![family]
    }
}

fn metric(labels: &[u8], value: f64) -> proto::Metric {
    let text = String::from_utf8_lossy(labels);
    let pairs = labels::read_labels(&text).into_iter().map(|(name, value)| {
        let mut pair = proto::LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.into_owned());
        pair
    });
    let mut counter = proto::Counter::default();
    counter.set_value(value);
    let mut metric = proto::Metric::from_label(pairs.collect());
    metric.set_counter(counter);
    metric
}

#[cfg(test)]
pub(crate) mod tests;
