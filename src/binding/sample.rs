//! A sample as `lib/node-metrics.js` passes it.
//!
//! Used on the JavaScript thread. Every field may be missing, because not every runtime has all figures.

use std::time::SystemTime;

use napi_derive::napi;

use crate::{
    default_metrics::node::{EventLoopDelay, GcKind, ProcessSample, Sample, Space, Tally},
    recorder::Answer,
};

/// The figures of V8 and libuv at one moment, in seconds and bytes.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct NodeSample {
    /// `process.version`.
    pub version: Option<String>,
    /// The heap of V8.
    pub heap: Option<NodeHeap>,
    /// The heap spaces of V8.
    pub spaces: Option<Vec<NodeSpace>>,
    /// The resources that keep the event loop alive.
    pub resources: Option<NodeTally>,
    /// The handles of libuv.
    pub handles: Option<NodeTally>,
    /// The requests of libuv.
    pub requests: Option<NodeTally>,
    /// The delay of the event loop, where it is monitored.
    pub event_loop_delay: Option<NodeDelay>,
    /// The garbage collections since the start, by kind.
    pub gc: Option<Vec<NodeGcKind>>,
    /// The figures of the process.
    pub process: Option<NodeProcess>,
    /// Calls that could not be counted.
    pub lost_calls: Option<f64>,
}

/// The figures in an answer to the recorder: those that take little time to read.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct NodeAnswer {
    /// The memory in use of the heap of V8.
    pub heap_used: Option<f64>,
    /// The figures of the process, on systems where Rust cannot read them.
    pub process: Option<NodeProcess>,
}

/// The heap of V8.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct NodeHeap {
    /// Its size.
    pub total: f64,
    /// The memory in use.
    pub used: f64,
    /// The memory of objects outside of the heap.
    pub external: Option<f64>,
}

/// One heap space of V8.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct NodeSpace {
    /// Its name without `_space`.
    pub name: String,
    /// Its size.
    pub total: f64,
    /// The memory in use.
    pub used: f64,
    /// The memory that is free.
    pub available: f64,
}

/// Objects counted by type.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct NodeTally {
    /// The types.
    pub types: Vec<String>,
    /// The number of objects of each type.
    pub counts: Vec<f64>,
    /// The number of all objects, including those without a type.
    pub total: f64,
}

/// The delay of the event loop in one window. All figures are missing until a delay was recorded.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct NodeDelay {
    /// The shortest delay.
    pub min: Option<f64>,
    /// The longest delay.
    pub max: Option<f64>,
    /// The mean.
    pub mean: Option<f64>,
    /// The standard deviation.
    pub stddev: Option<f64>,
    /// The median.
    pub p50: Option<f64>,
    /// The 90th percentile.
    pub p90: Option<f64>,
    /// The 99th percentile.
    pub p99: Option<f64>,
}

/// The garbage collections of one kind.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct NodeGcKind {
    /// `major`, `minor`, `incremental` or `weakcb`.
    pub kind: String,
    /// The number of collections in each bucket, not cumulative; the last bucket is +Inf.
    pub buckets: Vec<f64>,
    /// The time of all collections.
    pub sum: f64,
}

/// The figures of the process.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct NodeProcess {
    /// User CPU time.
    pub cpu_user: f64,
    /// System CPU time.
    pub cpu_system: f64,
    /// Resident memory.
    pub resident_memory: Option<f64>,
    /// The time since the start.
    pub uptime: f64,
}

impl From<NodeSample> for Sample {
    fn from(sample: NodeSample) -> Self {
        Self {
            version: sample.version,
            heap: sample.heap.map(heap),
            spaces: sample.spaces.map(|spaces| spaces.into_iter().map(space).collect()),
            resources: sample.resources.map(Tally::from),
            handles: sample.handles.map(Tally::from),
            requests: sample.requests.map(Tally::from),
            event_loop_delay: sample.event_loop_delay.as_ref().map(delay),
            gc: sample.gc.map(|kinds| kinds.into_iter().filter_map(gc_kind).collect()),
            process: sample.process.map(process),
            lost_calls: sample.lost_calls.unwrap_or_default(),
        }
    }
}

fn heap(NodeHeap { total, used, external }: NodeHeap) -> Vec<f64> {
    [Some(total), Some(used), external].into_iter().flatten().collect()
}

fn space(NodeSpace { name, total, used, available }: NodeSpace) -> Space {
    Space { name, sizes: [total, used, available] }
}

impl From<NodeTally> for Tally {
    fn from(NodeTally { types, counts, total }: NodeTally) -> Self {
        Self { by_type: types.into_iter().zip(counts).collect(), total }
    }
}

