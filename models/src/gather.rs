//! A substitute for the gatherer: a counter and its threads.

#[path = "../../src/gather/threads.rs"]
mod threads;

use std::sync::Arc;

pub use threads::{JsThread, JsThreads};

use crate::counter::TraceCounter;

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
    pub fn join(&self, worker: Option<u32>) -> Arc<JsThread> {
        self.threads.join(self.counter.open_shard(), worker)
    }

    /// Removes a thread, and returns whether any remains.
    pub fn leave(&self, thread: &Arc<JsThread>) -> bool {
        self.threads.leave(thread)
    }
}
