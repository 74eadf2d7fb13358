//! Any bytes are read as certificate, key and authorities, or rejected with a message. In the input, the
//! three are separated by zero bytes.

#![no_main]

use hypertrace_prometheus::server::tls::{Pem, SecureContext, Version};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut fields = input.splitn(3, |byte| *byte == 0);
    let (cert, key, ca) =
        (fields.next().unwrap_or_default(), fields.next().unwrap_or_default(), fields.next());
    let pem = Pem { cert, key, ca, min_version: Version::Tls12 };
    match SecureContext::new(pem) {
        Ok(context) => {
            assert!(context.is_same(&SecureContext::new(pem).expect("it was valid before")))
        }
        Err(unusable) => assert!(!unusable.to_string().is_empty()),
    }
});
