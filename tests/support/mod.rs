//! Helpers of the server's tests: pages of any size, servers on free ports, and a client.

#![allow(dead_code, reason = "no test file uses all of it")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
pub mod tls;

use std::{
    io::Write,
    net::SocketAddr,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use hypertrace_prometheus::{
    exposition::{CHUNK_BYTES, CachedVersions, Format, Render, Step},
    server::{Limits, Scrape, ScrapeRequest, Server, Source, access::AccessPolicy, listen},
};

use tokio::sync::{
    Mutex,
    mpsc::{UnboundedSender, unbounded_channel},
};

pub use self::client::{Client, Response};

/// The maximum time of every wait. A test fails when it is reached.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// A scrape without compression.
pub const GET: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

pub type ScrapeFuture = BoxFuture<'static, Scrape>;

/// A source whose scrapes are made by a closure.
pub struct FnSource<F>(pub F);

impl<F: Fn(Duration) -> ScrapeFuture + Send + Sync + 'static> Source for FnSource<F> {
    fn scrape(&self, request: ScrapeRequest) -> ScrapeFuture {
        (self.0)(request.js_timeout)
    }

    /// Returns the query as JSON. The query `bad` is an error, and `fault` panics.
    fn summary(
        &self,
        query: &str,
        _js_timeout: Duration,
    ) -> BoxFuture<'static, Result<Vec<u8>, String>> {
        assert_ne!(query, "fault");
        let json = format!("{{\"query\":\"{query}\"}}").into_bytes();
        let result = if query == "bad" { Err("This query is wrong.".to_owned()) } else { Ok(json) };
        Box::pin(async move { result })
    }
}

/// A page of [`text`]; before each chunk, `before_chunk` is called with its number.
pub struct Lines<F: FnMut(usize) + Send> {
    next: usize,
    count: usize,
    chunk: usize,
    before_chunk: F,
}

impl<F: FnMut(usize) + Send> Render for Lines<F> {
    fn render(&mut self, _: &CachedVersions<'_>, out: &mut Vec<u8>) -> Step {
        (self.before_chunk)(self.chunk);
        self.chunk += 1;
        while self.next < self.count && out.len() < CHUNK_BYTES {
            line(self.next, out);
            self.next += 1;
        }
        Step::Text { more: self.next < self.count }
    }
}

fn line(number: usize, out: &mut Vec<u8>) {
    if number == 0 {
        out.extend_from_slice(b"# HELP x Test.\n# TYPE x counter\n");
    } else {
        // About half of the line is compressible, as on a real page.
        let noise = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        writeln!(out, "x{{caller_filename=\"/home/a/b.js\",n=\"{noise:x}\"}} {number}").unwrap();
    }
}

/// Returns the text of a page of `count` lines.
pub fn text(count: usize) -> Vec<u8> {
    let mut out = Vec::new();
    (0..count).for_each(|number| line(number, &mut out));
    out
}

/// Returns the number of lines of a page of about this many bytes.
pub fn lines_in(bytes: usize) -> usize {
    bytes / 62 + 1
}

pub fn scrape(page: impl Render + 'static) -> Scrape {
    Scrape {
        content_type: Format::Text.content_type().to_owned(),
        page: Box::new(page),
        on_complete: None,
    }
}

pub fn lines(count: usize) -> Lines<impl FnMut(usize) + Send> {
    lines_with(count, |_| {})
}

pub fn lines_with<F: FnMut(usize) + Send>(count: usize, before_chunk: F) -> Lines<F> {
    Lines { next: 0, count, chunk: 0, before_chunk }
}

/// Returns a source whose page has `count` lines.
pub fn page_of(count: usize) -> Arc<dyn Source> {
    Arc::new(FnSource(move |_| -> ScrapeFuture { Box::pin(async move { scrape(lines(count)) }) }))
}

/// Returns a source whose page has 20 lines.
pub fn small() -> Arc<dyn Source> {
    page_of(20)
}

/// Returns a source whose scrapes wait: each one receives a message of the sender before it returns its page.
pub fn paused(count: usize) -> (Arc<dyn Source>, Started, UnboundedSender<()>) {
    let (sender, started) = mpsc::channel();
    let (resume, resumed) = unbounded_channel();
    let resumed = Arc::new(Mutex::new(resumed));
    let source = FnSource(move |_| -> ScrapeFuture {
        sender.send(()).unwrap();
        let resumed = Arc::clone(&resumed);
        Box::pin(async move {
            resumed.lock().await.recv().await;
            scrape(lines(count))
        })
    });
    (Arc::new(source), Started(started), resume)
}

/// Receives a message from each scrape that begins.
pub struct Started(pub mpsc::Receiver<()>);

impl Started {
    pub fn wait(&self) {
        self.0.recv_timeout(TIMEOUT).unwrap();
    }
}

/// Returns limits that are short enough for a test to wait for.
pub fn short_limits() -> Limits {
    Limits {
        idle: Duration::from_millis(700),
        head: Duration::from_millis(500),
        stall: Duration::from_millis(500),
        response: Duration::from_secs(4),
        stop_grace: Duration::from_millis(400),
        ..Limits::default()
    }
}

pub struct Running {
    pub server: Server,
    pub address: SocketAddr,
}

/// Starts a server on a free port of 127.0.0.1.
pub fn start(source: Arc<dyn Source>, limits: Limits) -> Running {
    start_with_access(AccessPolicy::default(), source, limits)
}

/// Starts a server with access control on a free port of 127.0.0.1.
pub fn start_with_access(policy: AccessPolicy, source: Arc<dyn Source>, limits: Limits) -> Running {
    let listeners = listen::bind("127.0.0.1", 0).unwrap();
    let server = Server::start_with_access(policy, listeners, source, limits).unwrap();
    let address = server.addresses()[0];
    Running { server, address }
}

impl Running {
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Scrapes on a new connection.
    pub fn scrape(&self) -> Response {
        let mut client = self.connect();
        client.send(GET);
        client.response()
    }

    /// Stops the server, waits for its end, and returns how long that took.
    pub fn stop(&self) -> Duration {
        let begin = Instant::now();
        let (sender, stopped) = mpsc::channel();
        self.server.stop(move || sender.send(()).unwrap());
        stopped.recv_timeout(TIMEOUT).expect("the server ends");
        begin.elapsed()
    }
}

/// Polls a condition until it is true.
#[track_caller]
pub fn eventually(condition: &str, mut is_true: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_true() {
        assert!(begin.elapsed() < TIMEOUT, "{condition}, within {TIMEOUT:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Returns a lock, so that tests of one file which measure the whole process run one after another.
pub fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