fn delay(&NodeDelay { min, max, mean, stddev, p50, p90, p99 }: &NodeDelay) -> EventLoopDelay {
    match (min, max, mean, stddev, p50, p90, p99) {
        (Some(min), Some(max), Some(mean), Some(stddev), Some(p50), Some(p90), Some(p99)) => {
            EventLoopDelay::Recorded([min, max, mean, stddev, p50, p90, p99])
        }
        _ => EventLoopDelay::Empty,
    }
}

/// Converts the collections of one kind. Returns `None` if the number of buckets differs from this crate's.
fn gc_kind(NodeGcKind { kind, buckets, sum }: NodeGcKind) -> Option<GcKind> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "JavaScript counts up from 0 by one; a cast of any other number saturates"
    )]
    let whole = |count: f64| count as u64;
    let buckets: [f64; 7] = buckets.try_into().ok()?;
    Some(GcKind { kind, buckets: buckets.map(whole), sum })
}

/// Converts the figures of the process. The start time is computed here, because a test can replace the
/// clock of JavaScript. It has whole seconds, as in prom-client.
fn process(process: NodeProcess) -> ProcessSample {
    let NodeProcess { cpu_user, cpu_system, resident_memory, uptime } = process;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let start_time = (now.as_secs_f64() - uptime).round();
    ProcessSample { cpu_user, cpu_system, resident_memory, start_time }
}

impl From<NodeAnswer> for Answer {
    fn from(NodeAnswer { heap_used, process: figures }: NodeAnswer) -> Self {
        Self { heap_used, process: figures.map(process) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_keeps_every_figure() {
        let tally = || NodeTally {
            types: vec!["Socket".to_owned(), "Server".to_owned()],
            counts: vec![2.0, 1.0],
            total: 4.0,
        };
        let gc = NodeGcKind {
            kind: "major".to_owned(),
            buckets: vec![1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0],
            sum: 0.5,
        };
        let space = NodeSpace { name: "new".to_owned(), total: 1.0, used: 2.0, available: 3.0 };
        let delay = NodeDelay {
            min: Some(1.0),
            max: Some(2.0),
            mean: Some(3.0),
            stddev: Some(4.0),
            p50: Some(5.0),
            p90: Some(6.0),
            p99: Some(7.0),
        };
        let process =
            NodeProcess { cpu_user: 1.0, cpu_system: 2.0, resident_memory: Some(3.0), uptime: 4.0 };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        let sample = Sample::from(NodeSample {
            version: Some("v1.2.3".to_owned()),
            heap: Some(NodeHeap { total: 3.0, used: 2.0, external: Some(1.0) }),
            spaces: Some(vec![space]),
            resources: Some(tally()),
            handles: Some(tally()),
            requests: Some(tally()),
            event_loop_delay: Some(delay),
            gc: Some(vec![gc]),
            process: Some(process),
            lost_calls: Some(8.0),
        });
        let tally = Some(Tally {
            by_type: vec![("Socket".to_owned(), 2.0), ("Server".to_owned(), 1.0)],
            total: 4.0,
        });
        let expected = Sample {
            version: Some("v1.2.3".to_owned()),
            heap: Some(vec![3.0, 2.0, 1.0]),
            spaces: Some(vec![Space { name: "new".to_owned(), sizes: [1.0, 2.0, 3.0] }]),
            resources: tally.clone(),
            handles: tally.clone(),
            requests: tally,
            event_loop_delay: Some(EventLoopDelay::Recorded([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])),
            gc: Some(vec![GcKind {
                kind: "major".to_owned(),
                buckets: [1, 0, 0, 0, 0, 0, 2],
                sum: 0.5,
            }]),
            process: sample.process,
            lost_calls: 8.0,
        };
        assert_eq!(sample, expected);
        let process = sample.process.expect("the process");
        let figures = (process.cpu_user, process.cpu_system, process.resident_memory);
        assert_eq!(figures, (1.0, 2.0, Some(3.0)));
        assert!((now.as_secs_f64() - 4.0 - process.start_time).abs() < 2.0);
    }

    #[test]
    fn an_empty_sample_has_no_figures() {
        assert_eq!(Sample::from(NodeSample::default()), Sample::default());
    }

    #[test]
    fn a_missing_figure_of_a_group_is_omitted() {
        let sample = Sample::from(NodeSample {
            heap: Some(NodeHeap { total: 3.0, used: 2.0, external: None }),
            gc: Some(vec![NodeGcKind { buckets: vec![1.0], ..NodeGcKind::default() }]),
            ..NodeSample::default()
        });
        let expected = Sample { heap: Some(vec![3.0, 2.0]), gc: Some(vec![]), ..Sample::default() };
        assert_eq!(sample, expected);
    }

    #[test]
    fn a_monitor_that_has_recorded_nothing_differs_from_no_monitor() {
        let event_loop_delay = Some(NodeDelay { min: Some(1.0), ..NodeDelay::default() });
        let sample = Sample::from(NodeSample { event_loop_delay, ..NodeSample::default() });
        assert_eq!(sample.event_loop_delay, Some(EventLoopDelay::Empty));
    }
}
