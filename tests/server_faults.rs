//! Peers that go wrong, and what they may not cost: cases 27 and 29 to 33 of the project's table.
//!
//! Memory and descriptors are those of this process, so that the tests that look at them run alone.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    io::Read,
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

/// Descriptors open in this process; 0 where that is not told.
fn descriptors() -> usize {
    if !cfg!(target_os = "linux") {
        return 0;
    }
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Bytes of this process in memory; 0 where that is not told.
fn resident() -> usize {
    if !cfg!(target_os = "linux") {
        return 0;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let row = status.lines().find(|row| row.starts_with("VmRSS:")).unwrap();
    row.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// How long it takes until the server closes the connection, and that it says nothing before.
#[track_caller]
fn closed_after(mut client: Client) -> Duration {
    let begin = Instant::now();
    client.assert_closed();
    begin.elapsed()
}

#[test]
fn case_27_silence_is_closed_at_the_idle_limit() {
    let _alone = alone();
    let running = start(small(), short());
    assert!(closed_after(running.connect()) >= Duration::from_millis(600));
    let mut client = running.connect();
    client.send(GET);
    client.answer().assert_page(SMALL);
    assert!(closed_after(client) >= Duration::from_millis(600));
}

#[test]
fn case_27_half_a_request_is_closed_at_the_head_limit() {
    let _alone = alone();
    // The idle limit is out of reach here.
    let running = start(small(), Limits { idle: Duration::from_secs(100), ..short() });
    for half in ["G", "GET /metrics HTTP/1.1\r\n", "GET /metrics HTTP/1.1\r\nHost: a\r\n\r"] {
        let mut client = running.connect();
        client.send(half);
        assert!(closed_after(client) >= Duration::from_millis(400), "{half:?}");
    }
    let mut client = running.connect();
    client.send([GET, b"GET /me"].concat());
    client.answer().assert_page(SMALL);
    client.send("t");
    assert!(closed_after(client) >= Duration::from_millis(400));
}

#[test]
fn case_27_a_request_byte_by_byte_is_closed_at_the_head_limit() {
    let _alone = alone();
    let running = start(small(), Limits { idle: Duration::from_secs(100), ..short() });
    let mut client = running.connect();
    client.stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let begin = Instant::now();
    client.send("GET /metrics HTTP/1.1\r\nHost: a\r\nX: ");
    loop {
        let sent = std::io::Write::write(&mut client.stream, b"x");
        let read = client.stream.read(&mut [0]);
        assert!(!matches!(read, Ok(1)), "nothing is said");
        let open = read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        if sent.is_err() || !open {
            break;
        }
        assert!(begin.elapsed() < WAIT_LIMIT);
    }
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(450), "{took:?}");
    running.scrape().assert_page(SMALL);
}

#[test]
fn case_29_resets_in_the_middle_of_a_page_leave_nothing() {
    let _alone = alone();
    let running = start(page_of(lines_in(20 * MB)), short());
    let reset_some = |count| {
        for _ in 0..count {
            let mut client = Client::connect_narrow(running.address);
            client.send(GET);
            client.stream.read_exact(&mut [0; 1000]).unwrap();
            client.reset();
        }
    };
    let before = descriptors();
    reset_some(20);
    eventually("closes", || descriptors() <= before);
    let memory = resident();
    reset_some(200);
    eventually("closes", || descriptors() <= before);
    let grown = resident().saturating_sub(memory);
    assert!(grown < 4 * MB, "{grown} bytes more");
    running.scrape().assert_page(lines_in(20 * MB));
}

#[test]
fn case_30_clients_that_never_read_are_cut_and_do_not_delay_others() {
    let _alone = alone();
    // The deadline is out of reach here.
    let limits = Limits { response: Duration::from_secs(100), ..short() };
    let limits = Limits { stall: Duration::from_secs(2), ..limits };
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let source = SourceFn(move |_| -> ScrapeFuture {
        let large = counted.fetch_add(1, Ordering::SeqCst) < 40;
        let count = if large { lines_in(20 * MB) } else { SMALL };
        Box::pin(async move { scrape(lines(count)) })
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
    eventually("has begun all", || asked.load(Ordering::SeqCst) == 40);
    let mut other = running.connect();
    for _ in 0..20 {
        other.send(GET);
        other.answer().assert_page(SMALL);
    }
    let grown = resident().saturating_sub(memory);
    assert!(grown < 16 * MB, "{grown} bytes more");
    for client in &stalled {
        // A reset has come, although nobody read what came before.
        eventually("is cut", || client.stream.take_error().unwrap().is_some());
    }
    drop((stalled, other));
    eventually("closes", || descriptors() <= before);
}

#[test]
fn case_31_a_slow_reader_survives_the_stall_limit_and_is_cut_at_the_deadline() {
    let _alone = alone();
    let limits = Limits {
        stall: Duration::from_millis(600),
        response: Duration::from_millis(2500),
        send_buffer: 16 * 1024,
        ..short()
    };
    let running = start(page_of(lines_in(30 * MB)), limits);
    // In chunks, which end with the page; and held whole, where only the socket is left to wait for.
    for request in ["GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "GET /metrics HTTP/1.0\r\n\r\n"] {
        let mut client = Client::connect_narrow(running.address);
        client.send(request);
        let begin = Instant::now();
        let mut part = vec![0; 32 * 1024];
        let mut total = 0;
        while let Ok(length @ 1..) = client.stream.read(&mut part) {
            total += length;
            std::thread::sleep(Duration::from_millis(10));
            assert!(begin.elapsed() < WAIT_LIMIT);
        }
        let took = begin.elapsed();
        assert!(took >= Duration::from_millis(2300), "{took:?}, {total} bytes");
        assert!((MB / 8..30 * MB).contains(&total), "{total}");
    }
}

#[test]
fn case_32_thousand_idle_connections_are_no_hindrance_and_are_reaped() {
    let _alone = alone();
    let limits = Limits { idle: Duration::from_secs(2), ..short() };
    let running = start(small(), limits);
    let mut idle: Vec<_> = (0..1000).map(|_| running.connect()).collect();
    running.scrape().assert_page(SMALL);
    for client in &mut idle {
        client.assert_closed();
    }
    running.scrape().assert_page(SMALL);
}

#[test]
fn case_33_a_connection_over_the_cap_is_closed_until_another_ends() {
    let _alone = alone();
    let limits = Limits { connections: 3, idle: Duration::from_secs(100), ..short() };
    let running = start(small(), limits);
    let mut clients: Vec<_> = (0..3)
        .map(|_| {
            let mut client = running.connect();
            client.send(GET);
            client.answer().assert_page(SMALL);
            client
        })
        .collect();
    for _ in 0..5 {
        running.connect().assert_closed();
    }
    clients[0].send(GET);
    clients[0].answer().assert_page(SMALL);
    drop(clients.pop());
    eventually("is answered again", || {
        let mut client = running.connect();
        client.try_send(GET);
        client.try_answer(false).is_some_and(|answer| answer.status == 200)
    });
}

#[test]
fn one_scrape_over_the_cap_is_told_to_come_back() {
    let _alone = alone();
    let limits = Limits { scrapes: 2, stall: Duration::from_secs(100), ..short() };
    let limits = Limits { response: Duration::from_secs(100), ..limits };
    let count = lines_in(40 * MB);
    let running = start(page_of(count), limits);
    let held: Vec<_> = (0..2)
        .map(|_| {
            let mut client = Client::connect_narrow(running.address);
            client.send(GET);
            client.stream.read_exact(&mut [0; 100]).unwrap();
            client
        })
        .collect();
    let mut client = running.connect();
    client.send(GET);
    let answer = client.answer();
    answer.assert_text(503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    held.into_iter().for_each(Client::reset);
    eventually("is served again", || {
        client.send("HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
        client.answer_to_head().status == 200
    });
}

#[test]
fn one_whole_page_over_the_cap_is_told_to_come_back() {
    let _alone = alone();
    let limits = Limits { whole_pages: 0, ..short() };
    let running = start(page_of(10_000), limits.clone());
    let mut client = running.connect();
    client.send("GET /metrics HTTP/1.0\r\n\r\n");
    client.answer().assert_text(503);
    running.scrape().assert_page(10_000);
    // A page of one part is never held beyond it.
    let running = start(small(), limits);
    let mut client = running.connect();
    client.send("GET /metrics HTTP/1.0\r\n\r\n");
    client.answer().assert_page(SMALL);
}

#[test]
fn a_page_of_20_mb_takes_no_memory_of_its_size() {
    let _alone = alone();
    let limits = Limits { response: Duration::from_secs(60), ..Limits::default() };
    let running = start(page_of(lines_in(20 * MB)), limits);
    for coding in ["identity", "gzip"] {
        let mut client = running.connect();
        client.send(format!(
            "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\n\
             Connection: close\r\n\r\n"
        ));
        let mut part = vec![0; 64 * 1024];
        let (mut least, mut most, mut total) = (usize::MAX, 0, 0);
        loop {
            let length = client.stream.read(&mut part).unwrap();
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
fn a_source_that_never_answers_is_a_503_at_the_deadline() {
    let _alone = alone();
    let source = SourceFn(|_| -> ScrapeFuture { Box::pin(std::future::pending()) });
    let limits = Limits { response: Duration::from_millis(300), ..short() };
    let running = start(Arc::new(source), limits);
    let mut client = running.connect();
    client.send(GET);
    client.answer().assert_text(503);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().status, 200);
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
    let source = SourceFn(|_| -> ScrapeFuture { Box::pin(async { scrape(Endless) }) });
    let limits = Limits { response: Duration::from_millis(500), ..short() };
    let running = start(Arc::new(source), limits);
    let mut client = running.connect();
    client.send(GET);
    let mut other = running.connect();
    other.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(other.answer().status, 200);
    client.answer().assert_text(503);
}
