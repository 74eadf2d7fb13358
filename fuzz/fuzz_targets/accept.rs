//! The choice of a format and a coding depends on the elements of a header, not on their order or spaces.
//! The name of a coding is not case-sensitive; the schema of a format is.

#![no_main]

use hypertrace_prometheus::{
    exposition::Format,
    server::{coding, fuzzing::format},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &[u8]| {
    let elements: Vec<&[u8]> = value.split(|byte| *byte == b',').collect();
    let reversed: Vec<u8> = elements.iter().rev().copied().collect::<Vec<_>>().join(&b", "[..]);
    let lower = value.to_ascii_lowercase();
    let chosen = (format([value].into_iter()), coding([value].into_iter()));
    let other = [reversed.as_slice()].into_iter();
    assert_eq!((format(other.clone()), coding(other)), chosen);
    assert_eq!(coding([lower.as_slice()].into_iter()), chosen.1);
    let split = elements.iter().copied();
    assert_eq!((format(split.clone()), coding(split)), chosen);
    if chosen.0 != Format::Text {
        assert!(lower.windows(8).any(|bytes| bytes == b"protobuf"));
    }
});
