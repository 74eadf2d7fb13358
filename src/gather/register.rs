//! The page of a prom-client registry: only JavaScript can render it, so it is requested from the
//! JavaScript thread, with a time limit.
//!
//! The server thread sends the requests; the JavaScript thread responds.

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join;
use prometheus::proto::MetricFamily;
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    Gatherer, summary,
    summary::{HistoryFuture, SummaryFuture},
};
use crate::{
    default_metrics::descriptors,
    exposition::{Format, RenderedPage, write_families},
    server::{BoxFuture, Scrape, ScrapeRequest, Source},
};

/// Serves the pages of a prom-client registry. If the JavaScript thread does not render one in time,
/// the page has the families of Rust only, and says that it is incomplete.
pub struct RegisterSource {
    /// Gathers the families of Rust.
    pub gatherer: Arc<Gatherer>,
    /// Sends the requests.
    pub requester: Arc<dyn RenderRequester>,
    /// The open requests.
    pub requests: Arc<RenderRequests>,
}

/// Requests a page from the JavaScript thread.
pub trait RenderRequester: Send + Sync {
    /// Sends a request and returns at once; the thread passes the response to
    /// [`RenderRequests::respond`]. Returns `false` if the JavaScript thread has ended.
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

/// The number of renderings of one registry that may run at a time. With two, a scraper need not wait for the
/// end of a slow rendering.
const MAX_RENDERINGS: usize = 2;

/// The longest pause between two renderings. A pause is as long as the rendering before it, so that the
/// application has at least as much of its thread as the scrapers.
const MAX_PAUSE: Duration = Duration::from_millis(250);

/// After this time, a rendering for which no scrape waits does not count as running any more.
const ABANDONED: Duration = Duration::from_secs(8);

/// The requests for pages. All scrapes that wait share the next rendering.
#[derive(Default)]
pub struct RenderRequests {
    state: Mutex<State>,
    /// Notified when a rendering has ended.
    ended: Notify,
}

#[derive(Default)]
struct State {
    last: u32,
    /// The next rendering, which has not begun yet.
    next: Option<Next>,
    running: Vec<Running>,
    /// The end of the pause after the last rendering.
    pause: Option<Instant>,
}

struct Next {
    request: u32,
    /// Sends the request; `None` once it is sent.
    requester: Option<Arc<dyn RenderRequester>>,
    waiting: Vec<Waiting>,
}

struct Running {
    request: u32,
    begin: Instant,
    waiting: Vec<Waiting>,
}

type Rendered = Option<Arc<CompletePage>>;
type Waiting = oneshot::Sender<Rendered>;

impl RenderRequests {
    /// Begins a requested rendering. Returns `false` if no scrape waits for it any more. Runs on the JavaScript
    /// thread.
    pub fn begin(&self, request: u32) -> bool {
        let mut state = self.state();
        let Some(next) = state.next.take_if(|next| next.request == request) else { return false };
        let mut waiting = next.waiting;
        waiting.retain(|sender| !sender.is_closed());
        if waiting.is_empty() {
            return false;
        }
        state.running.push(Running { request, begin: Instant::now(), waiting });
        true
    }

    /// Responds to a request; `None` if the registry could not render. A late response is dropped.
    pub fn respond(&self, request: u32, page: Option<RegisterPage>) {
        let page = page.map(|page| Arc::new(CompletePage::from(page)));
        let mut state = self.state();
        let ended = state.running.iter().position(|running| running.request == request);
        let Some(ended) = ended.map(|index| state.running.swap_remove(index)) else { return };
        state.pause = Some(Instant::now() + ended.begin.elapsed().min(MAX_PAUSE));
        drop(state);
        for sender in ended.waiting {
            let _ = sender.send(page.clone());
        }
        self.ended.notify_waiters();
    }

