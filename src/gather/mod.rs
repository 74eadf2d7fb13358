//! One scrape: asks the JavaScript threads for a sample, waits a little, and puts the page together.
//!
//! Runs on the server thread, or on the JavaScript thread where that asks for a page itself.

mod register;
mod summary;
mod threads;

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use prometheus::proto::MetricFamily;

pub use register::{RegisterPage, RegisterSource, RenderRequester, RenderRequests};
pub use threads::{JsThread, JsThreads};

use self::summary::SummaryFuture;
use crate::{
    counter::TraceCounter,
    default_metrics::{descriptors, node::ProcessSample, process},
    exposition::{CONTENT_TYPE, Page, apply_options, write_families},
    server::{BoxFuture, Scrape, Source},
};

/// What the default metrics are given by the user.
#[derive(Clone, Debug, Default)]
pub struct DefaultMetricsOptions {
    /// Put before the names of `process_*` and `nodejs_*`.
    pub prefix: String,
    /// Labels that every sample gets if it has none of that name.
    pub default_labels: Vec<(String, String)>,
}

/// All that a page is made of.
pub struct Gatherer {
    counter: Arc<TraceCounter>,
    threads: JsThreads,
    defaults: Option<DefaultMetricsOptions>,
    /// When this began, by the clock on the wall and by one that never jumps.
    start: (SystemTime, Instant),
}

impl Gatherer {
    /// A gatherer of this counter and, if they are dressed, of the default metrics.
    #[must_use]
    pub fn new(counter: Arc<TraceCounter>, defaults: Option<DefaultMetricsOptions>) -> Self {
        let start = (SystemTime::now(), Instant::now());
        Self { counter, threads: JsThreads::default(), defaults, start }
    }

    /// The counter.
    #[must_use]
    pub fn counter(&self) -> &Arc<TraceCounter> {
        &self.counter
    }

    /// The JavaScript threads that count.
    #[must_use]
    pub fn threads(&self) -> &JsThreads {
        &self.threads
    }

    /// The calling JavaScript thread as one more that counts.
    pub fn join(&self, worker: Option<u32>) -> Arc<JsThread> {
        self.threads.join(self.counter.open_shard(), worker)
    }

    /// Takes a thread's figures off the page, and tells whether any thread is left. What it counted
    /// stays, and it may count on.
    pub fn leave(&self, thread: &Arc<JsThread>) -> bool {
        thread.node.stop();
        self.threads.leave(thread)
    }

    /// The default families as they are now, with the last samples of the JavaScript threads; none if
    /// they are not collected.
    #[must_use]
    pub fn families(&self) -> Vec<MetricFamily> {
        let Some(given) = &self.defaults else { return Vec::new() };
        let mut families = process::families(self.process_sample().as_ref());
        families.extend(self.threads.families());
        let mut families = apply_options(families, &given.prefix, &given.default_labels);
        families.extend(apply_options(self.own_families(), "", &given.default_labels));
        families
    }

    /// The page as it is now.
    #[must_use]
    pub fn page(&self) -> Page {
        self.page_with(Vec::new())
    }

    fn page_with(&self, more: Vec<MetricFamily>) -> Page {
        let mut families = self.families();
        families.extend(more);
        let mut tail = Vec::new();
        write_families(&mut tail, &families);
        Page::new(Arc::clone(&self.counter), tail)
    }

    fn own_families(&self) -> Vec<MetricFamily> {
        let stats = self.counter.stats();
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
        let one =
            |of: &descriptors::Descriptor, value: u64| of.family([(Vec::new(), value as f64)]);
        let mut families = vec![
            one(&descriptors::SERIES, stats.series.into()),
            one(&descriptors::SERIES_LIMIT, stats.limit.into()),
            one(&descriptors::COLLAPSED, stats.collapsed),
            one(&descriptors::OVERFLOWED, stats.overflowed),
            one(&descriptors::EXPIRED, stats.expired),
        ];
        families.extend(self.threads.ages());
        families
    }

    /// What a JavaScript thread has told of the process, where only JavaScript can.
    fn process_sample(&self) -> Option<ProcessSample> {
        self.threads.all().iter().find_map(|thread| thread.node.sample()?.process)
    }
}

/// A page of a [`Gatherer`]'s own.
pub struct GathererSource(pub Arc<Gatherer>);

impl Source for GathererSource {
    fn scrape(&self, js_timeout: Duration) -> BoxFuture<'static, Scrape> {
        let gatherer = Arc::clone(&self.0);
        Box::pin(async move {
            if gatherer.defaults.is_some() {
                gatherer.threads.refresh(js_timeout).await;
            }
            own(gatherer.page())
        })
    }

    fn summary(&self, query: &str, js_timeout: Duration) -> SummaryFuture {
        summary::of(&self.0, query, js_timeout)
    }
}

fn own(page: Page) -> Scrape {
    Scrape { content_type: CONTENT_TYPE.to_owned(), page: Box::new(page) }
}
