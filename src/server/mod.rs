//! The scrape server: HTTP/1.1 on a thread of its own.
//!
//! It knows one read-only interface, [`Source`], and never the JavaScript thread. The decisions are
//! pure (`handler`, `negotiate`, `limits`, `bind_error`, most of [`door`]); the effects are at the edge (`listen`,
//! `accept`, `connection`, `lifecycle`). From a request to its answer:
//!
//! ```text
//! accept ─► (tls) ─► connection ─► door ─► service ─► Source::scrape ─► page ─► body ─► stall ─► the socket
//! ```
//!
//! [`Server::start`] may be called from any thread; everything behind it runs on the server's.

use std::{io::Write as _, time::Duration};

use futures_util::future::BoxFuture;

use crate::exposition::{Format, Render, ScraperId};

mod accept;
pub mod access;
mod bind_error;
mod body;
mod connection;
mod encoder;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gzip;
mod io_timeout;
mod lifecycle;
mod limits;
pub mod listen;
mod negotiate;
mod panics;
mod route;
mod service;
mod shutdown;
pub mod tls;

pub use self::{
    lifecycle::{Server, THREAD_NAME},
    limits::{Limits, js_timeout},
    negotiate::{Coding, coding},
    route::{METRICS_PATH, Route, route},
};

/// A request for a page.
#[derive(Clone, Copy, Debug)]
pub struct ScrapeRequest {
    /// The time that the page may wait for the JavaScript thread.
    pub js_timeout: Duration,
    /// The format that the client prefers.
    pub format: Format,
    /// The scraper, if it announces itself.
    pub scraper: Option<ScraperId>,
}

/// A page that can be sent.
pub struct Scrape {
    /// The `Content-Type` of the page.
    pub content_type: String,
    /// The page.
    pub page: Box<dyn Render>,
    /// Called when the last byte of the page has been accepted by the client's socket.
    pub on_complete: Option<Box<dyn FnOnce() + Send>>,
}

/// The one read-only interface of the server to the rest of the crate: a source of pages.
pub trait Source: Send + Sync + 'static {
    /// Starts a page. Runs on the server thread and never blocks it; may wait for the JavaScript thread,
    /// for at most `js_timeout`, and then responds with what is available without it.
    fn scrape(&self, request: ScrapeRequest) -> BoxFuture<'static, Scrape>;

    /// Responds to `/summary.json` with this query string, as [`crate::summary`] documents: JSON, or
    /// what is wrong with the query. Runs and waits as [`Source::scrape`] does.
    fn summary(
        &self,
        query: &str,
        js_timeout: Duration,
    ) -> BoxFuture<'static, Result<Vec<u8>, String>>;
}

/// Says one line to whoever runs the application. Nothing fails if nobody listens.
fn log(line: &str) {
    let _ = writeln!(std::io::stderr(), "hypertrace-prometheus: {line}");
}
