//! The limits of connections, scrapes and summaries: no client can exclude other clients.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use hypertrace_prometheus::server::{
    BoxFuture, HistoryError, Limits, ScrapeRequest, Source,
    access::{AccessPolicy, Credentials},
};
use support::*;
use tokio::sync::Semaphore;

const SMALL: usize = 20;
const MB: usize = 1024 * 1024;
const AUTHORIZED: &str =
    "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer right\r\n\r\n";

fn start_with_auth(source: Arc<dyn Source>, limits: Limits) -> Running {
    let credentials = Some(Credentials::bearer("right"));
    start_with_access(AccessPolicy { credentials, ..AccessPolicy::default() }, source, limits)
}

/// Returns limits of time that no test reaches, except those that the test itself sets.
fn long_limits() -> Limits {
    let never = Duration::from_secs(100);
    Limits { idle: never, head: never, stall: never, response: never, ..short_limits() }
}

/// Scrapes with credentials, and returns the status.
fn scrape_authorized(client: &mut Client) -> u16 {
    client.send(AUTHORIZED);
    client.response().status
}

#[test]
fn new_connections_end_silent_ones_without_credentials() {
    let limits = Limits { connections: 16, connections_per_network: 16, ..long_limits() };
    let running = start_with_auth(small(), limits);
    let mut regular = running.connect();
    assert_eq!(scrape_authorized(&mut regular), 200);
    // Some clients send nothing, some send half a request, and some get a 401.
    let requests = ["", "GET /metrics HTTP/1.1\r\n", "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"];
    let mut unauthorized = Vec::new();
    for round in 0..100 {
        let mut client = running.connect();
        client.send(requests[round % 3]);
        unauthorized.push(client);
        let mut client = running.connect();
        assert_eq!(scrape_authorized(&mut client), 200, "{round}");
    }
    assert_eq!(scrape_authorized(&mut regular), 200, "a connection with credentials stays open");
    let (newest, mut ended) = (unauthorized.pop().unwrap(), unauthorized.remove(0));
    ended.assert_closed();
    newest.stream.set_nonblocking(true).unwrap();
    assert!(newest.stream.peek(&mut [0]).is_err(), "the newest connection is open");
}

#[test]
fn new_connections_do_not_end_one_that_is_being_answered() {
    let limits = Limits { connections: 4, connections_per_network: 4, ..long_limits() };
    let (source, started, resume) = paused(SMALL);
    let running = start(source, limits);
    let mut clients: Vec<_> = (0..4).map(|_| running.connect()).collect();
    for client in &mut clients {
        client.send(GET);
        started.wait();
    }
    for _ in 0..3 {
        running.connect().assert_closed();
    }
    for client in &mut clients {
        resume.send(()).unwrap();
        client.response().assert_page(SMALL);
    }
}

