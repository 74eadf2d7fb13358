//! The answer of `/summary.json`: what is called most, summed by labels, and the figures that the
//! live page charts.
//!
//! A page of 100,000 series is megabytes; a summary of it is a few kilobytes and takes the server
//! thread about a millisecond. It is stable: fields may be added, none changes its meaning.
//!
//! # Parameters
//!
//! | name | value | default |
//! |---|---|---|
//! | `by` | 1 to 8 label names, parted by commas | `object_classname,caller_functionname` |
//! | `limit` | the most rows, 1 to 1000 | `50` |
//! | the name of a label | the one value that counts; empty: series without that label | every value |
//!
//! Each stands at most once. Anything else is answered by 400 and a sentence.
//!
//! # Schema
//!
//! ```json
//! {
//!   "schema": 1,
//!   "metric": "trace_counter",
//!   "startTimeSeconds": 1760000000.25,
//!   "uptimeSeconds": 61.5,
//!   "labels": ["object_classname", "caller_functionname", "caller_filename", "id"],
//!   "series": { "used": 600, "limit": 50000, "collapsed": 0, "overflowed": 0, "expired": 0 },
//!   "calls": { "total": 225600, "matched": 225600 },
//!   "by": ["object_classname", "caller_functionname"],
//!   "rows": [
//!     { "labels": { "object_classname": "Hypercore", "caller_functionname": "get" }, "value": 90000 }
//!   ],
//!   "other": { "groups": 11, "value": 135600 },
//!   "eventLoop": { "answering": true, "lagSeconds": 0.0002, "sampleAgeSeconds": 0.0001 },
//!   "process": {
//!     "startTimeSeconds": 1759999999.5, "cpuSeconds": 3.25, "residentMemoryBytes": 91234567,
//!     "heapUsedBytes": 12345678, "heapTotalBytes": 23456789
//!   }
//! }
//! ```
//!
//! - `startTimeSeconds`: when this counter began, since the epoch. Another value than before: a new
//!   one, whose counts began at 0. `uptimeSeconds`: the time since, by a clock that never jumps; a
//!   rate is a difference of values over a difference of these.
//! - `labels`: every label that `by` and filters take. `hypertrace_overflow` is none of them, but is
//!   shown by a row that holds the overflow series.
//! - `series`: in use; the bound; label sets shortened at the bound; label sets that the overflow
//!   series took; series that left for being idle, whose counts are in no figure any more.
//! - `calls`: all, and those that pass the filters. Whole numbers, exact below 2⁵³.
//! - `rows`: greatest first. A label that the group's series do not have is left out. `other`: what
//!   `limit` cut off.
//! - `eventLoop`: `answering`: whether it answered in time; `lagSeconds`: how long it took, or is
//!   taking.
//! - `process`: `null` for what is not known. The heap's figures are as old as `sampleAgeSeconds`,
//!   and not known with `collectDefaults: false`.

mod grouping;
mod json;
mod query;
#[cfg(test)]
mod tests;

use std::{ops::ControlFlow, sync::Arc};

use self::{grouping::Grouping, json::Json};
pub use self::{
    grouping::Row,
    query::{DEFAULT_LIMIT, MAX_BY, MAX_LIMIT, Query, QueryError},
};
use crate::counter::{SlotPin, TraceCounter};

/// How many series are summed in one go: what the counter's lock and the server thread are held
/// for, some 50 µs.
const CHUNK_SERIES: u32 = 4096;

/// What a summary tells besides counts. Seconds and bytes; `None` is unknown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// When the counter began, since the epoch.
    pub start_time: f64,
    /// The time since, by a monotonic clock.
    pub uptime: f64,
    /// Whether the event loop has answered the last question.
    pub answering: bool,
    /// How long the last question waited, or has been waiting.
    pub lag: f64,
    /// The age of the sample that the heap's figures are from.
    pub sample_age: Option<f64>,
    /// When the process started, since the epoch.
    pub process_start_time: Option<f64>,
    /// CPU time that the process has spent.
    pub cpu: Option<f64>,
    /// Its memory in RAM.
    pub resident_memory: Option<f64>,
    /// V8's heap: what is used of it.
    pub heap_used: Option<f64>,
    /// V8's heap: all of it.
    pub heap_total: Option<f64>,
}

