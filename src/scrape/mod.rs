//! One scrape: asks the JavaScript thread for a sample, waits a little, and puts the page together.
//!
//! Runs on the server thread, or on the JavaScript thread where that asks for a page itself.

mod register;
mod summary;

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use prometheus::proto::MetricFamily;

pub use register::{PageAsker, PageQuestions, RegisterPage, RegisterPages};

use self::summary::Summing;
use crate::{
    catalogue,
    counter::TraceCounter,
    exposition::{CONTENT_TYPE, Page, dress, write_families},
    node_metrics::NodeMetrics,
    process,
    server::{Scrape, Source},
};

/// What the default metrics are given by the user.
#[derive(Clone, Debug, Default)]
pub struct Dress {
    /// Put before the names of `process_*` and `nodejs_*`.
    pub prefix: String,
    /// Labels that every sample gets if it has none of that name.
    pub default_labels: Vec<(String, String)>,
}

/// All that a page is made of.
pub struct Scraper {
    counter: Arc<TraceCounter>,
    node: NodeMetrics,
    defaults: Option<Dress>,
    /// When this began, by the clock on the wall and by one that never jumps.
    start: (SystemTime, Instant),
}

impl Scraper {
    /// A scraper of this counter and, if they are dressed, of the default metrics.
    #[must_use]
    pub fn new(counter: Arc<TraceCounter>, defaults: Option<Dress>) -> Self {
        let start = (SystemTime::now(), Instant::now());
        Self { counter, node: NodeMetrics::new(), defaults, start }
    }

    /// The counter.
    #[must_use]
    pub fn counter(&self) -> &Arc<TraceCounter> {
        &self.counter
    }

    /// The figures of the JavaScript thread.
    #[must_use]
    pub fn node(&self) -> &NodeMetrics {
        &self.node
    }

    /// The default families as they are now, with the last sample of the JavaScript thread; none if
    /// they are not collected.
    #[must_use]
    pub fn families(&self) -> Vec<MetricFamily> {
        let Some(given) = &self.defaults else { return Vec::new() };
        let sample = self.node.sample();
        let mut families = process::families(sample.as_ref().and_then(|s| s.process.as_ref()));
        families.extend(self.node.families(&[]));
        let mut families = dress(families, &given.prefix, &given.default_labels);
        families.extend(dress(self.own_families(), "", &given.default_labels));
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
        let one = |of: &catalogue::Descriptor, value: u64| of.family([(Vec::new(), value as f64)]);
        let mut families = vec![
            one(&catalogue::SERIES, stats.series.into()),
            one(&catalogue::SERIES_LIMIT, stats.limit.into()),
            one(&catalogue::COLLAPSED, stats.collapsed),
            one(&catalogue::OVERFLOWED, stats.overflowed),
            one(&catalogue::EXPIRED, stats.expired),
        ];
        families.extend(self.node.age_family(&[]));
        families
    }
}

/// A page of a [`Scraper`]'s own.
pub struct OwnPages(pub Arc<Scraper>);

impl Source for OwnPages {
    fn scrape(&self, patience: Duration) -> Pin<Box<dyn Future<Output = Scrape> + Send>> {
        let scraper = Arc::clone(&self.0);
        Box::pin(async move {
            if scraper.defaults.is_some() {
                scraper.node.refresh(patience).await;
            }
            own(scraper.page())
        })
    }

    fn summary(&self, query: &str, patience: Duration) -> Summing {
        summary::of(&self.0, query, patience)
    }
}

fn own(page: Page) -> Scrape {
    Scrape { content_type: CONTENT_TYPE.to_owned(), page: Box::new(page) }
}
