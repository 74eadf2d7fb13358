//! A substitute for the gatherer: a counter and its threads.

use std::sync::Arc;

use crate::{
    counter::{ShardId, TraceCounter},
    server::Source,
    sync::{
        Mutex,
        thread::{ThreadId, current},
    },
};

/// One JavaScript thread.
pub struct JsThread {
    /// The shard of its cell blocks.
    pub shard: ShardId,
    thread: ThreadId,
}

/// All threads of one page.
#[derive(Default)]
pub struct JsThreads(Mutex<Vec<Arc<JsThread>>>);

impl JsThreads {
    /// Returns whether the calling thread is one of them.
    #[must_use]
    pub fn include_this_thread(&self) -> bool {
        let this = current().id();
        self.all().iter().any(|thread| thread.thread == this)
    }

    /// Returns the threads.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<JsThread>> {
        self.0.lock().expect("no panic").clone()
    }
}

/// The source of a page.
pub struct GathererSource(pub Arc<Gatherer>);

impl Source for GathererSource {}

/// Joins threads to a counter.
pub struct Gatherer {
    counter: Arc<TraceCounter>,
    threads: JsThreads,
}

impl Gatherer {
    /// Creates a gatherer.
    #[must_use]
    pub fn new(counter: Arc<TraceCounter>) -> Self {
        Self { counter, threads: JsThreads::default() }
    }

    /// Returns the counter.
    #[must_use]
    pub fn counter(&self) -> &Arc<TraceCounter> {
        &self.counter
    }

    /// Returns the threads.
    #[must_use]
    pub fn threads(&self) -> &JsThreads {
        &self.threads
    }

    /// Adds the calling thread.
    pub fn join(&self, _: Option<u32>) -> Arc<JsThread> {
        let thread = JsThread { shard: self.counter.open_shard(), thread: current().id() };
        let thread = Arc::new(thread);
        self.threads.0.lock().expect("no panic").push(Arc::clone(&thread));
        thread
    }

    /// Removes a thread, and returns whether any remains.
    pub fn leave(&self, thread: &Arc<JsThread>) -> bool {
        let mut list = self.threads.0.lock().expect("no panic");
        list.retain(|other| !Arc::ptr_eq(other, thread));
        !list.is_empty()
    }
}
