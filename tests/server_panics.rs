//! Faults of a page's owner: answered, said once, and survived.

mod support;

use std::{
    process::{Command, Stdio},
    sync::Arc,
};

use hypertrace_prometheus::{
    exposition::{CachedVersions, Render, Step},
    server::{Scrape, Source},
};
use support::*;

const LARGE: usize = 10_000;

/// Where a page may fail.
#[derive(Clone, Copy)]
enum Fault {
    Call,
    Wait,
    Part(usize),
}

fn failing(fault: Fault) -> Arc<dyn Source> {
    Arc::new(From(move |_| -> Answering {
        assert!(!matches!(fault, Fault::Call), "in the call");
        Box::pin(async move {
            tokio::task::yield_now().await;
            assert!(!matches!(fault, Fault::Wait), "in the wait");
            scrape(lines_with(LARGE, move |part| {
                assert!(!matches!(fault, Fault::Part(bad) if bad == part), "in a part");
            }))
        })
    }))
}

#[test]
fn a_fault_before_the_first_byte_is_a_500_and_the_server_goes_on() {
    for fault in [Fault::Call, Fault::Wait, Fault::Part(0)] {
        let running = start(failing(fault), short());
        let mut client = running.connect();
        for request in ["GET /metrics", "HEAD /metrics", "GET /metrics"] {
            client.send(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"));
            if request.starts_with("HEAD") {
                assert_eq!(client.answer_to_head().status, 500);
            } else {
                client.answer().assert_text(500);
            }
        }
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.answer().status, 200);
        running.stop();
    }
}

#[test]
fn a_fault_in_the_middle_of_a_page_is_seen_as_an_incomplete_page() {
    for coding in ["identity", "gzip"] {
        for part in [1, 2, 5] {
            let running = start(failing(Fault::Part(part)), short());
            let mut client = running.connect();
            let request =
                format!("GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\n\r\n");
            client.send(request);
            assert!(client.try_answer(false).is_none(), "{coding}, part {part}");
            let mut other = running.connect();
            other.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(other.answer().status, 200);
        }
    }
}

#[test]
fn a_fault_in_a_page_held_whole_for_http_1_0_is_a_500() {
    let running = start(failing(Fault::Part(3)), short());
    let mut client = running.connect();
    client.send("GET /metrics HTTP/1.0\r\n\r\n");
    client.answer().assert_text(500);
}

#[test]
fn an_empty_page_is_never_a_200() {
    for coding in ["identity", "gzip"] {
        let running = start(page_of(0), short());
        let mut client = running.connect();
        client
            .send(format!("GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\n\r\n"));
        client.answer().assert_text(500);
    }
}

#[test]
fn a_content_type_that_is_no_header_is_a_500() {
    let source = From(|_| -> Answering {
        let content_type = "text/plain\r\nX: y".to_owned();
        Box::pin(async { Scrape { content_type, page: Box::new(lines(5)), on_complete: None } })
    });
    start(Arc::new(source), short()).scrape().assert_text(500);
}

#[test]
fn a_page_that_fails_when_it_is_dropped_ends_its_connection_only() {
    struct Falls;
    impl Render for Falls {
        fn render(&mut self, _: &CachedVersions<'_>, out: &mut Vec<u8>) -> Step {
            out.extend_from_slice(b"x 1\n");
            Step::Text { more: true }
        }
    }
    impl Drop for Falls {
        fn drop(&mut self) {
            panic!("in the drop");
        }
    }
    let source = From(|_| -> Answering { Box::pin(async { scrape(Falls) }) });
    let running = start(Arc::new(source), short());
    for request in ["GET", "HEAD"] {
        let mut client = running.connect();
        client.send(format!("{request} /metrics HTTP/1.1\r\nHost: a\r\n\r\n"));
        if request == "GET" {
            client.stream.set_read_timeout(Some(MAX_ACCEPT_FAILURES)).unwrap();
            std::io::Read::read_exact(&mut client.stream, &mut [0; 10]).unwrap();
            client.reset();
        } else {
            let _ = client.until_closed();
        }
    }
    let mut client = running.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().status, 200);
}

#[test]
fn faults_are_told_in_one_line_of_a_process() {
    let name = "a_fault_before_the_first_byte_is_a_500_and_the_server_goes_on";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    let rows: Vec<_> = said.lines().filter(|row| !row.trim().is_empty()).collect();
    assert_eq!(rows.len(), 1, "{said}");
    assert!(rows[0].starts_with("hypertrace-prometheus: "), "{said}");
    assert!(rows[0].contains("in the call"), "{said}");
    assert!(rows[0].contains("tests/server_panics.rs:"), "{said}");
}
