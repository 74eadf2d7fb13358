//! The scrape protocol, on raw sockets: cases 1 to 28 of the project's table, by number.
//!
//! "A page" is a 200 with the exact content type and a body whose end the client can verify.

mod support;

use support::*;

const SMALL: usize = 20;

/// The answer to one request on a connection of its own.
fn ask(request: &str) -> Answer {
    let running = start(small(), short());
    let mut client = running.connect();
    client.send(request);
    client.answer()
}

#[test]
fn case_01_get_metrics_is_a_page() {
    let answer = ask("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    answer.assert_page(SMALL);
    assert_eq!(answer.version, "HTTP/1.1");
    assert_eq!(answer.header("content-length"), Some(text(SMALL).len().to_string().as_str()));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("connection"), None);
}
