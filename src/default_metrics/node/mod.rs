//! The `nodejs_*` families: V8's and libuv's figures, which only the JavaScript thread can read.
//!
//! A scrape puts a question to the JavaScript thread and waits for the answer, but never past its
//! timeout: then the last sample stands in, with its age. The time a question waits *is* the lag
//! of the event loop, so a stall shows while it lasts.
//!
//! # Invariants
//!
//! - At most one question is open; scrapes that come meanwhile wait for the same answer.
//! - The lock is held for copies and comparisons only, never while asking, waiting or rendering.
//! - After [`NodeMetrics::stop`] nothing is asked, nobody waits and no answer is taken.
//!
//! Any thread; [`NodeMetrics::refresh`] needs a tokio runtime with time.

mod families;
mod sample;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus::proto::MetricFamily;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

pub use sample::{EventLoopDelay, GC_BOUNDS, GcKind, ProcessSample, Sample, Space, Tally};

use crate::default_metrics::descriptors;

/// A way to ask the JavaScript thread for a sample.
pub trait Sampler: Send + Sync {
    /// Puts the question and returns at once; [`NodeMetrics::deliver`] takes the answer, or
    /// [`NodeMetrics::decline`]. `false`: there is no JavaScript thread to ask any more.
    ///
    /// Called from the thread that scrapes, without a lock held.
    fn ask(&self) -> bool;

    /// As [`Sampler::ask`], for somebody who looks on: what is told of the time since the last
    /// scrape is not to start anew.
    fn peek(&self) -> bool {
        self.ask()
    }
}

/// The last sample of one JavaScript thread, and the question that is open.
#[derive(Default)]
pub struct NodeMetrics {
    state: Mutex<State>,
    /// Changes with every end of a question.
    ends: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    sampler: Option<Arc<dyn Sampler>>,
    sample: Option<(Arc<Sample>, Instant)>,
    open_since: Option<Instant>,
    last_wait: Duration,
    stopped: bool,
}

impl NodeMetrics {
    /// Has nobody to ask yet: knows what is delivered.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks this sampler from now on.
    pub fn set_sampler(&self, sampler: Arc<dyn Sampler>) {
        let mut state = self.state();
        if !state.stopped {
            state.sampler = Some(sampler);
        }
    }

    /// Asks for a sample, unless a question is open already, and waits until one has come that is
    /// newer than this call. Returns in any case when `js_timeout` is over, and tells whether the
    /// JavaScript thread has answered: if not, the last sample and its age are what there is.
    pub async fn refresh(&self, js_timeout: Duration) -> bool {
        self.refresh_by(|sampler| sampler.ask(), js_timeout).await
    }

    /// As [`NodeMetrics::refresh`], and takes nothing away from the next scrape.
    pub async fn peek(&self, js_timeout: Duration) -> bool {
        self.refresh_by(|sampler| sampler.peek(), js_timeout).await
    }

    async fn refresh_by(&self, put: fn(&dyn Sampler) -> bool, js_timeout: Duration) -> bool {
        let Some(mut end) = self.question(put) else { return false };
        timeout(js_timeout, end.changed()).await.is_ok_and(|ended| ended.is_ok())
    }

    /// Makes sure that a question is open. Its end changes the receiver; `None`: nobody to ask.
    fn question(&self, put: fn(&dyn Sampler) -> bool) -> Option<watch::Receiver<()>> {
        let (sampler, end) = {
            let mut state = self.state();
            let sampler = state.sampler.clone()?;
            // Before the question: an answer can be faster than this thread.
            let end = self.ends.subscribe();
            if state.open_since.is_some() {
                return Some(end);
            }
            state.open_since = Some(Instant::now());
            (sampler, end)
        };
        if put(&*sampler) {
            return Some(end);
        }
        self.state().open_since = None;
        self.ends.send_replace(());
        None
    }

    /// Takes the JavaScript thread's answer; also one that nobody waits for any more.
    pub fn deliver(&self, sample: Sample) {
        self.end_question(Some(sample));
    }

    /// Takes note that the JavaScript thread runs, but has no sample to give. The last one stays.
    pub fn decline(&self) {
        self.end_question(None);
    }

    fn end_question(&self, sample: Option<Sample>) {
        let now = Instant::now();
        {
            let mut state = self.state();
            if state.stopped {
                return;
            }
            if let Some(since) = state.open_since.take() {
                state.last_wait = now.saturating_duration_since(since);
            }
            if let Some(sample) = sample {
                state.sample = Some((Arc::new(sample), now));
            }
        }
        self.ends.send_replace(());
    }

    /// Ends asking, wakes who waits, and lets go of the sampler. What was known stays readable.
    pub fn stop(&self) {
        let sampler = {
            let mut state = self.state();
            state.stopped = true;
            state.open_since = None;
            state.sampler.take()
        };
        // Outside the lock: letting go of a threadsafe function runs code that is not ours.
        drop(sampler);
        self.ends.send_replace(());
    }

    /// The last sample.
    #[must_use]
    pub fn sample(&self) -> Option<Arc<Sample>> {
        self.state().sample.as_ref().map(|(sample, _)| Arc::clone(sample))
    }

    /// How long ago the last sample came.
    #[must_use]
    pub fn sample_age(&self) -> Option<Duration> {
        self.state().sample.as_ref().map(|(_, taken)| taken.elapsed())
    }

    /// How long the event loop keeps, or kept, the last question waiting.
    #[must_use]
    pub fn lag(&self) -> Duration {
        let state = self.state();
        state.open_since.map_or(state.last_wait, |since| since.elapsed())
    }

    /// How long the open question has been waiting; `None` when none is open: the loop answers.
    #[must_use]
    pub fn waiting(&self) -> Option<Duration> {
        self.state().open_since.map(|since| since.elapsed())
    }

    /// The `nodejs_*` families in prom-client's order, `labels` on each sample. Without a sample
    /// there is only the lag.
    #[must_use]
    pub fn families(&self, labels: &[(&str, &str)]) -> Vec<MetricFamily> {
        families::render(self.lag(), self.sample().as_deref(), labels)
    }

    /// `hypertrace_sample_age_seconds`, once there is a sample. Apart from the others, as a prefix
    /// for the default metrics does not concern it.
    #[must_use]
    pub fn age_family(&self, labels: &[(&str, &str)]) -> Option<MetricFamily> {
        let age = self.sample_age()?.as_secs_f64();
        Some(descriptors::SAMPLE_AGE.family([(families::pairs(labels, &[]), age)]))
    }

    /// Every critical section leaves the state whole, so that a panic elsewhere spoils nothing.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
