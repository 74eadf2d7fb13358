//! An invalid query string of `/summary.json` or `/history.json` is rejected with a short message. The summary of
//! a valid one is valid JSON.

#![no_main]

use hypertrace_prometheus::{
    recorder,
    summary::{Query, RuntimeStats, Summary},
};
use hypertrace_prometheus_fuzz::{counter, schema, values};
use libfuzzer_sys::fuzz_target;

/// Each message has fewer characters than this.
const MAX_MESSAGE: usize = 600;

fuzz_target!(|text: &str| {
    let schema = schema();
    if let Err(error) = recorder::Query::parse(text, &schema) {
        assert!(error.to_string().chars().count() < MAX_MESSAGE, "{error}");
    }
    match Query::parse(text, &schema) {
        Err(error) => assert!(error.to_string().chars().count() < MAX_MESSAGE, "{error}"),
        Ok(query) => {
            let counter = counter(&[values("Class\0\u{31}"), values("Other\"\\\n"), values(text)]);
            let json = Summary::new(counter, query, None).into_json(&RuntimeStats::default());
            let document: serde_json::Value = serde_json::from_slice(&json).expect("valid JSON");
            assert_eq!(document["calls"]["total"], 3.0);
        }
    }
});
