//! The page of a prom-client registry: only JavaScript can render it, so it is requested from the
//! JavaScript thread, with a time limit.
//!
//! Requests are made on the server thread, responses come on the JavaScript thread.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::future::join;
use prometheus::proto::MetricFamily;
use tokio::{sync::oneshot, time::timeout};

use super::{Gatherer, summary, summary::SummaryFuture};
use crate::{
    default_metrics::descriptors,
    exposition::{Format, RenderedPage, write_families},
    server::{BoxFuture, Scrape, ScrapeRequest, Source},
};

/// Serves the pages of a prom-client registry. If the JavaScript thread does not render one in time,
/// the page is what Rust owns, and says that it is incomplete.
pub struct RegisterSource {
    /// Gathers what Rust owns.
    pub gatherer: Arc<Gatherer>,
    /// Sends the requests.
    pub requester: Arc<dyn RenderRequester>,
    /// The open requests.
    pub requests: Arc<RenderRequests>,
}

/// Requests a page from the JavaScript thread.
pub trait RenderRequester: Send + Sync {
    /// Sends a request and returns at once; [`RenderRequests::respond`] takes the response. Returns
    /// `false` if the JavaScript thread has ended.
    fn request_page(&self, request: u32) -> bool;
}

/// A page as a registry rendered it.
#[derive(Debug)]
pub struct RegisterPage {
    /// The page.
    pub text: String,
    /// The registry's content type.
    pub content_type: String,
}

/// The open requests for pages.
#[derive(Default)]
pub struct RenderRequests {
    last: AtomicU32,
    open: Mutex<HashMap<u32, oneshot::Sender<Option<RegisterPage>>>>,
}

impl RenderRequests {
    /// Responds to a request; `None` if the registry could not render. A late response is dropped.
    pub fn respond(&self, request: u32, page: Option<RegisterPage>) {
        if let Some(sender) = self.open().remove(&request) {
            let _ = sender.send(page);
        }
    }

    async fn page(&self, requester: &dyn RenderRequester, limit: Duration) -> Option<RegisterPage> {
        let request = self.last.fetch_add(1, Ordering::Relaxed);
        let (sender, response) = oneshot::channel();
        self.open().insert(request, sender);
        let page = if requester.request_page(request) {
            timeout(limit, response).await.ok().and_then(Result::ok).flatten()
        } else {
            None
        };
        self.open().remove(&request);
        page
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u32, oneshot::Sender<Option<RegisterPage>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for RegisterSource {
    fn scrape(&self, request: ScrapeRequest) -> BoxFuture<'static, Scrape> {
        let gatherer = Arc::clone(&self.gatherer);
        let (requester, requests) = (Arc::clone(&self.requester), Arc::clone(&self.requests));
        Box::pin(async move {
            // The page waits as long as the scraper does: a series that is missing on one page ends for
            // Prometheus. The samples are requested too, for the lag and for a page without the register.
            let page = requests.page(&*requester, request.register_timeout);
            let (_, page) = join(gatherer.threads.refresh(request.js_timeout), page).await;
            page.map_or_else(
                || {
                    // The registry's pages are text and show each series at its value, so this one does
                    // too: a series at 0 would fall.
                    let request = ScrapeRequest { format: Format::Text, scraper: None, ..request };
                    gatherer.scrape(&request, &[incomplete(1.0)])
                },
                complete,
            )
        })
    }

    fn summary(&self, query: &str, js_timeout: Duration) -> SummaryFuture {
        summary::summarise(&self.gatherer, query, js_timeout)
    }
}

fn complete(RegisterPage { text, content_type }: RegisterPage) -> Scrape {
    let mut page = text.into_bytes();
    // OpenMetrics ends with a line of its own, after which nothing may follow.
    let end = page.strip_suffix(OPENMETRICS_END).map_or(page.len(), <[u8]>::len);
    let closing = page.split_off(end);
    if page.last().is_some_and(|last| *last != b'\n') {
        page.push(b'\n');
    }
    write_families(&mut page, Format::Text, &[incomplete(0.0)]);
    page.extend_from_slice(&closing);
    Scrape { content_type, page: Box::new(RenderedPage::new(page)), on_complete: None }
}

const OPENMETRICS_END: &[u8] = b"# EOF\n";

fn incomplete(value: f64) -> MetricFamily {
    descriptors::INCOMPLETE.family([(Vec::new(), value)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        counter::{
            ScraperId,
            tests::{Thread, counter_with},
        },
        exposition::render_all,
    };

    /// A JavaScript thread that has ended.
    struct NoThread;

    impl RenderRequester for NoThread {
        fn request_page(&self, _: u32) -> bool {
            false
        }
    }

    #[test]
    fn without_the_registry_a_scraper_gets_text_with_each_series_at_its_value() {
        let counter = Arc::new(counter_with(&[], 10));
        let mut counting = Thread::join(&counter);
        let slot = counter.intern(["A"]).slot;
        counting.count(&counter, slot);
        let gatherer = Arc::new(Gatherer::new(Arc::clone(&counter), None));
        let source =
            RegisterSource { gatherer, requester: Arc::new(NoThread), requests: Arc::default() };
        let request = ScrapeRequest {
            js_timeout: Duration::ZERO,
            register_timeout: Duration::ZERO,
            format: Format::Protobuf,
            scraper: Some(ScraperId(1)),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let mut scrape = runtime.expect("a runtime").block_on(source.scrape(request));
        let page = String::from_utf8(render_all(&mut *scrape.page)).expect("UTF-8");
        assert!(page.contains("\ntrace_counter{object_classname=\"A\"} 1\n"), "{page}");
        assert!(page.ends_with("\nhypertrace_scrape_incomplete 1\n"), "{page}");
        assert_eq!(scrape.content_type, Format::Text.content_type());
        counting.leave(&counter);
    }

    fn completed(text: &str) -> String {
        let page = RegisterPage { text: text.into(), content_type: "text/plain".into() };
        let mut scrape = complete(page);
        String::from_utf8(render_all(&mut *scrape.page)).expect("UTF-8")
    }

    #[test]
    fn the_page_of_a_registry_says_that_it_is_complete() {
        let table = [
            ("a 1\n", "a 1\n", ""),
            ("a 1", "a 1\n", ""),
            ("", "", ""),
            ("a 1\n# EOF\n", "a 1\n", "# EOF\n"),
        ];
        let mut family = Vec::new();
        write_families(&mut family, Format::Text, &[incomplete(0.0)]);
        let family = String::from_utf8(family).expect("UTF-8");
        assert!(family.ends_with("\nhypertrace_scrape_incomplete 0\n"));
        for (text, before, after) in table {
            assert_eq!(completed(text), format!("{before}{family}{after}"), "{text:?}");
        }
    }
}
