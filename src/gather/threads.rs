//! The JavaScript threads that count in one counter, and their `nodejs_*` families.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, ThreadId},
    time::Duration,
};

use futures_util::future::join_all;
use prometheus::proto::MetricFamily;

use crate::{
    counter::ShardId,
    default_metrics::{descriptors, node::NodeMetrics},
    exposition::label,
    recorder::LoopWatch,
};

/// The label of a worker thread's samples; those of the main thread have none.
pub const WORKER_LABEL: &str = "worker";

/// One JavaScript thread.
pub struct JsThread {
    /// The shard of its cell blocks.
    pub shard: ShardId,
    /// Its `nodejs_*` families.
    pub node: NodeMetrics,
    /// The recorder's questions to it.
    pub watch: LoopWatch,
    thread: ThreadId,
    worker: Option<String>,
}

impl JsThread {
    /// Describes the calling thread, which counts in this shard. `worker` identifies it on the page.
    #[must_use]
    pub fn new(shard: ShardId, worker: Option<String>) -> Self {
        let (node, watch) = (NodeMetrics::new(), LoopWatch::default());
        Self { shard, node, watch, thread: thread::current().id(), worker }
    }

    /// Returns the label of a worker thread.
    #[must_use]
    pub fn worker(&self) -> Option<&str> {
        self.worker.as_deref()
    }

    /// Returns the number of calls that the thread could not count.
    #[must_use]
    pub fn lost_calls(&self) -> f64 {
        self.node.sample().map_or(0.0, |sample| sample.lost_calls)
    }

    fn labels(&self) -> Vec<(&'static str, &str)> {
        self.worker.as_deref().map(|id| (WORKER_LABEL, id)).into_iter().collect()
    }
}

/// All threads of one page, in the order in which they joined.
#[derive(Default)]
pub struct JsThreads(Mutex<Vec<Arc<JsThread>>>);

impl JsThreads {
    /// Adds the calling thread, which counts in this shard. `worker` is its number, if it is a worker
    /// thread.
    pub fn join(&self, shard: ShardId, worker: Option<u32>) -> Arc<JsThread> {
        let mut list = self.list();
        let mut worker = worker.map(|id| id.to_string());
        // Not every runtime numbers its threads, and each thread needs labels of its own.
        if list.iter().any(|other| other.worker == worker) {
            worker = Some(shard.to_string());
        }
        let thread = Arc::new(JsThread::new(shard, worker));
        list.push(Arc::clone(&thread));
        thread
    }

    /// Removes a thread, and returns whether any remains.
    pub fn leave(&self, thread: &Arc<JsThread>) -> bool {
        let mut list = self.list();
        list.retain(|other| !Arc::ptr_eq(other, thread));
        !list.is_empty()
    }

    /// Returns whether the calling thread is one of them.
    #[must_use]
    pub fn include_this_thread(&self) -> bool {
        let this = thread::current().id();
        self.list().iter().any(|thread| thread.thread == this)
    }

    /// Returns the threads.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<JsThread>> {
        self.list().clone()
    }

    /// Requests a sample from every thread at the same time, and waits for at most `js_timeout`. Returns
    /// the threads that did not respond.
    pub async fn refresh(&self, js_timeout: Duration) -> Vec<Arc<JsThread>> {
        let threads = self.all();
        let responses =
            join_all(threads.iter().map(|thread| thread.node.refresh(js_timeout))).await;
        threads
            .into_iter()
            .zip(responses)
            .filter(|(_, responded)| !responded)
            .map(|(m, _)| m)
            .collect()
    }

    /// Returns whether every thread responds within `js_timeout`. Unlike [`JsThreads::refresh`], starts no new
    /// window of a thread's statistics.
    pub async fn peek(&self, js_timeout: Duration) -> bool {
        let threads = self.all();
        let responses = join_all(threads.iter().map(|thread| thread.node.peek(js_timeout))).await;
        responses.into_iter().all(|responded| responded)
    }

    /// Returns the `nodejs_*` families of all threads: the samples of a worker thread have the label
    /// `worker`.
    #[must_use]
    pub fn families(&self) -> Vec<MetricFamily> {
        self.merged(|thread| thread.node.families(&thread.labels()))
    }

    /// Returns the family of the ages of the threads' samples.
    #[must_use]
    pub fn ages(&self) -> Vec<MetricFamily> {
        self.merged(|thread| thread.node.age_family(&thread.labels()).into_iter().collect())
    }

    /// Returns the number of calls that the threads could not count.
    #[must_use]
    pub fn lost_calls(&self) -> f64 {
        self.all().iter().map(|thread| thread.lost_calls()).sum()
    }

    /// Returns the families of the threads' stalls.
    #[must_use]
    pub fn stalls(&self) -> Vec<MetricFamily> {
        self.merged(|thread| {
            let totals = thread.watch.totals();
            let labels: Vec<_> =
                thread.labels().iter().map(|&(name, value)| label(name, value)).collect();
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            let count = totals.count as f64;
            vec![
                descriptors::STALLS.family([(labels.clone(), count)]),
                descriptors::STALL_SECONDS.family([(labels, totals.seconds)]),
            ]
        })
    }

    fn merged(&self, of: impl Fn(&JsThread) -> Vec<MetricFamily>) -> Vec<MetricFamily> {
        let mut families: Vec<MetricFamily> = Vec::new();
        for family in self.all().iter().flat_map(|thread| of(thread)) {
            match families.iter_mut().find(|other| other.name() == family.name()) {
                Some(other) => other.mut_metric().extend_from_slice(family.get_metric()),
                None => families.push(family),
            }
        }
        families
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<JsThread>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