/// A summary in the making.
pub struct Summary {
    /// Not a page: what it visits does not count as shown. It keeps slots and fragments from being
    /// given out anew between two steps.
    reading: SlotPin,
    query: Query,
    grouping: Grouping,
    next: Option<u32>,
}

impl Summary {
    /// Nothing is summed yet.
    #[must_use]
    pub fn new(counter: Arc<TraceCounter>, query: Query) -> Self {
        let grouping = Grouping::new(&query, counter.schema());
        Self { reading: SlotPin::new(counter), query, grouping, next: Some(0) }
    }

    /// Sums the next series, [`CHUNK_SERIES`] of them at most, and tells whether there are more.
    /// Others that run on this thread take their turn in between.
    pub fn step(&mut self) -> bool {
        let Some(from) = self.next else { return false };
        let mut left = CHUNK_SERIES;
        let grouping = &mut self.grouping;
        self.next = self.reading.counter().visit(from, |series| {
            grouping.add(&series);
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        self.next.is_some()
    }

    /// The summary as JSON.
    #[must_use]
    pub fn into_json(mut self, figures: &Figures) -> Vec<u8> {
        while self.step() {}
        let mut out = Vec::with_capacity(4096);
        let mut json = Json(&mut out);
        json.open(b'{').key("schema").number(1.0);
        json.key("metric").string(self.reading.counter().name());
        json.key("startTimeSeconds").number(figures.start_time);
        json.key("uptimeSeconds").number(figures.uptime);
        self.write_counts(&mut json);
        write_figures(&mut json, figures);
        json.close(b'}');
        out
    }

    fn write_counts(&self, json: &mut Json<'_>) {
        let names = self.reading.counter().schema().names();
        write_names(json.key("labels"), names.iter());
        let stats = self.reading.counter().stats();
        json.key("series").open(b'{');
        json.key("used").number(stats.series.into()).key("limit").number(stats.limit.into());
        json.key("collapsed").number(float(stats.collapsed));
        json.key("overflowed").number(float(stats.overflowed));
        json.key("expired").number(float(stats.expired)).close(b'}');

        let Grouping { total, matched, .. } = self.grouping;
        json.key("calls").open(b'{').key("total").number(total);
        json.key("matched").number(matched).close(b'}');
        write_names(json.key("by"), self.query.by.iter().map(|&label| &names[label]));

        let rows = self.grouping.top(self.query.limit);
        let shown: f64 = rows.iter().map(|row| row.value).sum();
        json.key("rows").open(b'[');
        for row in &rows {
            json.open(b'{').key("labels").open(b'{');
            for (name, value) in &row.labels {
                json.key(name).string(value);
            }
            json.close(b'}').key("value").number(row.value).close(b'}');
        }
        json.close(b']').key("other").open(b'{');
        json.key("groups").number(float((self.grouping.len() - rows.len()) as u64));
        json.key("value").number(matched - shown).close(b'}');
    }
}

fn write_names<'n>(json: &mut Json<'_>, names: impl Iterator<Item = &'n String>) {
    json.open(b'[');
    for name in names {
        json.string(name);
    }
    json.close(b']');
}

fn write_figures(json: &mut Json<'_>, figures: &Figures) {
    json.key("eventLoop").open(b'{').key("answering").truth(figures.answering);
    json.key("lagSeconds").number(figures.lag);
    json.key("sampleAgeSeconds").known(figures.sample_age).close(b'}');
    json.key("process").open(b'{');
    json.key("startTimeSeconds").known(figures.process_start_time);
    json.key("cpuSeconds").known(figures.cpu);
    json.key("residentMemoryBytes").known(figures.resident_memory);
    json.key("heapUsedBytes").known(figures.heap_used);
    json.key("heapTotalBytes").known(figures.heap_total).close(b'}');
}

#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
fn float(number: u64) -> f64 {
    number as f64
}