#[test]
fn of_silent_connections_the_one_that_has_been_silent_for_longest_ends() {
    let limits = Limits { connections: 3, connections_per_network: 3, ..long_limits() };
    let running = start(small(), limits);
    let mut clients: Vec<_> = (0..3).map(|_| running.connect()).collect();
    for number in [2, 0, 1, 2] {
        clients[number].send(GET);
        clients[number].response().assert_page(SMALL);
    }
    running.scrape().assert_page(SMALL);
    clients.remove(0).assert_closed();
    for client in &mut clients {
        client.send(GET);
        client.response().assert_page(SMALL);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_network_has_no_more_than_its_share_of_the_connections() {
    let limits = Limits { connections: 8, connections_per_network: 6, ..long_limits() };
    let (source, started, resume) = paused(SMALL);
    let running = start(source, limits);
    let connect = |own| Client::connect_from(own, running.address);
    let mut greedy: Vec<_> = (0..6).map(|_| connect([127, 0, 0, 9])).collect();
    let begin = |client: &mut Client| {
        client.send(GET);
        started.wait();
    };
    greedy.iter_mut().for_each(begin);
    for _ in 0..3 {
        connect([127, 0, 0, 9]).assert_closed();
    }
    let mut others: Vec<_> = (0..2).map(|_| connect([127, 0, 0, 1])).collect();
    others.iter_mut().for_each(begin);
    for client in greedy.iter_mut().chain(&mut others) {
        resume.send(()).unwrap();
        client.response().assert_page(SMALL);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn of_silent_connections_those_of_the_network_with_the_most_end_first() {
    let limits = Limits { connections: 8, connections_per_network: 7, ..long_limits() };
    let running = start(small(), limits);
    let mut waiting = running.connect();
    let connect = |_| Client::connect_from([127, 0, 0, 9], running.address);
    let mut flood: Vec<_> = (0..20).map(connect).collect();
    for client in &mut flood[..13] {
        client.assert_closed();
    }
    waiting.send(GET);
    waiting.response().assert_page(SMALL);
}

/// Sends a request for a large page, reads its start, and then stops reading.
fn slow_reader(running: &Running, target: &str) -> Client {
    let mut client = Client::connect_narrow(running.address);
    client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    client.stream.read_exact(&mut [0; 100]).unwrap();
    client
}

#[test]
fn a_new_scrape_ends_one_whose_client_does_not_read() {
    let large = AtomicUsize::new(4);
    let source = FnSource(move |_| -> ScrapeFuture {
        let is_large =
            large.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        let count = if is_large.is_ok() { lines_in(40 * MB) } else { SMALL };
        Box::pin(async move { scrape(lines(count)) })
    });
    let limits = Limits { scrapes: 4, scrapes_per_network: 4, ..long_limits() };
    let running = start(Arc::new(source), limits);
    let mut slow: Vec<_> = (0..4).map(|_| slow_reader(&running, "/metrics")).collect();
    let mut client = running.connect();
    eventually("a new scrape is served", || {
        client.send(GET);
        client.response().status == 200
    });
    let ended = slow.remove(0).read_to_close();
    assert!(ended.len() < 5 * MB, "the scrape that stalled first has ended: {}", ended.len());
    for client in &mut slow {
        client.stream.read_exact(&mut vec![0; 5 * MB]).unwrap();
    }
}

#[test]
fn a_scrape_beyond_the_limit_gets_a_503_if_all_others_make_progress() {
    let limits = Limits { scrapes: 2, scrapes_per_network: 2, ..long_limits() };
    let (source, started, resume) = paused(SMALL);
    let running = start(source, limits);
    let mut clients: Vec<_> = (0..2).map(|_| running.connect()).collect();
    for client in &mut clients {
        client.send(GET);
        started.wait();
    }
    let mut client = running.connect();
    client.send(GET);
    let response = client.response();
    response.assert_text(503);
    assert_eq!(response.header("retry-after"), Some("1"));
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.response().status, 200);
    for client in &mut clients {
        resume.send(()).unwrap();
        client.response().assert_page(SMALL);
    }
    resume.send(()).unwrap();
    client.send(GET);
    client.response().assert_page(SMALL);
}

#[cfg(target_os = "linux")]
#[test]
fn a_network_has_no_more_than_its_share_of_the_scrapes() {
    let limits = Limits { scrapes: 3, scrapes_per_network: 2, ..long_limits() };
    let (source, started, resume) = paused(SMALL);
    let running = start(source, limits);
    let mut greedy: Vec<_> =
        (0..3).map(|_| Client::connect_from([127, 0, 0, 9], running.address)).collect();
    for client in &mut greedy {
        client.send(GET);
    }
    greedy[2].response().assert_text(503);
    let mut other = running.connect();
    other.send(GET);
    for _ in 0..3 {
        started.wait();
        resume.send(()).unwrap();
    }
    other.response().assert_page(SMALL);
}

#[cfg(target_os = "linux")]
#[test]
fn with_credentials_a_network_without_a_scrape_gets_one_beyond_the_limit() {
    let limits = Limits { scrapes: 2, scrapes_per_network: 2, ..long_limits() };
    let (source, started, resume) = paused(SMALL);
    let running = start_with_auth(source, limits);
    let connect = |last| Client::connect_from([127, 0, 0, last], running.address);
    let mut clients: Vec<_> = [1, 1, 2, 3].map(connect).into_iter().collect();
    for client in &mut clients {
        client.send(AUTHORIZED);
        started.wait();
    }
    // Networks 1 and 2 have a scrape under way. Network 4 has none, but the scrapes under way in total are twice
    // the limit.
    for last in [1, 2, 4] {
        let mut client = connect(last);
        assert_eq!(scrape_authorized(&mut client), 503, "{last}");
    }
    for client in &mut clients {
        resume.send(()).unwrap();
        client.response().assert_page(SMALL);
    }
}

/// A source whose summaries and histories wait for a permit and have `bytes` bytes.
struct Summaries {
    permits: Arc<Semaphore>,
    started: mpsc::Sender<()>,
    bytes: usize,
}

impl Source for Summaries {
    fn scrape(&self, _: ScrapeRequest) -> ScrapeFuture {
        Box::pin(async { scrape(lines(SMALL)) })
    }

    fn summary(&self, _: &str, _: Duration) -> BoxFuture<'static, Result<Vec<u8>, String>> {
        let (permits, bytes) = (Arc::clone(&self.permits), self.bytes);
        self.started.send(()).unwrap();
        Box::pin(async move {
            permits.acquire().await.unwrap().forget();
            Ok(vec![b' '; bytes])
        })
    }

    fn history(&self, query: &str) -> BoxFuture<'static, Result<Vec<u8>, HistoryError>> {
        let summary = self.summary(query, Duration::ZERO);
        Box::pin(async { summary.await.map_err(HistoryError::Query) })
    }
}

#[test]
fn summaries_and_histories_wait_for_each_other_and_scrapes_do_not_wait_for_them() {
    let limits = Limits { summaries: 2, waiting_summaries: 3, ..long_limits() };
    let permits = Arc::new(Semaphore::new(0));
    let (sender, started) = mpsc::channel();
    let source = Summaries { permits: Arc::clone(&permits), started: sender, bytes: 10 };
    let running = start(Arc::new(source), limits);
    let mut clients: Vec<_> = (0..6).map(|_| running.connect()).collect();
    for (client, path) in clients.iter_mut().zip(["summary", "history"].into_iter().cycle()) {
        client.send(format!("GET /{path}.json HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        // The server has read the request when it answers the next one.
        running.scrape().assert_page(SMALL);
    }
    clients.pop().unwrap().response().assert_text(503);
    let started = Started(started);
    for client in &mut clients {
        started.wait();
        permits.add_permits(1);
        assert_eq!(client.response().status, 200);
    }
    assert!(started.0.try_recv().is_err());
}

#[test]
fn the_next_summary_ends_one_whose_client_does_not_read() {
    let limits = Limits { summaries: 1, ..long_limits() };
    let permits = Arc::new(Semaphore::new(2));
    let (sender, _started) = mpsc::channel();
    let source = Summaries { permits, started: sender, bytes: 20 * MB };
    let running = start(Arc::new(source), limits);
    let slow = slow_reader(&running, "/summary.json");
    let mut client = running.connect();
    eventually("the next summary is served", || {
        client.send("GET /summary.json HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client.response().status == 200
    });
    drop(slow);
}
