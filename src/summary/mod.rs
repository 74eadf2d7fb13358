//! The document of `/summary.json`: calls summed by labels, and the values that the live page draws.
//!
//! A page of 100,000 series has megabytes. Its summary has a few kilobytes and takes about a
//! millisecond of the server thread. The document is stable: fields may be added, and the meaning of
//! a field never changes.
//!
//! # Parameters
//!
//! | name | value | default |
//! |---|---|---|
//! | `by` | 1 to 8 label names, separated by commas | `object_classname,caller_functionname` |
//! | `limit` | the maximum number of rows, 1 to 1000 | `50` |
//! | `search` | only rows with this text in a label value; the case of ASCII letters is ignored | all rows |
//! | `order` | `total` or `rate`: the order of the rows | `total` |
//! | `window` | the seconds over which rates are computed, 1 to 900 | `5` |
//! | the name of a label | only series with this value of the label; if empty, only series without the label | all series |
//!
//! Each parameter may occur once. The response to any other query is status 400 with an error message.
//!
//! # Schema
//!
//! ```json
//! {
//!   "schema": 1,
//!   "version": "2.0.0",
//!   "metric": "trace_counter",
//!   "startTimeSeconds": 1760000000.25,
//!   "uptimeSeconds": 61.5,
//!   "labels": ["object_classname", "caller_functionname", "caller_filename", "id"],
//!   "usedLabels": ["object_classname", "caller_functionname", "caller_filename"],
//!   "defaultLabels": { "app": "chat" },
//!   "series": { "used": 600, "limit": 50000, "collapsed": 0, "overflowed": 0, "expired": 0 },
//!   "calls": { "total": 225600, "matched": 225600, "rate": 3700.4 },
//!   "windowSeconds": 5,
//!   "by": ["object_classname", "caller_functionname"],
//!   "order": "total",
//!   "rows": [
//!     {
//!       "labels": { "object_classname": "Hypercore", "caller_functionname": "get" },
//!       "value": 90000, "rate": 1480.2
//!     }
//!   ],
//!   "other": { "groups": 11, "value": 135600 },
//!   "eventLoop": { "answering": true, "lagSeconds": 0.0002, "sampleAgeSeconds": 0.0001 },
//!   "process": {
//!     "name": "app.js", "pid": 4711, "nodeVersion": "v22.12.0", "threads": 1,
//!     "startTimeSeconds": 1759999999.5, "cpuSeconds": 3.25, "residentMemoryBytes": 91234567,
//!     "heapUsedBytes": 12345678, "heapTotalBytes": 23456789
//!   }
//! }
//! ```
//!
//! - `startTimeSeconds`: the start of the counter, in seconds since the epoch. If it differs from an
//!   earlier document's, the process was restarted and counts began at 0. `uptimeSeconds`: seconds
//!   since the start, by a monotonic clock. A rate is a difference of values divided by a difference
//!   of `uptimeSeconds`.
//! - `labels`: the labels that `by` and filters accept. `hypertrace_overflow` is not one of them: only
//!   the row of the overflow series has it. `usedLabels`: those that at least one series has. If an owner
//!   has more than 1,000 property sets, all labels of its properties count as used.
//! - `series`: `used`: their number; `limit`: `maxSeries`; `collapsed`: label sets that were shortened
//!   near the limit; `overflowed`: label sets that are counted in the overflow series; `expired`: series
//!   that were removed because they were idle. Of all values, only `calls.total` contains the calls of expired
//!   series.
//! - `calls`: `total`: the number of calls since `startTimeSeconds`, which never falls; `matched`: the
//!   sum over the series that pass the filters. Whole numbers, exact below 2⁵³.
//! - `calls.rate`, and `rate` of a row: calls per second over `windowSeconds`. They come from the recorder;
//!   without it, `calls.rate` and `windowSeconds` are `null`. A row has a `rate` only if the recorder has its
//!   calls, and if `by` and the filters have labels of the call site only. If no row can have a rate, `order`
//!   is `total`. Soon after the start, `windowSeconds` may be less than `window`.
//! - `rows`: the groups that are first in `order`; with `total`, in descending order of `value`. A label
//!   that no series of the group has is absent. `other`: the groups that `search` finds and `limit` excludes.
//! - `eventLoop`: `answering`: true if the event loop responded in time; `lagSeconds`: the delay of its
//!   response so far; `sampleAgeSeconds`: the age of the last sample.
//! - `process`: `name`: the title of the process or the name of its script; `threads`: the JavaScript
//!   threads that count. A figure is `null` if it is unknown. The values of the heap are as old as
//!   `sampleAgeSeconds`, and unknown with `collectDefaults: false`.

