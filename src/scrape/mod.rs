//! One scrape: asks the JavaScript threads for a sample, waits a little, and puts the page together.
//!
//! Runs on the server thread, or on the JavaScript thread where that asks for a page itself.

mod members;
mod register;
mod summary;

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use prometheus::proto::MetricFamily;

pub use members::{Member, Members};
pub use register::{PageAsker, PageQuestions, RegisterPage, RegisterPages};

use self::summary::Summing;
use crate::{
    catalogue,
    counter::TraceCounter,
    exposition::{CONTENT_TYPE, Page, dress, write_families},
    node_metrics::ProcessSample,
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
    members: Members,
    defaults: Option<Dress>,
    /// When this began, by the clock on the wall and by one that never jumps.
    start: (SystemTime, Instant),
}

impl Scraper {
    /// A scraper of this counter and, if they are dressed, of the default metrics.
    #[must_use]
    pub fn new(counter: Arc<TraceCounter>, defaults: Option<Dress>) -> Self {
        let start = (SystemTime::now(), Instant::now());
        Self { counter, members: Members::default(), defaults, start }
    }

    /// The counter.
    #[must_use]
    pub fn counter(&self) -> &Arc<TraceCounter> {
        &self.counter
    }

    /// The JavaScript threads that count.
    #[must_use]
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// The calling JavaScript thread as one more that counts.
    pub fn join(&self, worker: Option<u32>) -> Arc<Member> {
        self.members.join(self.counter.open_shard(), worker)
    }

    /// Takes a thread's figures off the page, and tells whether any thread is left. What it counted
    /// stays, and it may count on.
    pub fn leave(&self, member: &Arc<Member>) -> bool {
        member.node.stop();
        self.members.leave(member)
    }

    /// The default families as they are now, with the last samples of the JavaScript threads; none if
    /// they are not collected.
    #[must_use]
    pub fn families(&self) -> Vec<MetricFamily> {
        let Some(given) = &self.defaults else { return Vec::new() };
        let mut families = process::families(self.process_sample().as_ref());
        families.extend(self.members.families());
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
        families.extend(self.members.ages());
        families
    }

    /// What a JavaScript thread has told of the process, where only JavaScript can.
    fn process_sample(&self) -> Option<ProcessSample> {
        self.members.all().iter().find_map(|member| member.node.sample()?.process)
    }
}

/// A page of a [`Scraper`]'s own.
pub struct OwnPages(pub Arc<Scraper>);

impl Source for OwnPages {
    fn scrape(&self, patience: Duration) -> Pin<Box<dyn Future<Output = Scrape> + Send>> {
        let scraper = Arc::clone(&self.0);
        Box::pin(async move {
            if scraper.defaults.is_some() {
                scraper.members.refresh(patience).await;
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
