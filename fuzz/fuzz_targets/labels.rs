//! Any label value is written on one line of the page, and is read back unchanged.

#![no_main]

use std::sync::Arc;

use hypertrace_prometheus::{
    exposition::Page,
    labels::{read_labels, write_label},
};
use hypertrace_prometheus_fuzz::{counter, values};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut written = Vec::new();
    for value in text.split('\0') {
        write_label(&mut written, "name", value);
    }
    let written = String::from_utf8(written).expect("written labels are UTF-8");
    let read: Vec<_> = read_labels(&written).into_iter().map(|(_, value)| value).collect();
    let filled: Vec<_> = text.split('\0').filter(|value| !value.is_empty()).collect();
    assert_eq!(read, filled);

    let values = values(text);
    let counter = counter(&[values.clone()]);
    let page = Page::text(Arc::clone(&counter), Vec::new()).into_bytes();
    let page = String::from_utf8(page).expect("a page is UTF-8");
    assert_eq!(page.matches('\n').count(), 3, "HELP, TYPE and one line: {page:?}");

    let labels: Vec<String> = counter.labels([0]).concat();
    let mut read: Vec<&str> = labels.iter().skip(1).step_by(2).map(String::as_str).collect();
    let mut expected: Vec<&str> = values.into_iter().filter(|value| !value.is_empty()).collect();
    expected.sort_unstable();
    read.sort_unstable();
    assert_eq!(read, expected);
});
