//! The page of a registry of the user's own: only JavaScript can render it, so it is asked for under
//! a deadline.
//!
//! Questions are put on the server thread, answers come on the JavaScript thread.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use prometheus::proto::MetricFamily;
use tokio::{sync::oneshot, time::timeout};

use super::{Gatherer, JsThread, own, summary, summary::SummaryFuture};
use crate::{
    default_metrics::descriptors,
    exposition::{RenderedPage, write_families},
    server::{BoxFuture, Scrape, Source},
};

/// The pages of a registry of the user's own, asked of the JavaScript thread. Where that does not
/// answer, the page is what Rust owns, and says that it is incomplete.
pub struct RegisterSource {
    /// What Rust owns.
    pub gatherer: Arc<Gatherer>,
    /// The thread that the registry lives in.
    pub thread: Arc<JsThread>,
    /// Who asks.
    pub asker: Arc<dyn RenderRequester>,
    /// The questions under way.
    pub questions: Arc<RenderRequests>,
}

/// Asks the JavaScript thread for a page.
pub trait RenderRequester: Send + Sync {
    /// Puts the question and returns at once; [`RenderRequests::answer`] takes the answer. `false`:
    /// there is nobody to ask any more.
    fn ask(&self, question: u32) -> bool;
}

/// A page as a registry rendered it.
#[derive(Debug)]
pub struct RegisterPage {
    /// The page.
    pub text: String,
    /// The registry's content type.
    pub content_type: String,
}

/// The pages that the JavaScript thread has been asked for.
#[derive(Default)]
pub struct RenderRequests {
    last: AtomicU32,
    open: Mutex<HashMap<u32, oneshot::Sender<Option<RegisterPage>>>>,
}

/// How long a registry that has begun may take to render. Prometheus gives up after 10 s by default.
const RENDER_PATIENCE: Duration = Duration::from_secs(8);

impl RenderRequests {
    /// Answers a question; `None`: the registry could not render. Late answers are dropped.
    pub fn answer(&self, question: u32, page: Option<RegisterPage>) {
        if let Some(sender) = self.open().remove(&question) {
            let _ = sender.send(page);
        }
    }

    async fn page(&self, asker: &dyn RenderRequester) -> Option<RegisterPage> {
        let question = self.last.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.open().insert(question, sender);
        let page = if asker.ask(question) {
            timeout(RENDER_PATIENCE, answer).await.ok().and_then(Result::ok).flatten()
        } else {
            None
        };
        self.open().remove(&question);
        page
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u32, oneshot::Sender<Option<RegisterPage>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for RegisterSource {
    fn scrape(&self, js_timeout: Duration) -> BoxFuture<'static, Scrape> {
        let (gatherer, thread) = (Arc::clone(&self.gatherer), Arc::clone(&self.thread));
        let (asker, questions) = (Arc::clone(&self.asker), Arc::clone(&self.questions));
        Box::pin(async move {
            // The short question first: a loop that is blocked is not waited for any longer.
            let silent = gatherer.threads.refresh(js_timeout).await;
            if !silent.iter().any(|other| Arc::ptr_eq(other, &thread))
                && let Some(page) = questions.page(&*asker).await
            {
                return complete(page);
            }
            own(gatherer.page_with(vec![incomplete(1.0)]))
        })
    }

    fn summary(&self, query: &str, js_timeout: Duration) -> SummaryFuture {
        summary::of(&self.gatherer, query, js_timeout)
    }
}

fn complete(RegisterPage { text, content_type }: RegisterPage) -> Scrape {
    let mut page = text.into_bytes();
    // OpenMetrics ends with a line of its own, which nothing may follow.
    let end = page.strip_suffix(OPENMETRICS_END).map_or(page.len(), <[u8]>::len);
    let closing = page.split_off(end);
    if page.last().is_some_and(|last| *last != b'\n') {
        page.push(b'\n');
    }
    write_families(&mut page, &[incomplete(0.0)]);
    page.extend_from_slice(&closing);
    Scrape { content_type, page: Box::new(RenderedPage::new(page)) }
}

const OPENMETRICS_END: &[u8] = b"# EOF\n";

fn incomplete(value: f64) -> MetricFamily {
    descriptors::INCOMPLETE.family([(Vec::new(), value)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition::render_all;

    fn completed(text: &str) -> String {
        let page = RegisterPage { text: text.into(), content_type: "text/plain".into() };
        let mut scrape = complete(page);
        String::from_utf8(render_all(&mut *scrape.page)).expect("UTF-8")
    }

    #[test]
    fn a_registers_page_says_that_it_is_complete() {
        let table = [
            ("a 1\n", "a 1\n", ""),
            ("a 1", "a 1\n", ""),
            ("", "", ""),
            ("a 1\n# EOF\n", "a 1\n", "# EOF\n"),
        ];
        let mut family = Vec::new();
        write_families(&mut family, &[incomplete(0.0)]);
        let family = String::from_utf8(family).expect("UTF-8");
        assert!(family.ends_with("\nhypertrace_scrape_incomplete 0\n"));
        for (text, before, after) in table {
            assert_eq!(completed(text), format!("{before}{family}{after}"), "{text:?}");
        }
    }
}
