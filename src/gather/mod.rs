//! One scrape: requests a sample from each JavaScript thread, waits for a short time, and composes the
//! page.
//!
//! Runs on the server thread, or on the JavaScript thread that asks for a page itself.

mod recorder;
mod recording;
mod register;
mod summary;
mod threads;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use prometheus::proto::MetricFamily;

pub use self::{
    register::{RegisterPage, RegisterSource, RenderRequester, RenderRequests},
    threads::{JsThread, JsThreads, WORKER_LABEL},
};

pub use self::recorder::Recorder;
use self::summary::{HistoryFuture, SummaryFuture};
use crate::{
    counter::{ScraperId, TraceCounter},
    default_metrics::{descriptors, node::ProcessSample, process},
    exposition::{Format, Page, apply_options, write_families},
    server::{BoxFuture, Scrape, ScrapeRequest, Source},
};

/// The label of the samples of one process, on a page of several processes.
pub const PROCESS_LABEL: &str = "process";

/// The user's options for the default metrics.
#[derive(Clone, Debug, Default)]
pub struct DefaultMetricsOptions {
    /// `true` if the families `process_*` and `nodejs_*` are collected, and not only `hypertrace_*`.
    pub runtime: bool,
    /// The prefix of the names of `process_*` and `nodejs_*`.
    pub prefix: String,
    /// The labels that are added to each sample, unless it has a label of the same name.
    pub default_labels: Vec<(String, String)>,
}

/// Gathers the families of a page: the trace counter and the default metrics.
pub struct Gatherer {
    counter: Arc<TraceCounter>,
    threads: JsThreads,
    default_metrics: Option<DefaultMetricsOptions>,
    /// The number of calls that threads could not count before they left.
    lost_calls: Mutex<f64>,
    /// The number of this process among those of its port; 0 if the port cannot be shared.
    process: AtomicU32,
    /// The start of this gatherer, by the system's clock and by a monotonic one.
    start: (SystemTime, Instant),
    recorder: Option<Arc<Recorder>>,
    identity: ProcessIdentity,
}

/// The names of the process, which only JavaScript can read.
#[derive(Clone, Debug, Default)]
pub struct ProcessIdentity {
    /// The title of the process, or the name of its script.
    pub name: Option<String>,
    /// The version of the runtime.
    pub node_version: Option<String>,
}

impl Gatherer {
    /// Creates a gatherer of this counter, and of the default metrics if their options are given.
    #[must_use]
    pub fn new(counter: Arc<TraceCounter>, default_metrics: Option<DefaultMetricsOptions>) -> Self {
        let start = (SystemTime::now(), Instant::now());
        Self {
            counter,
            threads: JsThreads::default(),
            default_metrics,
            lost_calls: Mutex::default(),
            process: AtomicU32::new(0),
            start,
            recorder: None,
            identity: ProcessIdentity::default(),
        }
    }

    /// Sets the names of the process.
    #[must_use]
    pub fn with_identity(mut self, identity: ProcessIdentity) -> Self {
        self.identity = identity;
        self
    }

    /// Adds a recorder of the last `seconds`, which runs while a server serves the pages. With 0 seconds, adds
    /// no recorder.
    #[must_use]
    pub fn with_recorder(mut self, seconds: u32) -> Self {
        self.recorder = (seconds > 0).then(|| Arc::new(Recorder::new(seconds, &self.counter)));
        self
    }

    /// Runs the recorder, until the future is dropped.
    pub async fn record(self: Arc<Self>) {
        if let Some(recorder) = self.recorder.clone() {
            recording::record(self, recorder).await;
        }
    }

    /// Returns the counter.
    #[must_use]
    pub fn counter(&self) -> &Arc<TraceCounter> {
        &self.counter
    }

    /// Returns the time at which this gatherer was created, by the system's clock.
    #[must_use]
    pub fn opened(&self) -> SystemTime {
        self.start.0
    }

    /// Returns the JavaScript threads that count.
    #[must_use]
    pub fn threads(&self) -> &JsThreads {
        &self.threads
    }

    /// Adds the calling JavaScript thread to those that count. `worker` is its number, if it is a worker
    /// thread.
    pub fn join(&self, worker: Option<u32>) -> Arc<JsThread> {
        self.threads.join(self.counter.open_shard(), worker)
    }

    /// Removes the `nodejs_*` families of a thread, and returns whether any thread remains. The thread's
    /// counts remain, and it may continue to count.
    pub fn leave(&self, thread: &Arc<JsThread>) -> bool {
        thread.node.stop();
        thread.watch.leave();
        *self.lost_calls() += thread.lost_calls();
        self.threads.leave(thread)
    }

