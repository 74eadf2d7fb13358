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

use std::{future::Future, io::Write as _, pin::Pin, time::Duration};

use crate::exposition::Render;

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

/// One scrape's answer: its content type and the page, still to be written.
pub struct Scrape {
    /// The `Content-Type` of the page.
    pub content_type: String,
    /// The page.
    pub page: Box<dyn Render>,
}

/// What the server serves: the one read-only interface it has to the rest of the crate.
pub trait Source: Send + Sync + 'static {
    /// Starts a page. Runs on the server thread and never blocks it; it may wait for the JavaScript
    /// thread, for at most `js_timeout`, and then answers with what is known without it.
    fn scrape(&self, js_timeout: Duration) -> Pin<Box<dyn Future<Output = Scrape> + Send>>;

    /// Answers `/summary.json` with this query string, as [`crate::summary`] tells: JSON, or what is
    /// wrong with the query. Runs and waits as [`Source::scrape`] does.
    fn summary(
        &self,
        query: &str,
        js_timeout: Duration,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>>;
}

/// Says one line to whoever runs the application. Nothing fails if nobody listens.
fn log(line: &str) {
    let _ = writeln!(std::io::stderr(), "hypertrace-prometheus: {line}");
}
