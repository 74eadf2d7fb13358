//! The scrape server: HTTP/1.1 on a thread of its own.
//!
//! The server reads pages through one interface, [`Source`], and never calls JavaScript. It also serves
//! the assets of the [live page](crate::live). Decisions are pure (`route`, `negotiate`, `limits`,
//! `bind_error`, most of [`access`]); effects are at the edge (`listen`, `accept`, `connection`,
//! `lifecycle`). The path of a request:
//!
//! ```text
//! accept ─► (tls) ─► connection ─► service ─► route, access ─► scrape ─► Source::scrape
//!                    the socket ◄─ io_timeout ◄─ body ◄─ encoder ◄──────────────┘
//! ```
//!
//! [`Server::start`] may be called on any thread; everything it starts runs on the server thread.

use std::{io::Write as _, time::Duration};

use crate::exposition::{Format, Render, ScraperId};

mod accept;
pub mod access;
mod bind_error;
mod body;
mod connection;
mod connections;
mod encoder;
mod end;
#[cfg(fuzzing)]
pub mod fuzzing;
pub(crate) mod gzip;
mod io_timeout;
mod lifecycle;
mod limits;
pub mod listen;
mod negotiate;
pub(crate) mod panics;
mod permits;
mod response;
mod route;
mod scrape;
mod service;
mod shutdown;
pub mod tls;

pub use futures_util::future::BoxFuture;

pub use self::{
    lifecycle::{Background, ListenerSet, Server, Setup, THREAD_NAME},
    limits::{Limits, js_timeout},
    negotiate::{Coding, coding},
    route::{METRICS_PATH, Route, route},
};

/// A request for a page.
#[derive(Clone, Copy, Debug)]
pub struct ScrapeRequest {
    /// The time for which the page may wait for the samples of the JavaScript threads.
    pub js_timeout: Duration,
    /// The time for which the page may wait for the registry of the user.
    pub register_timeout: Duration,
    /// The time for which the page may wait for another process.
    pub process_timeout: Duration,
    /// The format that the client prefers.
    pub format: Format,
    /// `true` if the page will be sent in gzip.
    pub gzip: bool,
    /// The scraper, if it announces itself.
    pub scraper: Option<ScraperId>,
}

/// A page and its content type.
pub struct Scrape {
    /// The `Content-Type` of the page.
    pub content_type: String,
    /// The page, not yet rendered.
    pub page: Box<dyn Render>,
    /// Called when the socket has accepted the last byte of the page.
    pub on_complete: Option<OnComplete>,
}

/// A function that is called when a page is complete. Runs on the server thread.
pub type OnComplete = Box<dyn FnOnce() + Send>;

/// The source of the server's pages and summaries.
pub trait Source: Send + Sync + 'static {
    /// Starts a page. Runs on the server thread without blocking it. May wait for the JavaScript
    /// thread for at most `js_timeout`. After that, the page has only the families that need no response.
    fn scrape(&self, request: ScrapeRequest) -> BoxFuture<'static, Scrape>;

    /// Makes the summary of this query string in JSON, or returns a sentence that says what is wrong with the
    /// query (see [`crate::summary`]). Runs and waits as [`Source::scrape`] does.
    fn summary(
        &self,
        query: &str,
        js_timeout: Duration,
    ) -> BoxFuture<'static, Result<Vec<u8>, String>>;

    /// Makes the history of this query string in JSON (see [`crate::recorder`]). Runs as
    /// [`Source::summary`] does, but does not wait for the JavaScript threads.
    fn history(&self, _query: &str) -> BoxFuture<'static, Result<Vec<u8>, HistoryError>> {
        Box::pin(async { Err(HistoryError::Off) })
    }

    /// Does the source's own work on the server thread, beside the requests. The work ends when the server
    /// stops, or before.
    fn run(&self) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

/// The reason why there is no history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryError {
    /// Nothing is recorded.
    Off,
    /// The query is wrong. The sentence says why.
    Query(String),
}

impl HistoryError {
    /// Returns the sentence; an empty one for [`HistoryError::Off`].
    #[must_use]
    pub fn into_sentence(self) -> String {
        match self {
            Self::Off => String::new(),
            Self::Query(sentence) => sentence,
        }
    }

    /// Returns the error with this sentence.
    #[must_use]
    pub fn of_sentence(sentence: String) -> Self {
        if sentence.is_empty() { Self::Off } else { Self::Query(sentence) }
    }
}

/// Writes one line to the standard error of the process. Failures are ignored.
pub(crate) fn log(line: &str) {
    let _ = writeln!(std::io::stderr(), "hypertrace-prometheus: {line}");
}
