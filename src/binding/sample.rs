//! A sample as `lib/node-metrics.js` hands it over.
//!
//! JavaScript thread. Every field may be missing, and a list that is too short for its job counts
//! as missing: a runtime that knows less is no error.

use napi_derive::napi;

use crate::default_metrics::node::{EventLoopDelay, GcKind, ProcessSample, Sample, Space, Tally};

/// V8's and libuv's figures at one moment, in seconds and bytes.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct NodeSample {
    /// `process.version`.
    pub version: Option<String>,
    /// Total, used, external.
    pub heap: Option<Vec<f64>>,
    /// Names of the heap spaces.
    pub space_names: Option<Vec<String>>,
    /// Total, used, available of each space in turn.
    pub space_sizes: Option<Vec<f64>>,
    /// What keeps the event loop alive.
    pub resources: Option<NodeTally>,
    /// libuv's handles.
    pub handles: Option<NodeTally>,
    /// libuv's requests.
    pub requests: Option<NodeTally>,
    /// Min, max, mean, stddev, p50, p90, p99; empty as long as nothing has been recorded.
    pub event_loop_delay: Option<Vec<f64>>,
    /// Garbage collections by kind.
    pub gc: Option<Vec<NodeGcKind>>,
    /// User CPU, system CPU, resident memory, start time.
    pub process: Option<Vec<f64>>,
}

/// Things counted by their type.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct NodeTally {
    /// The types.
    pub types: Option<Vec<String>>,
    /// The number of each.
    pub counts: Option<Vec<f64>>,
    /// All of them.
    pub total: Option<f64>,
}

/// The garbage collections of one kind.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct NodeGcKind {
    /// `major`, `minor`, `incremental` or `weakcb`.
    pub kind: Option<String>,
    /// How many fell into each bucket; the last is +Inf.
    pub buckets: Option<Vec<f64>>,
    /// Seconds spent.
    pub sum: Option<f64>,
}

impl From<NodeSample> for Sample {
    fn from(sample: NodeSample) -> Self {
        Self {
            version: sample.version,
            heap: sample.heap,
            spaces: sample.space_names.zip(sample.space_sizes).map(spaces),
            resources: sample.resources.map(Tally::from),
            handles: sample.handles.map(Tally::from),
            requests: sample.requests.map(Tally::from),
            event_loop_delay: sample.event_loop_delay.and_then(delay),
            gc: sample.gc.map(|kinds| kinds.into_iter().filter_map(gc_kind).collect()),
            process: sample.process.and_then(process),
        }
    }
}

fn spaces((names, sizes): (Vec<String>, Vec<f64>)) -> Vec<Space> {
    let (sizes, _) = sizes.as_chunks();
    names.into_iter().zip(sizes).map(|(name, &sizes)| Space { name, sizes }).collect()
}

impl From<NodeTally> for Tally {
    fn from(tally: NodeTally) -> Self {
        let types = tally.types.unwrap_or_default();
        let counts = tally.counts.unwrap_or_default();
        let total = tally.total.unwrap_or_else(|| counts.iter().sum());
        Self { by_type: types.into_iter().zip(counts).collect(), total }
    }
}

fn delay(figures: Vec<f64>) -> Option<EventLoopDelay> {
    if figures.is_empty() {
        return Some(EventLoopDelay::Empty);
    }
    figures.try_into().ok().map(EventLoopDelay::Recorded)
}

fn gc_kind(entry: NodeGcKind) -> Option<GcKind> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "JavaScript counts from 0 by one; a cast saturates where it does not"
    )]
    let whole = |count: f64| count as u64;
    let buckets: [f64; 7] = entry.buckets?.try_into().ok()?;
    Some(GcKind { kind: entry.kind?, buckets: buckets.map(whole), sum: entry.sum? })
}

fn process(figures: Vec<f64>) -> Option<ProcessSample> {
    let [cpu_user, cpu_system, resident_memory, start_time] = figures.try_into().ok()?;
    Some(ProcessSample { cpu_user, cpu_system, resident_memory, start_time })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::default_metrics::node::Sample;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn a_sample_keeps_all_it_says() {
        let tally = || NodeTally {
            types: Some(texts(&["Socket", "Server"])),
            counts: Some(vec![2.0, 1.0]),
            total: Some(4.0),
        };
        let gc = NodeGcKind {
            kind: Some("major".to_owned()),
            buckets: Some(vec![1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0]),
            sum: Some(0.5),
        };
        let sample = Sample::from(NodeSample {
            version: Some("v1.2.3".to_owned()),
            heap: Some(vec![3.0, 2.0, 1.0]),
            space_names: Some(texts(&["new", "old"])),
            space_sizes: Some(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            resources: Some(tally()),
            handles: Some(tally()),
            requests: Some(tally()),
            event_loop_delay: Some(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]),
            gc: Some(vec![gc]),
            process: Some(vec![1.0, 2.0, 3.0, 4.0]),
        });
        let tally = Some(Tally {
            by_type: vec![("Socket".to_owned(), 2.0), ("Server".to_owned(), 1.0)],
            total: 4.0,
        });
        let expected = Sample {
            version: Some("v1.2.3".to_owned()),
            heap: Some(vec![3.0, 2.0, 1.0]),
            spaces: Some(vec![
                Space { name: "new".to_owned(), sizes: [1.0, 2.0, 3.0] },
                Space { name: "old".to_owned(), sizes: [4.0, 5.0, 6.0] },
            ]),
            resources: tally.clone(),
            handles: tally.clone(),
            requests: tally,
            event_loop_delay: Some(EventLoopDelay::Recorded([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])),
            gc: Some(vec![GcKind {
                kind: "major".to_owned(),
                buckets: [1, 0, 0, 0, 0, 0, 2],
                sum: 0.5,
            }]),
            process: Some(ProcessSample {
                cpu_user: 1.0,
                cpu_system: 2.0,
                resident_memory: 3.0,
                start_time: 4.0,
            }),
        };
        assert_eq!(sample, expected);
    }

    #[test]
    fn an_empty_sample_says_nothing() {
        assert_eq!(Sample::from(NodeSample::default()), Sample::default());
    }

    #[test]
    fn a_list_that_is_too_short_counts_as_missing() {
        let sample = Sample::from(NodeSample {
            space_names: Some(texts(&["new", "old"])),
            space_sizes: Some(vec![1.0, 2.0, 3.0, 4.0]),
            handles: Some(NodeTally { counts: Some(vec![2.0]), ..NodeTally::default() }),
            event_loop_delay: Some(vec![1.0]),
            gc: Some(vec![NodeGcKind::default()]),
            process: Some(vec![1.0]),
            ..NodeSample::default()
        });
        let first = Space { name: "new".to_owned(), sizes: [1.0, 2.0, 3.0] };
        assert_eq!(
            sample,
            Sample {
                spaces: Some(vec![first]),
                handles: Some(Tally { by_type: vec![], total: 2.0 }),
                gc: Some(vec![]),
                ..Sample::default()
            }
        );
    }

    #[test]
    fn no_delay_yet_is_not_no_monitor() {
        let sample = NodeSample { event_loop_delay: Some(vec![]), ..NodeSample::default() };
        assert_eq!(Sample::from(sample).event_loop_delay, Some(EventLoopDelay::Empty));
    }
}
