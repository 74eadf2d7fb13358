//! Another decoder reads the label values and the help of a small family from a page in the protobuf format.

#![no_main]

use hypertrace_prometheus::exposition::{Format, Page, Render, render_all, write_families};
use hypertrace_prometheus_fuzz::{counter, values};
use libfuzzer_sys::fuzz_target;
use prometheus::core::Collector;
use prost::Message;

#[derive(Clone, PartialEq, Message)]
struct Family {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    help: String,
    #[prost(message, repeated, tag = "4")]
    metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Counter>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Counter {
    #[prost(double, tag = "1")]
    value: f64,
}

fuzz_target!(|text: &str| {
    let sets: Vec<_> = text.split('\u{1}').take(5).map(values).collect();
    let counter = counter(&sets);
    let mut families = Vec::new();
    let gauge = prometheus::Gauge::new("gauge", format!("h{text}")).expect("a good name");
    write_families(&mut families, Format::Protobuf, &gauge.collect());

    let mut page = Page::new(counter.clone(), Format::Protobuf, None, families);
    let page = render_all(&mut page as &mut dyn Render);
    let mut rest = page.as_slice();
    let calls = Family::decode_length_delimited(&mut rest).expect("the family of the counter");
    assert_eq!(calls.name, "trace_counter");
    let small = Family::decode_length_delimited(&mut rest).expect("the family of the gauge");
    assert_eq!((small.name.as_str(), small.help), ("gauge", format!("h{text}")));
    assert!(rest.is_empty());

    let total: f64 =
        calls.metrics.iter().map(|metric| metric.counter.clone().expect("a value").value).sum();
    assert_eq!(total, sets.len() as f64);
    let read: Vec<Vec<String>> = calls
        .metrics
        .into_iter()
        .map(|metric| {
            metric.labels.into_iter().flat_map(|label| [label.name, label.value]).collect()
        })
        .collect();
    assert_eq!(read, counter.labels(0..counter.stats().series));
});
