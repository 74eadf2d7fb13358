//! One sample: the figures of V8 and libuv that the JavaScript thread read at one moment.
//!
//! Plain data without napi. A figure is `None` if the runtime does not have it; then its families are omitted.

/// Upper bounds in seconds of the buckets of `nodejs_gc_duration_seconds`, without +Inf. JavaScript counts by
/// the same bounds.
pub const GC_BOUNDS: [f64; 6] = [0.001, 0.01, 0.1, 1.0, 2.0, 5.0];

/// The figures of one JavaScript thread, in seconds and bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// `process.version`.
    pub version: Option<String>,
    /// The heap of V8: total, used, external; the last may be missing.
    pub heap: Option<Vec<f64>>,
    /// The heap spaces of V8.
    pub spaces: Option<Vec<Space>>,
    /// The resources that keep the event loop alive.
    pub resources: Option<Tally>,
    /// The handles of libuv.
    pub handles: Option<Tally>,
    /// The requests of libuv.
    pub requests: Option<Tally>,
    /// The delay of the event loop, where it is monitored.
    pub event_loop_delay: Option<EventLoopDelay>,
    /// The garbage collections since the start, by the kinds seen so far.
    pub gc: Option<Vec<GcKind>>,
    /// The figures of the process, for systems where this crate cannot read them.
    pub process: Option<ProcessSample>,
    /// Calls that this thread could not count.
    pub lost_calls: f64,
}

/// One heap space.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Space {
    /// Its name without `_space`.
    pub name: String,
    /// Total, used, available.
    pub sizes: [f64; 3],
}

/// Objects counted by type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Type and number.
    pub by_type: Vec<(String, f64)>,
    /// The number of all objects, including those without a type.
    pub total: f64,
}

/// The delay of the event loop in one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EventLoopDelay {
    /// Nothing has been recorded yet.
    Empty,
    /// Seconds: min, max, mean, stddev, p50, p90, p99.
    Recorded([f64; 7]),
}

/// The garbage collections of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GcKind {
    /// `major`, `minor`, `incremental` or `weakcb`.
    pub kind: String,
    /// The number of collections in each bucket, not cumulative; the last bucket is +Inf.
    pub buckets: [u64; GC_BOUNDS.len() + 1],
    /// The time of all collections, in seconds.
    pub sum: f64,
}

/// The figures of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessSample {
    /// User CPU seconds.
    pub cpu_user: f64,
    /// System CPU seconds.
    pub cpu_system: f64,
    /// Resident memory, in bytes.
    pub resident_memory: Option<f64>,
    /// The start time, in seconds since the epoch.
    pub start_time: f64,
}
