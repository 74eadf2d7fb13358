//! The `nodejs_*` families: the figures of V8 and libuv, which only the JavaScript thread can read.
//!
//! A scrape requests a sample from the JavaScript thread and waits for the response, at most until its
//! timeout. After the timeout, the page has the last sample, with its age. The time for which a request is pending
//! *is* the lag of the event loop, so that a page shows a growing lag while the event loop is blocked.
//!
//! # Invariants
//!
//! - At most one request is pending; scrapes that start meanwhile wait for the same response.
//! - The lock is held for copies and comparisons only, never while requesting, waiting or rendering.
//! - After [`NodeMetrics::stop`] nothing is requested, nothing waits, and no sample is stored.
//!
//! Runs on any thread; [`NodeMetrics::refresh`] needs a tokio runtime with time.

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

/// Requests samples from one JavaScript thread.
pub trait SampleRequester: Send + Sync {
    /// Requests a sample and returns at once. The thread responds with [`NodeMetrics::deliver`] or
    /// [`NodeMetrics::decline`]. Returns `false` if the thread has ended and will not respond.
    ///
    /// Called on the scraping thread, without a lock held.
    fn request(&self, window: DelayWindow) -> bool;
}

/// The effect of a sample on the window in which the event-loop delay is recorded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DelayWindow {
    /// The window ends with the sample, and the next one begins: the reader is a scraper.
    Restart,
    /// The window continues: the reader is not a scraper.
    Keep,
}

/// The last sample of one JavaScript thread, and the pending request.
#[derive(Default)]
pub struct NodeMetrics {
    state: Mutex<State>,
    /// Changes whenever a pending request ends.
    answers: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    requester: Option<Arc<dyn SampleRequester>>,
    sample: Option<(Arc<Sample>, Instant)>,
    pending_since: Option<Instant>,
    last_lag: Duration,
    stopped: bool,
}

impl NodeMetrics {
    /// Creates the metrics of a thread. Without a requester, they have only samples that are delivered without
    /// a request.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the requester of samples, unless requests have been stopped.
    pub fn set_requester(&self, requester: Arc<dyn SampleRequester>) {
        let mut state = self.state();
        if !state.stopped {
            state.requester = Some(requester);
        }
    }

    /// Requests a sample, unless a request is pending. Waits for a response that comes after this call, for at
    /// most `js_timeout`. Returns whether the JavaScript thread has responded; otherwise the last sample
    /// remains, with its age.
    pub async fn refresh(&self, js_timeout: Duration) -> bool {
        self.request_within(DelayWindow::Restart, js_timeout).await
    }

    /// Does the same as [`NodeMetrics::refresh`], but the window of event-loop delay continues until the next
    /// scrape.
    pub async fn peek(&self, js_timeout: Duration) -> bool {
        self.request_within(DelayWindow::Keep, js_timeout).await
    }

    async fn request_within(&self, window: DelayWindow, js_timeout: Duration) -> bool {
        let Some(mut answer) = self.request(window) else { return false };
        timeout(js_timeout, answer.changed()).await.is_ok_and(|changed| changed.is_ok())
    }

    /// Ensures that a request is pending. Returns a receiver that changes when the request ends; `None` if there
    /// is no JavaScript thread.
    fn request(&self, window: DelayWindow) -> Option<watch::Receiver<()>> {
        let (requester, answer) = {
            let mut state = self.state();
            let requester = state.requester.clone()?;
            // Subscribed before the request: the thread can respond before `request` returns.
            let answer = self.answers.subscribe();
            if state.pending_since.is_some() {
                return Some(answer);
            }
            state.pending_since = Some(Instant::now());
            (requester, answer)
        };
        if requester.request(window) {
            return Some(answer);
        }
        self.state().pending_since = None;
        self.answers.send_replace(());
        None
    }

    /// Stores a sample, also one that arrives after the timeout.
    pub fn deliver(&self, sample: Sample) {
        self.end_request(Some(sample));
    }

    /// Ends the pending request without a sample. The last sample remains.
    pub fn decline(&self) {
        self.end_request(None);
    }

    fn end_request(&self, sample: Option<Sample>) {
        let now = Instant::now();
        {
            let mut state = self.state();
            if state.stopped {
                return;
            }
            if let Some(since) = state.pending_since.take() {
                state.last_lag = now.saturating_duration_since(since);
            }
            if let Some(sample) = sample {
                state.sample = Some((Arc::new(sample), now));
            }
        }
        self.answers.send_replace(());
    }

    /// Ends the pending request and all later ones, and drops the requester. The last sample stays
    /// readable.
    pub fn stop(&self) {
        let requester = {
            let mut state = self.state();
            state.stopped = true;
            state.pending_since = None;
            state.requester.take()
        };
        // Outside the lock: releasing a threadsafe function runs code of the runtime.
        drop(requester);
        self.answers.send_replace(());
    }

    /// Returns the last sample.
    #[must_use]
    pub fn sample(&self) -> Option<Arc<Sample>> {
        self.state().sample.as_ref().map(|(sample, _)| Arc::clone(sample))
    }

    /// Returns the age of the last sample.
    #[must_use]
    pub fn sample_age(&self) -> Option<Duration> {
        self.state().sample.as_ref().map(|(_, taken)| taken.elapsed())
    }

    /// Returns the time for which the request has been pending; if none is pending, that of the last request.
    #[must_use]
    pub fn lag(&self) -> Duration {
        let state = self.state();
        state.pending_since.map_or(state.last_lag, |since| since.elapsed())
    }

    /// Returns the time for which the request has been pending; `None` if the event loop has responded.
    #[must_use]
    pub fn waiting(&self) -> Option<Duration> {
        self.state().pending_since.map(|since| since.elapsed())
    }

    /// Returns the `nodejs_*` families in prom-client's order, with `labels` on each sample. Without a
    /// sample there is only the lag.
    #[must_use]
    pub fn families(&self, labels: &[(&str, &str)]) -> Vec<MetricFamily> {
        families::render(self.lag(), self.sample().as_deref(), labels)
    }

    /// Returns `hypertrace_sample_age_seconds`, if there is a sample. It is not among the other families,
    /// because it gets no prefix.
    #[must_use]
    pub fn age_family(&self, labels: &[(&str, &str)]) -> Option<MetricFamily> {
        let age = self.sample_age()?.as_secs_f64();
        Some(descriptors::SAMPLE_AGE.family([(families::pairs(labels, &[]), age)]))
    }

    /// Locks the state. Every critical section leaves the state consistent, so a poisoned lock can be used.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
