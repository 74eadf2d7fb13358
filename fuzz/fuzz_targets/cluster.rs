//! Any bytes that another process may send are read or rejected: messages, blocks of series, and documents.

#![no_main]

use hypertrace_prometheus::cluster::fuzzing::{check, merge, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&kind, bytes)) = input.split_first() else { return };
    match kind {
        0 => read(bytes),
        1 => {
            let mut fields = bytes.splitn(3, |byte| *byte == 0);
            let mut next = || fields.next().unwrap_or_default();
            let query = String::from_utf8_lossy(next());
            merge(&query, next(), next());
        }
        cut => check(bytes, usize::from(cut)),
    }
});