    async fn page(&self, requester: &Arc<dyn RenderRequester>, timeout: Duration) -> Rendered {
        let (sender, mut response) = oneshot::channel();
        let deadline = Instant::now() + timeout;
        self.state().wait(sender, requester);
        loop {
            let mut ended = pin!(self.ended.notified());
            ended.as_mut().enable();
            let retry = self.state().send_next().unwrap_or(deadline).min(deadline);
            tokio::select! {
                biased;
                page = &mut response => return page.ok().flatten(),
                () = ended => {}
                () = sleep_until(retry) => if retry == deadline { return None },
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Adds a scrape to those that wait for the next rendering.
    fn wait(&mut self, sender: Waiting, requester: &Arc<dyn RenderRequester>) {
        if let Some(next) = &mut self.next {
            next.waiting.push(sender);
        } else {
            self.last = self.last.wrapping_add(1);
            let (request, requester) = (self.last, Some(Arc::clone(requester)));
            self.next = Some(Next { request, requester, waiting: vec![sender] });
        }
    }

    /// Sends the next request, unless too many renderings run or there is a pause. Returns the time to
    /// try again.
    fn send_next(&mut self) -> Option<Instant> {
        let next = self.next.as_mut().filter(|next| next.requester.is_some())?;
        // A registry that does not respond must not prevent the next rendering.
        self.running.retain(|running| {
            let is_awaited = running.waiting.iter().any(|sender| !sender.is_closed());
            is_awaited || running.begin.elapsed() < ABANDONED
        });
        if self.running.len() >= MAX_RENDERINGS {
            return None;
        }
        if let Some(pause) = self.pause.filter(|pause| *pause > Instant::now()) {
            return Some(pause);
        }
        if !next.requester.take()?.request_page(next.request) {
            // The JavaScript thread has ended. When the senders are dropped, the scrapes no longer wait.
            self.next = None;
        }
        None
    }
}

impl Source for RegisterSource {
    fn scrape(&self, request: ScrapeRequest) -> BoxFuture<'static, Scrape> {
        let gatherer = Arc::clone(&self.gatherer);
        let (requester, requests) = (Arc::clone(&self.requester), Arc::clone(&self.requests));
        Box::pin(async move {
            // The page waits until shortly before the scraper's timeout, because Prometheus treats a series that
            // is missing on one page as ended. The samples are requested too, for the lag and for a page without
            // the registry.
            let page = requests.page(&requester, request.register_timeout);
            let (_, page) = join(gatherer.threads.refresh(request.js_timeout), page).await;
            if let Some(page) = page {
                return page.scrape();
            }
            // The registry's pages are text and show each series at its value, so this page does too. A
            // series at 0 would look like a fall of the counter.
            let request = ScrapeRequest { format: Format::Text, scraper: None, ..request };
            gatherer.scrape(&request, &[incomplete(1.0)])
        })
    }

    fn summary(&self, query: &str, js_timeout: Duration) -> SummaryFuture {
        summary::summarise(&self.gatherer, query, js_timeout)
    }

    fn history(&self, query: &str) -> HistoryFuture {
        summary::history(&self.gatherer, query)
    }

    fn run(&self) -> BoxFuture<'static, ()> {
        Box::pin(Arc::clone(&self.gatherer).record())
    }
}

/// A registry's page, and a family that shows that the page is complete.
struct CompletePage {
    bytes: Arc<Vec<u8>>,
    content_type: String,
}

impl From<RegisterPage> for CompletePage {
    fn from(RegisterPage { text, content_type }: RegisterPage) -> Self {
        let mut page = text.into_bytes();
        // OpenMetrics ends with a line of its own, after which nothing may follow.
        let end = page.strip_suffix(OPENMETRICS_END).map_or(page.len(), <[u8]>::len);
        let closing = page.split_off(end);
        if page.last().is_some_and(|last| *last != b'\n') {
            page.push(b'\n');
        }
        write_families(&mut page, Format::Text, &[incomplete(0.0)]);
        page.extend_from_slice(&closing);
        Self { bytes: Arc::new(page), content_type }
    }
}

impl CompletePage {
    fn scrape(&self) -> Scrape {
        Scrape {
            content_type: self.content_type.clone(),
            page: Box::new(RenderedPage::new(Arc::clone(&self.bytes))),
            on_complete: None,
        }
    }
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
            process_timeout: Duration::ZERO,
            format: Format::Protobuf,
            gzip: false,
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
        let mut scrape = CompletePage::from(page).scrape();
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

    /// Records the requests, and responds to none by itself.
    #[derive(Default)]
    struct FakeRequester(Mutex<Vec<u32>>);

    impl RenderRequester for FakeRequester {
        fn request_page(&self, request: u32) -> bool {
            self.0.lock().expect("not poisoned").push(request);
            true
        }
    }

    impl FakeRequester {
        fn take(&self) -> Vec<u32> {
            std::mem::take(&mut *self.0.lock().expect("not poisoned"))
        }
    }

