//! The live page and its figures, as the server answers them.

mod support;

use hypertrace_prometheus::live::{ASSETS, SECURITY_POLICY};
use support::*;

fn get(client: &mut Client, target: &str) -> Answer {
    client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    client.answer()
}

#[test]
fn each_part_of_the_page_is_served_under_the_strict_policy() {
    let running = start(small(), short());
    let mut client = running.connect();
    for asset in &ASSETS {
        let answer = get(&mut client, asset.path);
        assert_eq!(answer.status, 200, "{}", asset.path);
        assert_eq!(answer.text(), asset.text);
        assert_eq!(answer.header("content-type"), Some(asset.content_type));
        assert_eq!(answer.header("content-security-policy"), Some(SECURITY_POLICY));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
    }
    for part in ["default-src 'none'", "script-src 'self';", "base-uri 'none'"] {
        assert!(SECURITY_POLICY.contains(part), "{part}");
    }
    assert!(!SECURITY_POLICY.contains("unsafe"));
}

#[test]
fn a_summary_is_json_and_gets_its_query() {
    let running = start(small(), short());
    let mut client = running.connect();
    for (target, text) in [
        ("/summary.json?by=id&limit=%31", r#"{"query":"by=id&limit=%31"}"#),
        ("/summary.json", r#"{"query":""}"#),
        ("http://b/summary.json?", r#"{"query":""}"#),
    ] {
        let answer = get(&mut client, target);
        assert_eq!((answer.status, answer.text()), (200, text));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    client.send("HEAD /summary.json HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.answer_to_head();
    assert_eq!((head.status, head.header("content-length")), (200, Some("12")));
}

#[test]
fn a_bad_query_is_a_400_with_a_sentence_and_the_connection_goes_on() {
    let running = start(small(), short());
    let mut client = running.connect();
    let answer = get(&mut client, "/summary.json?bad");
    answer.assert_text(400);
    assert_eq!(answer.text(), "That is no query.\n");
    client.send(GET);
    client.answer().assert_page(20);
}

#[test]
fn a_fault_while_summing_is_a_500_and_the_server_goes_on() {
    let running = start(small(), short());
    let mut client = running.connect();
    get(&mut client, "/summary.json?fault").assert_text(500);
    client.send(GET);
    client.answer().assert_page(20);
}