    /// Returns the default families, with the last samples of the JavaScript threads; none if they are
    /// not collected.
    #[must_use]
    pub fn families(&self) -> Vec<MetricFamily> {
        let Some(options) = &self.default_metrics else { return Vec::new() };
        let mut families = Vec::new();
        if options.runtime {
            families.extend(process::families(self.process_sample().as_ref()));
            families.extend(self.threads.families());
        }
        let labels = self.common_labels(&options.default_labels);
        let mut families = apply_options(families, &options.prefix, &labels);
        let own = self.own_families(options.runtime);
        families.extend(apply_options(own, "", &labels));
        families
    }

    /// Sets the number of this process among those of its port. It becomes the label [`PROCESS_LABEL`] of each
    /// sample.
    pub fn set_process(&self, number: u32) {
        self.process.store(number, Ordering::Relaxed);
        self.counter.set_common_label(PROCESS_LABEL, &number.to_string());
    }

    /// Returns the number of this process among those of its port; 0 if the port cannot be shared.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.process.load(Ordering::Relaxed)
    }

    /// Returns the options for the default metrics, if they are collected.
    #[must_use]
    pub fn default_metrics(&self) -> Option<&DefaultMetricsOptions> {
        self.default_metrics.as_ref()
    }

    fn common_labels(&self, defaults: &[(String, String)]) -> Vec<(String, String)> {
        let mut labels = defaults.to_vec();
        let process = self.process();
        if process != 0 {
            labels.push((PROCESS_LABEL.to_owned(), process.to_string()));
        }
        labels
    }

    /// Starts a page. `scraper` is the scraper that the page is for, if the client announces itself.
    #[must_use]
    pub fn page(&self, format: Format, scraper: Option<ScraperId>) -> Page {
        self.page_with(format, scraper, &[])
    }

    fn page_with(&self, format: Format, scraper: Option<ScraperId>, more: &[MetricFamily]) -> Page {
        let mut families = self.families();
        families.extend_from_slice(more);
        let mut encoded = Vec::new();
        write_families(&mut encoded, format, &families);
        Page::new(Arc::clone(&self.counter), format, scraper, encoded)
    }

    /// Starts a page that the server sends.
    fn scrape(&self, request: &ScrapeRequest, more: &[MetricFamily]) -> Scrape {
        let page = self.page_with(request.format, request.scraper, more);
        let (counter, record) = (Arc::clone(&self.counter), page.record());
        Scrape {
            content_type: request.format.content_type().to_owned(),
            page: Box::new(page),
            on_complete: Some(Box::new(move || counter.complete(&record, Instant::now()))),
        }
    }

    /// Requests a sample of each JavaScript thread if a page needs samples, and waits for at most `js_timeout`.
    pub async fn refresh(&self, js_timeout: Duration) {
        if self.needs_samples() {
            self.threads.refresh(js_timeout).await;
        }
    }

    /// Returns whether a scrape has to call the JavaScript threads: for their figures, or for the sweep
    /// that expires idle series.
    fn needs_samples(&self) -> bool {
        self.counter.expires()
            || self.default_metrics.as_ref().is_some_and(|options| options.runtime)
    }

    fn own_families(&self, with_ages: bool) -> Vec<MetricFamily> {
        let stats = self.counter.stats();
        let family = |of: &descriptors::Descriptor, value: f64| of.family([(Vec::new(), value)]);
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
        let mut families = vec![
            family(&descriptors::CALLS, self.counter.calls()),
            family(&descriptors::SERIES, stats.series.into()),
            family(&descriptors::SERIES_LIMIT, stats.limit.into()),
            family(&descriptors::COLLAPSED, stats.collapsed as f64),
            family(&descriptors::OVERFLOWED, stats.overflowed as f64),
            family(&descriptors::EXPIRED, stats.expired as f64),
            family(&descriptors::LOST, self.threads.lost_calls() + *self.lost_calls()),
        ];
        if self.recorder.is_some() {
            families.extend(self.threads.stalls());
        }
        families.push(descriptors::build_info());
        if with_ages {
            families.extend(self.threads.ages());
        }
        families
    }

    fn lost_calls(&self) -> MutexGuard<'_, f64> {
        self.lost_calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the figures of the process from the sample of a JavaScript thread, for systems where only
    /// JavaScript can read them.
    fn process_sample(&self) -> Option<ProcessSample> {
        self.threads.all().iter().find_map(|thread| thread.node.sample()?.process)
    }
}

/// Serves the pages of a [`Gatherer`].
pub struct GathererSource(pub Arc<Gatherer>);

impl Source for GathererSource {
    fn scrape(&self, request: ScrapeRequest) -> BoxFuture<'static, Scrape> {
        let gatherer = Arc::clone(&self.0);
        Box::pin(async move {
            gatherer.refresh(request.js_timeout).await;
            gatherer.scrape(&request, &[])
        })
    }

    fn summary(&self, query: &str, js_timeout: Duration) -> SummaryFuture {
        summary::summarise(&self.0, query, js_timeout)
    }

    fn history(&self, query: &str) -> HistoryFuture {
        summary::history(&self.0, query)
    }

    fn run(&self) -> BoxFuture<'static, ()> {
        Box::pin(Arc::clone(&self.0).record())
    }
}
