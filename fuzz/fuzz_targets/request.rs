//! For any bytes on a connection, the first response begins with a status line of HTTP/1 and is not a 5xx.

#![no_main]

use std::{sync::Arc, time::Duration};

use hypertrace_prometheus::{
    exposition::{Format, RenderedPage},
    server::{BoxFuture, Scrape, ScrapeRequest, Source, fuzzing::responses},
};
use libfuzzer_sys::fuzz_target;

struct Small;

impl Source for Small {
    fn scrape(&self, _: ScrapeRequest) -> BoxFuture<'static, Scrape> {
        let page = Box::new(RenderedPage::new(b"a 1\n".to_vec()));
        let content_type = Format::Text.content_type().to_owned();
        Box::pin(async { Scrape { content_type, page, on_complete: None } })
    }

    fn summary(&self, _: &str, _: Duration) -> BoxFuture<'static, Result<Vec<u8>, String>> {
        Box::pin(async { Ok(b"{}".to_vec()) })
    }
}

fuzz_target!(|input: &[u8]| {
    // The first byte is the position at which the rest is split into two writes.
    let Some((&cut, bytes)) = input.split_first() else { return };
    let (first, rest) = bytes.split_at(usize::from(cut).min(bytes.len()));
    let responses = responses(Arc::new(Small), &[first, rest]);
    if responses.is_empty() {
        return;
    }
    assert!(responses.starts_with(b"HTTP/1."), "{}", String::from_utf8_lossy(&responses));
    let status = responses.get(9..12).unwrap_or_default();
    assert!(matches!(status, [b'1' | b'2' | b'4', ..]), "{}", String::from_utf8_lossy(&responses));
});
