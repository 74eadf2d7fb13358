//! The door, on raw sockets: what is decided before any request is routed.

mod support;

use std::time::{Duration, Instant};

use hypertrace_prometheus::server::{
    Limits,
    access::{AccessPolicy, Credentials},
};
use support::*;

const SMALL: usize = 20;
const RIGHT: &str = "Authorization: Bearer right\r\n";
const WRONG: &str = "Authorization: Bearer wrong\r\n";

fn guarded(limits: Limits) -> Running {
    let credentials = Some(Credentials::bearer("right"));
    start_with_access(AccessPolicy { credentials, ..AccessPolicy::default() }, small(), limits)
}

fn get(headers: &str) -> String {
    format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

#[track_caller]
fn assert_unauthorized(answer: &Answer) {
    answer.assert_text(401);
    assert_eq!(answer.text(), "Unauthorized\n");
    assert!(
        answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer realm="))
    );
    assert_eq!(answer.header("allow"), None);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn a_connection_goes_on_after_a_refusal() {
    let running = guarded(short());
    let mut client = running.connect();
    client.send(GET);
    assert_unauthorized(&client.answer());
    client.send(get(WRONG));
    assert_unauthorized(&client.answer());
    client.send(get(RIGHT));
    client.answer().assert_page(SMALL);
    client.send(GET);
    assert_unauthorized(&client.answer());
}

#[test]
fn each_of_several_requests_at_once_needs_its_own() {
    let running = guarded(short());
    let mut client = running.connect();
    client.send([get(RIGHT), get(WRONG), get(RIGHT), get("")].concat());
    client.answer().assert_page(SMALL);
    assert_unauthorized(&client.answer());
    client.answer().assert_page(SMALL);
    assert_unauthorized(&client.answer());
}

#[test]
fn whatever_is_asked_for_is_refused_alike() {
    let requests = [
        "GET /nope HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET /metrics HTTP/1.1\r\n\r\n",
        "PUT /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET metrics HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /summary.json?by=nonsense HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    let running = guarded(short());
    for request in requests {
        let mut client = running.connect();
        client.send(request);
        assert_unauthorized(&client.answer());
    }
    let mut client = running.connect();
    client.send("HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = client.answer_to_head();
    assert_eq!(answer.status, 401);
}

#[test]
fn enormous_credentials_end_their_connection_alone() {
    let running = guarded(Limits::default());
    for length in [10_000, 100_000, 10_000_000] {
        let mut client = running.connect();
        client.try_send(get(&format!("Authorization: Bearer {}\r\n", "a".repeat(length))));
        if let Some(answer) = client.try_answer(false) {
            assert!([401, 431].contains(&answer.status), "{answer:?}");
        }
        let mut client = running.connect();
        client.send(get(RIGHT));
        client.answer().assert_page(SMALL);
    }
}

#[test]
fn a_crowd_of_guesses_is_not_looked_at_and_holds_up_no_other_address() {
    let running = guarded(Limits::default());
    let mut known = running.connect();
    known.send(get(RIGHT));
    known.answer().assert_page(SMALL);
    // After these, the next wait for more than a second.
    let mut early = running.connect();
    for _ in 0..7 {
        early.send(get(WRONG));
        assert_unauthorized(&early.answer());
    }
    let mut guesses: Vec<_> = (0..40).map(|_| running.connect()).collect();
    for guess in &mut guesses {
        guess.send(get(WRONG));
    }
    let ask = |mut client: Client| {
        client.send(get(RIGHT));
        client.answer()
    };
    eventually("a crowd", || ask(running.connect()).status == 429);
    let crowded = ask(running.connect());
    crowded.assert_text(429);
    assert_eq!(crowded.header("retry-after"), Some("1"));
    known.send(get(RIGHT));
    known.answer().assert_page(SMALL);
    if cfg!(target_os = "linux") {
        ask(Client::connect_from([127, 0, 0, 9], running.address)).assert_page(SMALL);
    }
    let statuses: Vec<_> = guesses.iter_mut().map(|guess| guess.answer().status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 8, "{statuses:?}");
    ask(running.connect()).assert_page(SMALL);
}

#[test]
fn guesses_that_wait_do_not_hold_up_the_end() {
    let running = guarded(Limits { stop_grace: WAIT_LIMIT, ..Limits::default() });
    let mut client = running.connect();
    for _ in 0..7 {
        client.send(get(WRONG));
        assert_unauthorized(&client.answer());
    }
    // The next waits for more than a second.
    client.send(get(WRONG));
    let mut other = running.connect();
    other.send(get(RIGHT));
    other.answer().assert_page(SMALL);
    drop(other);
    let begin = Instant::now();
    running.stop();
    assert!(begin.elapsed() < WAIT_LIMIT.saturating_sub(Duration::from_secs(1)), "not the grace");
}
