//! The responses for the live page and its figures.

mod support;

use hypertrace_prometheus::live::{ASSETS, SECURITY_POLICY};
use support::*;

fn get(client: &mut Client, target: &str) -> Response {
    client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    client.response()
}

#[test]
fn each_asset_of_the_page_has_the_strict_security_policy() {
    let running = start(small(), short_limits());
    let mut client = running.connect();
    for asset in &ASSETS {
        let response = get(&mut client, asset.path);
        assert_eq!(response.status, 200, "{}", asset.path);
        assert_eq!(response.text(), asset.text());
        assert_eq!(response.header("content-encoding"), None);
        assert_eq!(response.header("content-type"), Some(asset.content_type));
        assert_eq!(response.header("content-security-policy"), Some(SECURITY_POLICY));
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(response.header("cross-origin-resource-policy"), Some("same-origin"));
        assert_eq!(response.header("vary"), Some("Accept-Encoding"));

        let path = asset.path;
        client.send(format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: br, gzip\r\n\r\n"
        ));
        let response = client.response();
        assert_eq!(response.header("content-encoding"), Some("gzip"));
        assert_eq!(response.body, asset.gzip);
    }
    for directive in ["default-src 'none'", "script-src 'self';", "base-uri 'none'"] {
        assert!(SECURITY_POLICY.contains(directive), "{directive}");
    }
    assert!(!SECURITY_POLICY.contains("unsafe"));
}

#[test]
fn a_summary_is_json_and_its_source_gets_the_query() {
    let running = start(small(), short_limits());
    let mut client = running.connect();
    for (target, text) in [
        ("/summary.json?by=id&limit=%31", r#"{"query":"by=id&limit=%31"}"#),
        ("/summary.json", r#"{"query":""}"#),
        ("http://b/summary.json?", r#"{"query":""}"#),
    ] {
        let response = get(&mut client, target);
        assert_eq!((response.status, response.text()), (200, text));
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(response.header("access-control-allow-origin"), None);
    }
    client.send("HEAD /summary.json HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let head = client.response_to_head();
    assert_eq!((head.status, head.header("content-length")), (200, Some("12")));
}

#[test]
fn a_bad_query_is_a_400_with_a_sentence_and_the_connection_stays_open() {
    let running = start(small(), short_limits());
    let mut client = running.connect();
    let response = get(&mut client, "/summary.json?bad");
    response.assert_text(400);
    assert_eq!(response.text(), "This query is wrong.\n");
    client.send(GET);
    client.response().assert_page(20);
}

#[test]
fn a_panic_in_a_summary_is_a_500_and_the_server_goes_on() {
    let running = start(small(), short_limits());
    let mut client = running.connect();
    get(&mut client, "/summary.json?fault").assert_text(500);
    client.send(GET);
    client.response().assert_page(20);
}
