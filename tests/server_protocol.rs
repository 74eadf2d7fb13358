//! The scrape protocol, on raw sockets: cases 1 to 26 and 28 of docs/scrape-cases.md, by number.
//!
//! "A page" is a 200 with the exact content type and a body that is provably complete.

mod support;

use std::{net::Shutdown, sync::mpsc, time::Duration};

use hypertrace_prometheus::server::Limits;
use support::*;

const SMALL: usize = 20;
/// The number of lines of a page of about ten chunks.
const LARGE: usize = 10_000;

/// A new server, a connection to it, and the response to one request.
struct Exchange {
    running: Running,
    client: Client,
    response: Response,
}

fn exchange(request: impl AsRef<[u8]>) -> Exchange {
    let running = start(small(), short_limits());
    let mut client = running.connect();
    client.try_send(request);
    let response = client.response();
    Exchange { running, client, response }
}

fn get_with(headers: &str) -> String {
    format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

#[test]
fn case_01_get_metrics_is_a_page() {
    let Exchange { running: _running, mut client, response } = exchange(GET);
    response.assert_page(SMALL);
    assert_eq!(response.version, "HTTP/1.1");
    assert_eq!(response.header("content-length"), Some(text(SMALL).len().to_string().as_str()));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(response.header("connection"), None);
    client.send(GET);
    client.response().assert_page(SMALL);
}

#[test]
fn case_01_a_large_page_comes_in_chunks() {
    let running = start(page_of(LARGE), short_limits());
    let response = running.scrape();
    assert!(response.chunked);
    response.assert_page(LARGE);
}

#[test]
fn case_02_the_query_is_ignored() {
    for query in ["?x=%00&name[]=a", "?", "?/nope", "?a=%ff%", "?x#y"] {
        exchange(format!("GET /metrics{query} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
            .response
            .assert_page(SMALL);
    }
}

#[test]
fn case_03_an_absolute_target_is_routed_by_its_path() {
    exchange("GET http://localhost:4343/metrics?x=1 HTTP/1.1\r\nHost: localhost:4343\r\n\r\n")
        .response
        .assert_page(SMALL);
}

#[test]
fn case_04_other_paths_are_not_found() {
    for path in ["/nope", "//metrics", "/%6detrics", "/metrics/", "/metrics%20"] {
        let Exchange { running: _running, mut client, response } =
            exchange(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        response.assert_text(404);
        client.send(GET);
        client.response().assert_page(SMALL);
    }
}

#[test]
fn case_05_the_root_is_the_live_page() {
    let response = exchange("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").response;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(response.text().starts_with("<!doctype html>"), "{}", response.text());
}

#[test]
fn case_06_head_has_the_headers_of_get_and_no_body() {
    for (count, coding) in [(SMALL, ""), (LARGE, ""), (SMALL, "gzip"), (LARGE, "gzip")] {
        let running = start(page_of(count), short_limits());
        let mut client = running.connect();
        let headers = format!("Host: localhost\r\nAccept-Encoding: {coding}\r\n\r\n");
        client.send(format!("HEAD /metrics HTTP/1.1\r\n{headers}"));
        let head = client.response_to_head();
        client.send(format!("GET /metrics HTTP/1.1\r\n{headers}"));
        let get = client.response();
        get.assert_page(count);
        let without_date = |response: &Response| {
            let mut headers = response.headers.clone();
            // RFC 9110, 9.3.2: HEAD may omit headers that depend on the body.
            headers.retain(|(name, _)| name != "date" && name != "transfer-encoding");
            headers.sort();
            headers
        };
        assert_eq!(without_date(&head), without_date(&get), "{count} {coding}");
    }
    let running = start(small(), short_limits());
    let mut client = running.connect();
    client.send("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.response_to_head().status, 200);
    client.send("HEAD /nope HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!(client.response_to_head().status, 404);
    client.assert_closed();
}

#[test]
fn case_07_other_methods_than_get_and_head_are_not_allowed() {
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "get", "Get", "BREW"] {
        let Exchange { running: _running, mut client, response } = exchange(format!(
            "{method} /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
        ));
        response.assert_text(405);
        assert_eq!(response.header("allow"), Some("GET, HEAD"), "{method}");
        client.send(GET);
        client.response().assert_page(SMALL);
    }
}

#[test]
fn case_08_options_lists_the_methods() {
    for target in ["/metrics", "*", "/"] {
        let Exchange { running: _running, mut client, response } =
            exchange(format!("OPTIONS {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert_eq!(response.status, 204);
        assert_eq!(response.header("allow"), Some("GET, HEAD"));
        client.send(GET);
        client.response().assert_page(SMALL);
    }
}

#[test]
fn case_09_connect_is_refused_and_the_connection_closed() {
    let Exchange { running: _running, mut client, response } =
        exchange("CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n");
    response.assert_text(405);
    assert_eq!(response.header("allow"), Some("GET, HEAD"));
    client.assert_closed();
}

#[test]
fn case_10_http_1_0_gets_a_length_and_the_connection_closes() {
    for count in [SMALL, LARGE] {
        for headers in ["", "Host: localhost\r\n", "Accept-Encoding: gzip\r\n"] {
            let running = start(page_of(count), short_limits());
            let mut client = running.connect();
            client.send(format!("GET /metrics HTTP/1.0\r\n{headers}\r\n"));
            let response = client.response();
            response.assert_page(count);
            assert_eq!(response.version, "HTTP/1.0");
            assert!(response.header("content-length").is_some());
            client.assert_closed();
        }
    }
}

#[test]
fn case_11_http_1_0_with_keep_alive_is_reused() {
    let running = start(page_of(LARGE), short_limits());
    let mut client = running.connect();
    for _ in 0..3 {
        client.send("GET /metrics HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let response = client.response();
        response.assert_page(LARGE);
        assert_eq!(response.header("connection"), Some("keep-alive"));
    }
}

#[test]
fn case_12_a_thousand_gets_on_one_connection() {
    let running = start(small(), short_limits());
    let mut client = running.connect();
    for _ in 0..1000 {
        client.send(GET);
        client.response().assert_page(SMALL);
    }
}

#[test]
fn case_13_close_is_echoed_and_the_connection_closes() {
    let Exchange { running: _running, mut client, response } =
        exchange(get_with("Connection: close\r\n"));
    response.assert_page(SMALL);
    assert_eq!(response.header("connection"), Some("close"));
    client.assert_closed();
}

#[test]
fn case_14_pipelined_requests_are_answered_in_order() {
    let running = start(page_of(LARGE), short_limits());
    let mut client = running.connect();
    client.send([GET, b"GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n", GET].concat());
    client.response().assert_page(LARGE);
    client.response().assert_text(404);
    client.response().assert_page(LARGE);
    client.send(GET);
    client.response().assert_page(LARGE);
}

#[test]
fn case_15_a_request_names_one_host() {
    for headers in
        ["", "Host: localhost\r\nHost: localhost\r\n", "Host: localhost\r\nhost: localhost\r\n"]
    {
        let Exchange { running: _running, mut client, response } =
            exchange(format!("GET /metrics HTTP/1.1\r\n{headers}\r\n"));
        response.assert_text(400);
        client.assert_closed();
    }
}

/// Asserts that the server responds with one of these statuses and no body, or with no byte if `statuses` is
/// empty, and closes the connection.
fn assert_refused(request: impl AsRef<[u8]>, statuses: &[u16]) {
    let running = start(small(), short_limits());
    let mut client = running.connect();
    client.try_send(&request);
    let _ = client.stream.shutdown(Shutdown::Write);
    let received = String::from_utf8_lossy(&client.read_to_close()).into_owned();
    let status = received.get(9..12).and_then(|status| status.parse().ok());
    let is_refused = match status {
        Some(status) => statuses.contains(&status) && received.ends_with("\r\n\r\n"),
        None => received.is_empty() && statuses.is_empty(),
    };
    let shown = String::from_utf8_lossy(request.as_ref());
    assert!(is_refused, "{received:?} to {:?}", shown.get(..80.min(shown.len())));
    running.scrape().assert_page(SMALL);
}

#[test]
fn case_16_other_protocols_than_http_1_are_refused() {
    assert_refused("GET /metrics HTTP/2.0\r\nHost: localhost\r\n\r\n", &[400]);
    assert_refused("GET /metrics HTTP/9\r\nHost: localhost\r\n\r\n", &[400]);
    assert_refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(), &[400]);
    assert_refused(b"\xff\xfe\xfd\x00 random bytes\r\n\r\n".as_slice(), &[400]);
    assert_refused("GET /metrics\r\n\r\n", &[400]);
}

#[test]
fn case_17_an_http_2_preface_closes_the_connection() {
    assert_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[]);
}

#[test]
fn case_18_malformed_headers_are_refused() {
    assert_refused(get_with("A: b\r\n c\r\n"), &[400]);
    assert_refused(get_with("A: b\0c\r\n"), &[400]);
    assert_refused(get_with("A : b\r\n"), &[400]);
    assert_refused(get_with("Content-Length: 1\r\nContent-Length: 2\r\n"), &[400]);
    assert_refused(get_with("Content-Length: -1\r\n"), &[400]);
    assert_refused(get_with("Transfer-Encoding: gzip\r\n"), &[400]);
    assert_refused(get_with("Content-Length: 1, 2\r\n"), &[400]);
}

#[test]
fn case_18_two_equal_lengths_are_one_length() {
    // RFC 9110, 8.6. The body is not read, and the connection closes.
    let request = get_with("Content-Length: 5\r\nContent-Length: 5\r\n") + "hello";
    let Exchange { running: _running, mut client, response } = exchange(request);
    response.assert_page(SMALL);
    client.assert_closed();
}

#[test]
fn case_19_a_length_beside_chunks_closes_the_connection() {
    let body = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let headers = get_with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n");
    let Exchange { running: _running, mut client, response } = exchange(headers + body);
    response.assert_page(SMALL);
    client.assert_closed();
}

#[test]
fn case_20_a_posted_body_of_10_mb_is_discarded() {
    let running = start(small(), Limits { stall: Duration::from_secs(5), ..short_limits() });
    let mut client = running.connect();
    let mut sender = client.stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        use std::io::Write;
        let head = "POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n";
        sender.write_all(head.as_bytes()).and_then(|()| sender.write_all(&vec![b'x'; 10_000_000]))
    });
    let response = client.response();
    response.assert_text(405);
    assert_eq!(response.header("connection"), Some("close"));
    // The server discarded the rest of the body: a reset would have stopped the sender and, on some
    // systems, destroyed the response.
    sending.join().unwrap().unwrap();
    client.assert_closed();
    running.scrape().assert_page(SMALL);
}

#[test]
fn case_20_a_get_with_a_body_is_answered_and_the_connection_closes() {
    let Exchange { running: _running, mut client, response } =
        exchange(get_with("Content-Length: 5\r\n") + "hello");
    response.assert_page(SMALL);
    assert_eq!(response.header("connection"), Some("close"));
    client.assert_closed();
}

#[test]
fn case_20_a_body_after_expect_is_not_requested() {
    let headers = "Content-Length: 5\r\nExpect: 100-continue\r\n";
    let request = get_with(headers).replacen("GET", "POST", 1);
    let Exchange { running: _running, mut client, response } = exchange(request);
    response.assert_text(405);
    client.assert_closed();
}

/// Cases 21 to 23: values of `Accept-Encoding`, and whether the response is compressed.
const CODINGS: [(Option<&str>, bool); 9] = [
    (Some("gzip"), true),
    (Some("gzip;q=0"), false),
    (Some("*"), true),
    (None, false),
    (Some("br"), false),
    (Some("gzip;q=0.1, identity;q=1"), false),
    (Some("identity;q=0"), true),
    (Some("identity;q=0, *;q=0"), false),
    (Some("deflate, gzip;q=0.5\r\nAccept-Encoding: br"), true),
];

#[test]
fn case_21_22_23_the_coding_follows_accept_encoding() {
    for (value, is_compressed) in CODINGS {
        let header = value.map_or(String::new(), |value| format!("Accept-Encoding: {value}\r\n"));
        let response = exchange(get_with(&header)).response;
        response.assert_page(SMALL);
        let coding = response.header("content-encoding");
        assert_eq!(coding, is_compressed.then_some("gzip"), "{value:?}");
    }
}

#[test]
fn case_24_a_compressed_page_is_one_gzip_member() {
    // From less than one chunk to many, around the boundaries of chunks.
    let counts = [1, 2, SMALL, 1000, 1040, 1041, 1042, 1043, 1100, 3000, LARGE, 200_000];
    for count in counts {
        let running = start(page_of(count), Limits::default());
        let mut client = running.connect();
        client.send(get_with("Accept-Encoding: gzip\r\n"));
        let response = client.response();
        response.assert_page(count);
        assert_eq!(response.header("content-encoding"), Some("gzip"));
        assert!(response.body.len() < text(count).len() / 2 + 200);
    }
}

#[test]
fn case_25_any_accept_gets_a_page() {
    // The page is always text here, because the source of these tests does not have protobuf.
    let prometheus_2 = "application/openmetrics-text;version=1.0.0,\
        application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
        application/openmetrics-text;version=0.0.1;q=0.5,\
        text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
        encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.3";
    let long = "text/html;q=0.1,".repeat(640);
    for accept in [prometheus_2, prometheus_3, protobuf, "*/*", ";;=,\u{e9}", "", &long] {
        exchange(get_with(&format!("Accept: {accept}\r\n"))).response.assert_page(SMALL);
    }
}

#[test]
fn case_26_a_head_that_is_too_large_is_refused() {
    use std::fmt::Write as _;
    let many = |count: usize| {
        (0..count).fold(String::new(), |mut headers, number| {
            write!(headers, "X-{number}: a\r\n").unwrap();
            headers
        })
    };
    assert_refused(get_with(&many(100)), &[431]);
    exchange(get_with(&many(99))).response.assert_page(SMALL);
    assert_refused(get_with(&format!("X: {}\r\n", "x".repeat(20_000))), &[431]);
    let target = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(70_000));
    assert_refused(target, &[414, 431]);
}

#[test]
fn case_28_a_half_closed_client_gets_the_whole_response() {
    let running = start(page_of(LARGE), short_limits());
    for request in [GET.to_vec(), get_with("Accept-Encoding: gzip\r\n").into_bytes()] {
        let mut client = running.connect();
        client.send(request);
        client.stream.shutdown(Shutdown::Write).unwrap();
        client.response().assert_page(LARGE);
        client.assert_closed();
    }
}

#[test]
fn case_28_a_client_that_half_closes_during_a_scrape_gets_the_page() {
    let (source, started, resume) = paused(LARGE);
    let running = start(source, short_limits());
    let mut client = running.connect();
    client.send(GET);
    started.wait();
    client.stream.shutdown(Shutdown::Write).unwrap();
    // The response on another connection proves that the server has seen the half-close.
    let mut other = running.connect();
    other.send("GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n");
    other.response().assert_text(404);
    resume.send(()).unwrap();
    client.response().assert_page(LARGE);
    client.assert_closed();
}

#[test]
fn the_scrapers_timeout_shortens_the_wait_for_javascript() {
    let (sender, timeouts) = mpsc::channel();
    let source = FnSource(move |js_timeout| -> ScrapeFuture {
        sender.send(js_timeout).unwrap();
        Box::pin(async { scrape(lines(SMALL)) })
    });
    let running = start(std::sync::Arc::new(source), Limits::default());
    let mut client = running.connect();
    for (header, milliseconds) in [
        ("", 100),
        ("X-Prometheus-Scrape-Timeout-Seconds: 10\r\n", 100),
        ("X-Prometheus-Scrape-Timeout-Seconds: 0.1\r\n", 50),
        ("X-Prometheus-Scrape-Timeout-Seconds: junk\r\n", 100),
    ] {
        client.send(get_with(header));
        client.response().assert_page(SMALL);
        let js_timeout = timeouts.recv_timeout(TIMEOUT).unwrap();
        assert_eq!(js_timeout, Duration::from_millis(milliseconds), "{header}");
    }
}
