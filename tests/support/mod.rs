//! What the server's tests share: pages of any size, servers on free ports, and a client.

#![allow(dead_code, reason = "each test file uses its own part of this one")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;

use std::{
    future::Future,
    io::Write,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use hypertrace_prometheus::{
    exposition::{CHUNK_BYTES, CachedVersions, Format, Render, Step},
    server::{Limits, Scrape, ScrapeRequest, Server, Source, access::AccessPolicy, listen},
};

pub use self::client::{Answer, Client};

/// The longest that any single wait may take before its test fails.
pub const MAX_ACCEPT_FAILURES: Duration = Duration::from_secs(10);

/// A request as Prometheus sends it, without compression.
pub const GET: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

pub type Summing = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>>;
pub type Answering = Pin<Box<dyn Future<Output = Scrape> + Send>>;

/// A source made of a closure.
pub struct From<F>(pub F);

impl<F: Fn(Duration) -> Answering + Send + Sync + 'static> Source for From<F> {
    fn scrape(&self, request: ScrapeRequest) -> Answering {
        (self.0)(request.js_timeout)
    }

    /// Says the query back; `bad` is a bad one, and `fault` a fault of the source's.
    fn summary(&self, query: &str, _patience: Duration) -> Summing {
        assert_ne!(query, "fault");
        let said = format!("{{\"query\":\"{query}\"}}").into_bytes();
        let answer = if query == "bad" { Err("That is no query.".to_owned()) } else { Ok(said) };
        Box::pin(async move { answer })
    }
}

/// A page of a known text, written in parts; `fault` is called before each with its number.
pub struct Lines<F: FnMut(usize) + Send> {
    next: usize,
    count: usize,
    part: usize,
    fault: F,
}

impl<F: FnMut(usize) + Send> Render for Lines<F> {
    fn render(&mut self, _: &CachedVersions<'_>, out: &mut Vec<u8>) -> Step {
        (self.fault)(self.part);
        self.part += 1;
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
        // Half of it repeats and half does not, about as on a real page.
        let noise = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        writeln!(out, "x{{caller_filename=\"/home/a/b.js\",n=\"{noise:x}\"}} {number}").unwrap();
    }
}

/// The text of a page of `count` lines.
pub fn text(count: usize) -> Vec<u8> {
    let mut out = Vec::new();
    (0..count).for_each(|number| line(number, &mut out));
    out
}

/// How many lines make a page of about so many bytes.
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
    Lines { next: 0, count, part: 0, fault: |_| {} }
}

pub fn lines_with<F: FnMut(usize) + Send>(count: usize, fault: F) -> Lines<F> {
    Lines { next: 0, count, part: 0, fault }
}

/// A source whose page has `count` lines.
pub fn page_of(count: usize) -> Arc<dyn Source> {
    Arc::new(From(move |_| -> Answering { Box::pin(async move { scrape(lines(count)) }) }))
}

/// A small page.
pub fn small() -> Arc<dyn Source> {
    page_of(20)
}

/// A source that tells when a scrape begins, and goes on when it is told to.
pub fn held(count: usize) -> (Arc<dyn Source>, Begun, mpsc::Sender<()>) {
    let (tell, begun) = mpsc::channel();
    let (go, gone) = mpsc::channel();
    let gone = Arc::new(Mutex::new(gone));
    let source = From(move |_| -> Answering {
        tell.send(()).unwrap();
        let gone = Arc::clone(&gone);
        Box::pin(async move {
            while gone.lock().unwrap().try_recv() == Err(mpsc::TryRecvError::Empty) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            scrape(lines(count))
        })
    });
    (Arc::new(source), Begun(begun), go)
}

/// Tells of each scrape that begins.
pub struct Begun(pub mpsc::Receiver<()>);

impl Begun {
    pub fn wait(&self) {
        self.0.recv_timeout(MAX_ACCEPT_FAILURES).unwrap();
    }
}

/// Limits short enough to be waited for.
pub fn short() -> Limits {
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

/// A server on a free port of 127.0.0.1.
pub fn start(source: Arc<dyn Source>, limits: Limits) -> Running {
    start_with_access(AccessPolicy::default(), source, limits)
}

/// The same, with a door.
pub fn start_with_access(door: AccessPolicy, source: Arc<dyn Source>, limits: Limits) -> Running {
    let listeners = listen::bind("127.0.0.1", 0).unwrap();
    let server = Server::start_with_access(door, listeners, source, limits).unwrap();
    let address = server.addresses()[0];
    Running { server, address }
}

impl Running {
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// One good scrape on a connection of its own.
    pub fn scrape(&self) -> Answer {
        let mut client = self.connect();
        client.send(GET);
        client.answer()
    }

    /// Stops, and waits until that is said to be done.
    pub fn stop(&self) -> Duration {
        let begin = Instant::now();
        let (tell, told) = mpsc::channel();
        self.server.stop(move || tell.send(()).unwrap());
        told.recv_timeout(MAX_ACCEPT_FAILURES).expect("the server ends");
        begin.elapsed()
    }
}

/// Asks again and again, until it is so.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < MAX_ACCEPT_FAILURES, "{what} within {MAX_ACCEPT_FAILURES:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
