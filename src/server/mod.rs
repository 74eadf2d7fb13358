//! The scrape server: HTTP/1.1 on a thread of its own.

use std::{future::Future, pin::Pin, time::Duration};

use crate::exposition::Render;

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
    /// thread, for at most `patience`, and then answers with what is known without it.
    fn scrape(&self, patience: Duration) -> Pin<Box<dyn Future<Output = Scrape> + Send>>;
}
