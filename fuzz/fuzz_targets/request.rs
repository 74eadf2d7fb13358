//! For any bytes on a connection, each answer is an HTTP response, and none has a status of 5xx.

#![no_main]

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use hypertrace_prometheus::{
    exposition::{CONTENT_TYPE, WrittenPage},
    server::{Scrape, Source, fuzzing::answers},
};
use libfuzzer_sys::fuzz_target;

struct Small;

impl Source for Small {
    fn scrape(&self, _: Duration) -> Pin<Box<dyn Future<Output = Scrape> + Send>> {
        let page = Box::new(WrittenPage::new(b"a 1\n".to_vec()));
        Box::pin(async { Scrape { content_type: CONTENT_TYPE.to_owned(), page } })
    }

    fn summary(
        &self,
        _: &str,
        _: Duration,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>> {
        Box::pin(async { Ok(b"{}".to_vec()) })
    }
}

fuzz_target!(|input: &[u8]| {
    // The first byte is the position at which the rest is split.
    let Some((&cut, bytes)) = input.split_first() else { return };
    let (first, rest) = bytes.split_at(usize::from(cut).min(bytes.len()));
    let answers = answers(Arc::new(Small), &[first, rest]);
    if answers.is_empty() {
        return;
    }
    assert!(answers.starts_with(b"HTTP/1."), "{}", String::from_utf8_lossy(&answers));
    let status = answers.get(9..12).unwrap_or_default();
    assert!(matches!(status, [b'1' | b'2' | b'4', ..]), "{}", String::from_utf8_lossy(&answers));
});
