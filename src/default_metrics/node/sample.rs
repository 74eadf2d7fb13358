//! One sample: what the JavaScript thread read of V8 and libuv at one moment.
//!
//! Plain data without napi. `None` is what a runtime cannot tell; its families are left out.

/// Upper bounds in seconds of the buckets of `nodejs_gc_duration_seconds`, +Inf aside. The
/// JavaScript side sorts by the same list.
pub const GC_BOUNDS: [f64; 6] = [0.001, 0.01, 0.1, 1.0, 2.0, 5.0];

/// Seconds and bytes throughout.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// `process.version`.
    pub version: Option<String>,
    /// V8's heap: total, used, external; the last may be missing.
    pub heap: Option<Vec<f64>>,
    /// V8's heap spaces.
    pub spaces: Option<Vec<Space>>,
    /// What keeps the event loop alive.
    pub resources: Option<Tally>,
    /// libuv's handles.
    pub handles: Option<Tally>,
    /// libuv's requests.
    pub requests: Option<Tally>,
    /// How late the event loop has been, where that is monitored.
    pub event_loop_delay: Option<EventLoopDelay>,
    /// Garbage collections since the start, by the kinds seen so far.
    pub gc: Option<Vec<GcKind>>,
    /// The process's own figures, where this crate cannot read them (not Linux).
    pub process: Option<ProcessSample>,
}

/// One heap space.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Space {
    /// Its name without `_space`.
    pub name: String,
    /// Total, used, available.
    pub sizes: [f64; 3],
}

/// Things counted by their type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Type and number.
    pub by_type: Vec<(String, f64)>,
    /// All of them, also those without a type.
    pub total: f64,
}

/// How late the event loop has been.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EventLoopDelay {
    /// Nothing has been recorded yet.
    Empty,
    /// Seconds: min, max, mean, stddev, p50, p90, p99.
    Recorded([f64; 7]),
}

/// The collections of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GcKind {
    /// `major`, `minor`, `incremental` or `weakcb`.
    pub kind: String,
    /// How many fell into each bucket, not cumulative; the last is +Inf.
    pub buckets: [u64; GC_BOUNDS.len() + 1],
    /// Seconds spent.
    pub sum: f64,
}

/// The process's own figures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessSample {
    /// User CPU seconds.
    pub cpu_user: f64,
    /// System CPU seconds.
    pub cpu_system: f64,
    /// Bytes.
    pub resident_memory: f64,
    /// Seconds since the epoch.
    pub start_time: f64,
}