    struct Fixture {
        requests: RenderRequests,
        requester: Arc<FakeRequester>,
    }

    impl Fixture {
        fn new() -> Self {
            Self { requests: RenderRequests::default(), requester: Arc::default() }
        }

        /// Begins to wait, and sends a request if it may be sent.
        fn wait(&self) -> oneshot::Receiver<Rendered> {
            let (sender, response) = oneshot::channel();
            let requester = Arc::clone(&self.requester) as Arc<dyn RenderRequester>;
            let mut state = self.requests.state();
            state.wait(sender, &requester);
            state.send_next();
            response
        }

        /// Responds, and ends the pause at once.
        fn respond(&self, request: u32, text: &str) {
            let (text, content_type) = (text.to_owned(), "text/plain".to_owned());
            self.requests.respond(request, Some(RegisterPage { text, content_type }));
            let mut state = self.requests.state();
            state.pause = None;
            state.send_next();
        }
    }

    fn received(mut response: oneshot::Receiver<Rendered>) -> Option<String> {
        let page = response.try_recv().ok()?.expect("a page");
        Some(String::from_utf8_lossy(&page.bytes).lines().next().unwrap_or_default().to_owned())
    }

    #[test]
    fn scrapes_share_a_rendering_that_begins_after_them() {
        let fixture = Fixture::new();
        let first: Vec<_> = (0..64).map(|_| fixture.wait()).collect();
        assert_eq!(fixture.requester.take(), [1]);
        assert!(fixture.requests.begin(1));
        let second: Vec<_> = (0..64).map(|_| fixture.wait()).collect();
        assert_eq!(fixture.requester.take(), [2]);
        fixture.respond(1, "first 1");
        assert!(fixture.requests.begin(2));
        assert!(!fixture.requests.begin(2), "the rendering has already begun");
        fixture.respond(2, "second 1");
        for (responses, text) in [(first, "first 1"), (second, "second 1")] {
            assert!(responses.into_iter().all(|page| received(page).as_deref() == Some(text)));
        }
        assert!(fixture.requester.take().is_empty());
    }

    #[test]
    fn the_rendering_after_two_that_run_waits_for_the_end_of_one() {
        let fixture = Fixture::new();
        let _slow: Vec<_> = (1..=2)
            .map(|request| {
                let response = fixture.wait();
                assert!(fixture.requests.begin(request));
                response
            })
            .collect();
        let others = [fixture.wait(), fixture.wait()];
        assert_eq!(fixture.requester.take(), [1, 2]);
        fixture.respond(2, "slow 1");
        assert_eq!(fixture.requester.take(), [3]);
        assert!(fixture.requests.begin(3));
        fixture.respond(3, "other 1");
        assert!(others.into_iter().all(|page| received(page).as_deref() == Some("other 1")));
    }

    #[test]
    fn a_rendering_that_no_scrape_waits_for_does_not_begin() {
        let fixture = Fixture::new();
        drop(fixture.wait());
        assert!(!fixture.requests.begin(1));
        let response = fixture.wait();
        assert_eq!(fixture.requester.take(), [1, 2]);
        assert!(fixture.requests.begin(2));
        fixture.respond(2, "a 1");
        assert_eq!(received(response).as_deref(), Some("a 1"));
        fixture.respond(2, "late 1");
    }

    #[tokio::test(start_paused = true)]
    async fn a_scrape_gets_its_page_after_the_pause_and_none_at_the_time_limit() {
        let fixture = Fixture::new();
        let requester = Arc::clone(&fixture.requester) as Arc<dyn RenderRequester>;
        let respond = async {
            loop {
                for request in fixture.requester.take() {
                    assert!(fixture.requests.begin(request));
                    let page =
                        RegisterPage { text: format!("a {request}"), content_type: String::new() };
                    fixture.requests.respond(request, Some(page));
                }
                tokio::task::yield_now().await;
            }
        };
        let scrapes = async {
            for request in 1..4 {
                let page = fixture.requests.page(&requester, ABANDONED).await.expect("a page");
                assert!(page.bytes.starts_with(format!("a {request}\n").as_bytes()));
            }
        };
        tokio::select! {
            () = respond => {}
            () = scrapes => {}
        }
        assert!(fixture.requests.page(&requester, ABANDONED).await.is_none(), "nothing responds");
    }
}
