//! Any certificate, key and authorities are read, or rejected with a message. Their separator is a zero byte.

#![no_main]

use hypertrace_prometheus::server::tls::{Pem, SecureContext, Version};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(3, |byte| *byte == 0);
    let (cert, key, ca) =
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next());
    let pem = Pem { cert, key, ca, min_version: Version::Tls12 };
    match SecureContext::new(pem) {
        Ok(context) => {
            assert!(context.is_same(&SecureContext::new(pem).expect("it was read before")))
        }
        Err(unusable) => assert!(!unusable.to_string().is_empty()),
    }
});
