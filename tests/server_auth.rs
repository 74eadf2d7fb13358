//! Access control, on raw sockets.

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

fn with_auth(limits: Limits) -> Running {
    let credentials = Some(Credentials::bearer("right"));
    start_with_access(AccessPolicy { credentials, ..AccessPolicy::default() }, small(), limits)
}

fn get(headers: &str) -> String {
    format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

#[track_caller]
fn assert_unauthorized(response: &Response) {
    response.assert_text(401);
    assert_eq!(response.text(), "Unauthorized\n");
    assert!(
        response.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer realm="))
    );
    assert_eq!(response.header("allow"), None);
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("cross-origin-resource-policy"), Some("same-origin"));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn a_connection_stays_open_after_a_401() {
    let running = with_auth(short_limits());
    let mut client = running.connect();
    client.send(GET);
    assert_unauthorized(&client.response());
    client.send(get(WRONG));
    assert_unauthorized(&client.response());
    client.send(get(RIGHT));
    client.response().assert_page(SMALL);
    client.send(GET);
    assert_unauthorized(&client.response());
}

#[test]
fn each_of_several_pipelined_requests_needs_credentials() {
    let running = with_auth(short_limits());
    let mut client = running.connect();
    client.send([get(RIGHT), get(WRONG), get(RIGHT), get("")].concat());
    client.response().assert_page(SMALL);
    assert_unauthorized(&client.response());
    client.response().assert_page(SMALL);
    assert_unauthorized(&client.response());
}

#[test]
fn every_path_and_method_gets_the_same_401() {
    let requests = [
        "GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET /metrics HTTP/1.1\r\n\r\n",
        "PUT /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        "GET /summary.json?by=nonsense HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ];
    let running = with_auth(short_limits());
    for request in requests {
        let mut client = running.connect();
        client.send(request);
        assert_unauthorized(&client.response());
    }
    let mut client = running.connect();
    client.send("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let response = client.response_to_head();
    assert_eq!(response.status, 401);
}

#[test]
fn the_health_check_needs_no_credentials_and_reveals_nothing() {
    let running = with_auth(short_limits());
    let mut client = running.connect();
    for headers in ["", WRONG, RIGHT] {
        client.send(format!("GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"));
        let response = client.response();
        assert_eq!((response.status, response.text()), (200, "OK\n"));
    }
    client.send("HEAD /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.response_to_head().status, 200);
    for method in ["POST", "OPTIONS"] {
        client.send(format!("{method} /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert_unauthorized(&client.response());
    }
    client.send("GET /-/healthy HTTP/1.1\r\nHost: evil.example\r\nReferer: http://a/\r\n\r\n");
    client.response().assert_text(403);
}

#[test]
fn enormous_credentials_affect_only_their_connection() {
    let running = with_auth(Limits::default());
    for length in [10_000, 100_000, 10_000_000] {
        let mut client = running.connect();
        client.try_send(get(&format!("Authorization: Bearer {}\r\n", "a".repeat(length))));
        if let Some(response) = client.try_response(false) {
            assert!([401, 431].contains(&response.status), "{response:?}");
        }
        let mut client = running.connect();
        client.send(get(RIGHT));
        client.response().assert_page(SMALL);
    }
}

#[test]
fn too_many_guesses_get_429_and_do_not_delay_other_addresses() {
    let running = with_auth(Limits::default());
    let mut authorized = running.connect();
    authorized.send(get(RIGHT));
    authorized.response().assert_page(SMALL);
    // The responses to further guesses are delayed by more than a second.
    let mut early = running.connect();
    for _ in 0..7 {
        early.send(get(WRONG));
        assert_unauthorized(&early.response());
    }
    let mut guesses: Vec<_> = (0..40).map(|_| running.connect()).collect();
    for guess in &mut guesses {
        guess.send(get(WRONG));
    }
    let scrape = |mut client: Client| {
        client.send(get(RIGHT));
        client.response()
    };
    eventually("the bound on delayed responses is reached", || {
        scrape(running.connect()).status == 429
    });
    let throttled = scrape(running.connect());
    throttled.assert_text(429);
    assert_eq!(throttled.header("retry-after"), Some("1"));
    authorized.send(get(RIGHT));
    authorized.response().assert_page(SMALL);
    if cfg!(target_os = "linux") {
        scrape(Client::connect_from([127, 0, 0, 9], running.address)).assert_page(SMALL);
    }
    let statuses: Vec<_> = guesses.iter_mut().map(|guess| guess.response().status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 8, "{statuses:?}");
    scrape(running.connect()).assert_page(SMALL);
}

#[test]
fn delayed_responses_do_not_delay_stop() {
    let running = with_auth(Limits { stop_grace: TIMEOUT, ..Limits::default() });
    let mut client = running.connect();
    for _ in 0..7 {
        client.send(get(WRONG));
        assert_unauthorized(&client.response());
    }
    // The response to this request is delayed by more than a second.
    client.send(get(WRONG));
    let mut other = running.connect();
    other.send(get(RIGHT));
    other.response().assert_page(SMALL);
    drop(other);
    let begin = Instant::now();
    running.stop();
    assert!(
        begin.elapsed() < TIMEOUT.saturating_sub(Duration::from_secs(1)),
        "before the end of the grace"
    );
}
