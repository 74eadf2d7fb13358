//! Faulty and hostile peers: cases 27 and 29 to 33 of docs/scrape-cases.md.
//!
//! Memory and descriptors are measured for the whole process, so the tests run one at a time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    io::{ErrorKind, Read},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use hypertrace_prometheus::{
    exposition::{CachedVersions, Render, Step},
    server::Limits,
};
use support::*;

const SMALL: usize = 20;
const MB: usize = 1024 * 1024;

/// Returns the number of open descriptors of this process, or 0 on other systems than Linux.
fn descriptors() -> usize {
    if !cfg!(target_os = "linux") {
        return 0;
    }
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Returns the resident memory of this process, or 0 on other systems than Linux.
fn resident() -> usize {
    if !cfg!(target_os = "linux") {
        return 0;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// Returns the time until the server closes the connection. Asserts that it sends no byte before.
#[track_caller]
fn closed_after(mut client: Client) -> Duration {
    let begin = Instant::now();
    client.assert_closed();
    begin.elapsed()
}

#[test]
fn case_27_a_silent_connection_is_closed_at_the_idle_limit() {
    let _alone = alone();
    let running = start(small(), short_limits());
    assert!(closed_after(running.connect()) >= Duration::from_millis(600));
    let mut client = running.connect();
    client.send(GET);
    client.response().assert_page(SMALL);
    assert!(closed_after(client) >= Duration::from_millis(600));
}

#[test]
fn case_27_half_a_request_is_closed_at_the_head_limit() {
    let _alone = alone();
    // The idle limit is never reached.
    let running = start(small(), Limits { idle: Duration::from_secs(100), ..short_limits() });
    for request in
        ["G", "GET /metrics HTTP/1.1\r\n", "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r"]
    {
        let mut client = running.connect();
        client.send(request);
        assert!(closed_after(client) >= Duration::from_millis(400), "{request:?}");
    }
    let mut client = running.connect();
    client.send([GET, b"GET /me"].concat());
    client.response().assert_page(SMALL);
    client.send("t");
    assert!(closed_after(client) >= Duration::from_millis(400));
}

#[test]
fn case_27_a_request_byte_by_byte_is_closed_at_the_head_limit() {
    let _alone = alone();
    let running = start(small(), Limits { idle: Duration::from_secs(100), ..short_limits() });
    let mut client = running.connect();
    client.stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let begin = Instant::now();
    client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: ");
    loop {
        let sent = std::io::Write::write(&mut client.stream, b"x");
        let read = client.stream.read(&mut [0]);
        assert!(!matches!(read, Ok(1)), "no response");
        // A read that times out is `WouldBlock` on Unix and `TimedOut` on Windows.
        let is_open = |error: std::io::Error| {
            matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
        };
        let open = read.is_err_and(is_open);
        if sent.is_err() || !open {
            break;
        }
        assert!(begin.elapsed() < TIMEOUT);
    }
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(450), "{took:?}");
    running.scrape().assert_page(SMALL);
}

#[test]
fn case_29_resets_in_the_middle_of_a_page_leak_nothing() {
    let _alone = alone();
    let running = start(page_of(lines_in(20 * MB)), short_limits());
    let connect_and_reset = |count| {
        for _ in 0..count {
            let mut client = Client::connect_narrow(running.address);
            client.send(GET);
            client.stream.read_exact(&mut [0; 1000]).unwrap();
            client.reset();
        }
    };
    let before = descriptors();
    connect_and_reset(20);
    eventually("the descriptors are closed", || descriptors() <= before);
    let memory = resident();
    connect_and_reset(200);
    eventually("the descriptors are closed", || descriptors() <= before);
    let grown = resident().saturating_sub(memory);
    assert!(grown < 4 * MB, "{grown} bytes more");
    running.scrape().assert_page(lines_in(20 * MB));
}

#[test]
fn case_30_clients_that_never_read_are_cut_and_do_not_delay_others() {
    let _alone = alone();
    // The deadline is never reached.
    let limits = Limits { response: Duration::from_secs(100), ..short_limits() };
    let limits = Limits { stall: Duration::from_secs(2), ..limits };
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    // Each page holds a reference.
    let pages = Arc::new(());
    let reference = Arc::clone(&pages);
    let source = FnSource(move |_| -> ScrapeFuture {
        let large = counted.fetch_add(1, Ordering::SeqCst) < 40;
        let count = if large { lines_in(20 * MB) } else { SMALL };
        let reference = Arc::clone(&reference);
        Box::pin(async move { scrape(lines_with(count, move |_| drop(Arc::clone(&reference)))) })
    });
    let running = start(Arc::new(source), limits);
    let before = descriptors();
    let memory = resident();
    let stalled: Vec<_> = (0..40)
        .map(|_| {
            let mut client = Client::connect_narrow(running.address);
            client.send(GET);
            client
        })
        .collect();
    eventually("all scrapes begin", || requests.load(Ordering::SeqCst) == 40);
    let mut other = running.connect();
    for _ in 0..20 {
        other.send(GET);
        other.response().assert_page(SMALL);
    }
    let grown = resident().saturating_sub(memory);
    assert!(grown < 16 * MB, "{grown} bytes more");
    eventually("all pages are cut", || Arc::strong_count(&pages) == 2);
    for mut client in stalled {
        if cfg!(unix) {
            // The reset arrives although the bytes before it were not read.
            eventually("the connection is reset", || client.stream.take_error().unwrap().is_some());
        }
        assert!(client.read_to_close().len() < 5 * MB);
    }
    drop(other);
    eventually("the descriptors are closed", || descriptors() <= before);
}

#[test]
fn case_31_a_slow_reader_is_cut_at_the_deadline_and_not_at_the_stall_limit() {
    let _alone = alone();
    let limits = Limits {
        stall: Duration::from_millis(600),
        response: Duration::from_millis(2500),
        send_buffer: 16 * 1024,
        ..short_limits()
    };
    let running = start(page_of(lines_in(30 * MB)), limits);
    // The first page is chunked: the server renders it while the client reads. The second one is buffered: only
    // the socket waits for the client.
    for request in
        ["GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /metrics HTTP/1.0\r\n\r\n"]
    {
        let mut client = Client::connect_narrow(running.address);
        client.send(request);
        let begin = Instant::now();
        let mut buffer = vec![0; 32 * 1024];
        let mut total = 0;
        while let Ok(length @ 1..) = client.stream.read(&mut buffer) {
            total += length;
            std::thread::sleep(Duration::from_millis(10));
            assert!(begin.elapsed() < TIMEOUT);
        }
        let took = begin.elapsed();
        assert!(took >= Duration::from_millis(2300), "{took:?}, {total} bytes");
        assert!((MB / 8..30 * MB).contains(&total), "{total}");
    }
}

#[test]
fn case_32_a_thousand_idle_connections_do_no_harm_and_are_closed() {
    let _alone = alone();
    let limits = Limits { idle: Duration::from_secs(2), ..short_limits() };
    let running = start(small(), limits);
    let mut idle: Vec<_> = (0..1000).map(|_| running.connect()).collect();
    running.scrape().assert_page(SMALL);
    for client in &mut idle {
        client.assert_closed();
    }
    running.scrape().assert_page(SMALL);
}

#[test]
fn case_33_connections_beyond_the_limit_are_closed_until_another_one_ends() {
    let _alone = alone();
    let never = Duration::from_secs(100);
    let limits = Limits { connections: 3, idle: never, response: never, ..short_limits() };
    let (source, started, resume) = paused(SMALL);
    let running = start(source, limits);
    let mut clients: Vec<_> = (0..3).map(|_| running.connect()).collect();
    for client in &mut clients {
        client.send(GET);
        started.wait();
    }
    for _ in 0..5 {
        running.connect().assert_closed();
    }
    resume.send(()).unwrap();
    clients[0].response().assert_page(SMALL);
    drop(clients.pop());
    eventually("a new connection is served", || {
        let mut client = running.connect();
        client.try_send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client.try_response(false).is_some_and(|response| response.status == 200)
    });
}

#[test]
fn a_buffered_page_beyond_the_limit_gets_a_503() {
    let _alone = alone();
    let limits = Limits { buffered_pages: 0, ..short_limits() };
    let running = start(page_of(10_000), limits.clone());
    let mut client = running.connect();
    client.send("GET /metrics HTTP/1.0\r\n\r\n");
    client.response().assert_text(503);
    running.scrape().assert_page(10_000);
    // A page of one chunk needs no buffer.
    let running = start(small(), limits);
    let mut client = running.connect();
    client.send("GET /metrics HTTP/1.0\r\n\r\n");
    client.response().assert_page(SMALL);
}

#[test]
fn a_page_of_20_mb_takes_less_than_3_mb_of_memory() {
    let _alone = alone();
    let limits = Limits { response: Duration::from_secs(60), ..Limits::default() };
    let running = start(page_of(lines_in(20 * MB)), limits);
    for coding in ["identity", "gzip"] {
        let mut client = running.connect();
        client.send(format!(
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {coding}\r\n\
             Connection: close\r\n\r\n"
        ));
        let mut buffer = vec![0; 64 * 1024];
        let (mut least, mut most, mut total) = (usize::MAX, 0, 0);
        loop {
            let length = client.stream.read(&mut buffer).unwrap();
            total += length;
            if length == 0 {
                break;
            }
            let now = resident();
            least = least.min(now);
            most = most.max(now);
        }
        assert!(total > 2 * MB, "{coding}: {total}");
        assert!(most - least < 3 * MB, "{coding}: {} bytes more", most - least);
    }
}

#[test]
fn a_source_that_never_returns_is_a_503_at_the_deadline() {
    let _alone = alone();
    let source = FnSource(|_| -> ScrapeFuture { Box::pin(std::future::pending()) });
    let limits = Limits { response: Duration::from_millis(300), ..short_limits() };
    let running = start(Arc::new(source), limits);
    let mut client = running.connect();
    client.send(GET);
    client.response().assert_text(503);
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.response().status, 200);
}

#[test]
fn a_page_without_an_end_is_cut_at_the_deadline_and_others_are_served() {
    struct Endless;
    impl Render for Endless {
        fn render(&mut self, _: &CachedVersions<'_>, _: &mut Vec<u8>) -> Step {
            Step::Text { more: true }
        }
    }
    let _alone = alone();
    let source = FnSource(|_| -> ScrapeFuture { Box::pin(async { scrape(Endless) }) });
    let limits = Limits { response: Duration::from_millis(500), ..short_limits() };
    let running = start(Arc::new(source), limits);
    let mut client = running.connect();
    client.send(GET);
    let mut other = running.connect();
    other.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(other.response().status, 200);
    client.response().assert_text(503);
}

#[test]
fn the_deadline_of_a_response_follows_the_scrapers_timeout() {
    let _alone = alone();
    let (source, started, resume) = paused(SMALL);
    let running = start(source, Limits { response: Duration::from_millis(300), ..short_limits() });
    let mut scraper = running.connect();
    scraper.send(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Prometheus-Scrape-Timeout-Seconds: 60\r\n\r\n",
    );
    started.wait();
    let mut other = running.connect();
    other.send(GET);
    other.response().assert_text(503);
    resume.send(()).unwrap();
    scraper.response().assert_page(SMALL);
}
