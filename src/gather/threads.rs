//! The JavaScript threads that count in one counter, and their figures side by side.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, ThreadId},
    time::Duration,
};

use futures_util::future::join_all;
use prometheus::proto::MetricFamily;

use crate::{counter::ShardId, default_metrics::node::NodeMetrics};

/// The label that tells a worker thread's figures from the main thread's.
pub const WORKER_LABEL: &str = "worker";

/// One JavaScript thread.
pub struct JsThread {
    /// Its pages.
    pub shard: ShardId,
    /// Its own figures.
    pub node: NodeMetrics,
    thread: ThreadId,
    worker: Option<String>,
}

impl JsThread {
    /// The calling thread, which counts in this shard; `worker` tells it from others on the page.
    #[must_use]
    pub fn new(shard: ShardId, worker: Option<String>) -> Self {
        Self { shard, node: NodeMetrics::new(), thread: thread::current().id(), worker }
    }

    fn labels(&self) -> Vec<(&'static str, &str)> {
        self.worker.as_deref().map(|id| (WORKER_LABEL, id)).into_iter().collect()
    }
}

/// All threads of one endpoint, in the order of their coming.
#[derive(Default)]
pub struct JsThreads(Mutex<Vec<Arc<JsThread>>>);

impl JsThreads {
    /// Adds the calling thread, which counts in this shard; `worker` is the number that Node.js gives
    /// a worker thread.
    pub fn join(&self, shard: ShardId, worker: Option<u32>) -> Arc<JsThread> {
        let mut list = self.list();
        let mut worker = worker.map(|id| id.to_string());
        // Not every runtime numbers its threads, and no two may have the same labels.
        if list.iter().any(|other| other.worker == worker) {
            worker = Some(shard.to_string());
        }
        let thread = Arc::new(JsThread::new(shard, worker));
        list.push(Arc::clone(&thread));
        thread
    }

    /// Takes a thread out, if it is there, and tells whether any is left.
    pub fn leave(&self, thread: &Arc<JsThread>) -> bool {
        let mut list = self.list();
        list.retain(|other| !Arc::ptr_eq(other, thread));
        !list.is_empty()
    }

    /// Whether the calling thread is among them.
    #[must_use]
    pub fn include_this_thread(&self) -> bool {
        let this = thread::current().id();
        self.list().iter().any(|thread| thread.thread == this)
    }

    /// The threads as they are now.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<JsThread>> {
        self.list().clone()
    }

    /// Asks every thread for a sample, all at the same time, and waits for `js_timeout` at most. Gives
    /// those that did not answer.
    pub async fn refresh(&self, js_timeout: Duration) -> Vec<Arc<JsThread>> {
        let threads = self.all();
        let answers = join_all(threads.iter().map(|thread| thread.node.refresh(js_timeout))).await;
        threads.into_iter().zip(answers).filter(|(_, answers)| !answers).map(|(m, _)| m).collect()
    }

    /// Whether every thread answers within `js_timeout`, without beginning new windows of its figures.
    pub async fn peek(&self, js_timeout: Duration) -> bool {
        let threads = self.all();
        let answers = join_all(threads.iter().map(|thread| thread.node.peek(js_timeout))).await;
        answers.into_iter().all(|answers| answers)
    }

    /// The `nodejs_*` families of all threads: a worker's samples beside the main thread's, with the
    /// label `worker`.
    #[must_use]
    pub fn families(&self) -> Vec<MetricFamily> {
        self.merged(|thread| thread.node.families(&thread.labels()))
    }

    /// How old the threads' samples are.
    #[must_use]
    pub fn ages(&self) -> Vec<MetricFamily> {
        self.merged(|thread| thread.node.age_family(&thread.labels()).into_iter().collect())
    }

    fn merged(&self, of: impl Fn(&JsThread) -> Vec<MetricFamily>) -> Vec<MetricFamily> {
        let mut families: Vec<MetricFamily> = Vec::new();
        for family in self.all().iter().flat_map(|thread| of(thread)) {
            match families.iter_mut().find(|known| known.name() == family.name()) {
                Some(known) => known.mut_metric().extend_from_slice(family.get_metric()),
                None => families.push(family),
            }
        }
        families
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<JsThread>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