mod document;
mod grouping;
pub mod query;
mod rates;
#[cfg(test)]
mod tests;
mod used_labels;

use std::{ops::ControlFlow, sync::Arc};

pub(crate) use self::{document::number, grouping::contains};
use self::{
    document::{Calls, Document, SCHEMA},
    grouping::{Grouping, MAX_GROUPS},
    used_labels::UsedLabels,
};
pub use self::{
    document::{EventLoopStats, ProcessStats, Row, RuntimeStats},
    query::{DEFAULT_LIMIT, MAX_BY, MAX_LIMIT, Order, Query, QueryError},
    rates::{GroupCalls, GroupLabels, OVERFLOW_INDEX, Rates},
};
use crate::counter::{SlotPin, TraceCounter};

/// The number of series that one step sums. A step holds the counter's lock and occupies the server
/// thread for about 50 µs.
const STEP_SERIES: u32 = 4096;

/// A summary, computed in steps.
pub struct Summary {
    /// Prevents the reuse of slots and fragments between two steps. Series that a summary visits do not
    /// count as shown on a page.
    pin: SlotPin,
    query: Query,
    /// The seconds that were measured, and all calls per second.
    measured: Option<(u32, f64)>,
    grouping: Grouping,
    used_labels: UsedLabels,
    /// The slot of the next step; `None` after the last.
    next: Option<u32>,
}

impl Summary {
    /// Creates a summary that has no series yet. If `rates` has no groups, the rows are ordered by their sums.
    #[must_use]
    pub fn new(counter: Arc<TraceCounter>, mut query: Query, rates: Option<Rates>) -> Self {
        if rates.as_ref().is_none_or(|rates| rates.groups.is_none()) {
            query.order = Order::Total;
        }
        let measured = rates.as_ref().map(|rates| (rates.seconds, rates.of_all()));
        let grouping = Grouping::new(&query, counter.schema(), rates, MAX_GROUPS);
        let used_labels = UsedLabels::new(counter.schema());
        Self { pin: SlotPin::new(counter), query, measured, grouping, used_labels, next: Some(0) }
    }

    /// Sums the next [`STEP_SERIES`] series and returns true if there are more. Between two steps,
    /// other tasks of the thread can run.
    pub fn step(&mut self) -> bool {
        let Some(from) = self.next else { return false };
        let mut left = STEP_SERIES;
        let Self { grouping, used_labels, .. } = self;
        self.next = self.pin.counter().visit(from, |series| {
            grouping.add(&series);
            used_labels.add(&series);
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if self.next.is_none() && grouping.next_pass() {
            self.next = Some(0);
        }
        self.next.is_some()
    }

    /// Runs the steps that are left and returns the document.
    #[must_use]
    pub fn into_json(mut self, runtime: &RuntimeStats) -> Vec<u8> {
        while self.step() {}
        let counter = self.pin.counter();
        let names = counter.schema().names();
        let rate = self.measured.map(|(_, rate)| rate);
        let calls = Calls { total: counter.calls(), matched: self.grouping.matched, rate };
        let (rows, other) = self.grouping.top();
        let document = Document {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            metric: counter.name(),
            start_time_seconds: runtime.start_time,
            uptime_seconds: runtime.uptime,
            labels: names,
            used_labels: self.used_labels.names(),
            default_labels: &runtime.default_labels,
            series: counter.stats().into(),
            calls,
            window_seconds: self.measured.map(|(seconds, _)| seconds),
            order: self.query.order.name(),
            by: self.query.by.iter().map(|&label| names[label].as_str()).collect(),
            rows,
            other,
            event_loop: &runtime.event_loop,
            process: &runtime.process,
        };
        document.to_json()
    }
}
