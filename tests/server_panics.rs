//! Panics of the source and of its pages. The server responds with 500 or cuts the page, logs the first
//! panic of the process, and continues.

mod support;

use std::{
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use hypertrace_prometheus::{
    exposition::{CachedVersions, Render, Step},
    server::{BoxFuture, Scrape, ScrapeRequest, Source},
};
use support::*;

const LARGE: usize = 10_000;

/// The step of a scrape that panics.
#[derive(Clone, Copy)]
enum Fault {
    Call,
    Future,
    Chunk(usize),
}

fn failing(fault: Fault) -> Arc<dyn Source> {
    Arc::new(FnSource(move |_| -> ScrapeFuture {
        assert!(!matches!(fault, Fault::Call), "in the call");
        Box::pin(async move {
            tokio::task::yield_now().await;
            assert!(!matches!(fault, Fault::Future), "in the future");
            scrape(lines_with(LARGE, move |chunk| {
                assert!(!matches!(fault, Fault::Chunk(bad) if bad == chunk), "in a chunk");
            }))
        })
    }))
}

#[test]
fn a_panic_before_the_first_byte_is_a_500_and_the_server_goes_on() {
    for fault in [Fault::Call, Fault::Future, Fault::Chunk(0)] {
        let running = start(failing(fault), short_limits());
        let mut client = running.connect();
        for request in ["GET /metrics", "HEAD /metrics", "GET /metrics"] {
            client.send(format!("{request} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
            if request.starts_with("HEAD") {
                assert_eq!(client.response_to_head().status, 500);
            } else {
                client.response().assert_text(500);
            }
        }
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(client.response().status, 200);
        running.stop();
    }
}

/// A source whose own work fails.
struct FailingWork;

impl Source for FailingWork {
    fn scrape(&self, _: ScrapeRequest) -> ScrapeFuture {
        Box::pin(async { scrape(lines(20)) })
    }

    fn summary(&self, _: &str, _: Duration) -> BoxFuture<'static, Result<Vec<u8>, String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn run(&self) -> BoxFuture<'static, ()> {
        Box::pin(async {
            tokio::task::yield_now().await;
            panic!("in the work of the source");
        })
    }
}

#[test]
fn a_panic_in_the_work_of_the_source_leaves_the_server_running() {
    let running = start(Arc::new(FailingWork), short_limits());
    for _ in 0..3 {
        running.scrape().assert_page(20);
    }
    running.stop();
}

#[test]
fn a_panic_in_the_middle_of_a_page_makes_an_incomplete_response() {
    for coding in ["identity", "gzip"] {
        for chunk in [1, 2, 5] {
            let running = start(failing(Fault::Chunk(chunk)), short_limits());
            let mut client = running.connect();
            let request = format!(
                "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {coding}\r\n\r\n"
            );
            client.send(request);
            assert!(client.try_response(false).is_none(), "{coding}, chunk {chunk}");
            let mut other = running.connect();
            other.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
            assert_eq!(other.response().status, 200);
        }
    }
}

#[test]
fn a_panic_in_a_page_buffered_for_http_1_0_is_a_500() {
    let running = start(failing(Fault::Chunk(3)), short_limits());
    let mut client = running.connect();
    client.send("GET /metrics HTTP/1.0\r\n\r\n");
    client.response().assert_text(500);
}

#[test]
fn an_empty_page_is_never_a_200() {
    for coding in ["identity", "gzip"] {
        let running = start(page_of(0), short_limits());
        let mut client = running.connect();
        client.send(format!(
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {coding}\r\n\r\n"
        ));
        client.response().assert_text(500);
    }
}

#[test]
fn an_invalid_content_type_is_a_500() {
    let source = FnSource(|_| -> ScrapeFuture {
        let content_type = "text/plain\r\nX: y".to_owned();
        Box::pin(async { Scrape { content_type, page: Box::new(lines(5)), on_complete: None } })
    });
    start(Arc::new(source), short_limits()).scrape().assert_text(500);
}

#[test]
fn a_panic_in_the_drop_of_a_page_affects_only_its_connection() {
    struct PanicsInDrop;
    impl Render for PanicsInDrop {
        fn render(&mut self, _: &CachedVersions<'_>, out: &mut Vec<u8>) -> Step {
            out.extend_from_slice(b"x 1\n");
            Step::Text { more: true }
        }
    }
    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("in the drop");
        }
    }
    let source = FnSource(|_| -> ScrapeFuture { Box::pin(async { scrape(PanicsInDrop) }) });
    let running = start(Arc::new(source), short_limits());
    for request in ["GET", "HEAD"] {
        let mut client = running.connect();
        client.send(format!("{request} /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        if request == "GET" {
            client.stream.set_read_timeout(Some(TIMEOUT)).unwrap();
            std::io::Read::read_exact(&mut client.stream, &mut [0; 10]).unwrap();
            client.reset();
        } else {
            let _ = client.read_to_close();
        }
    }
    let mut client = running.connect();
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.response().status, 200);
}

#[test]
fn the_first_panic_of_a_process_is_logged_on_one_line_and_later_ones_are_not() {
    let name = "a_panic_before_the_first_byte_is_a_500_and_the_server_goes_on";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success());
    let log = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].starts_with("hypertrace-prometheus: "), "{log}");
    assert!(lines[0].contains("in the call"), "{log}");
    assert!(lines[0].contains("tests/server_panics.rs:"), "{log}");
}
