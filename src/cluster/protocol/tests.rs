use proptest::prelude::*;

use super::*;

fn to_member() -> Vec<ToMember> {
    let request = PageRequest {
        page: 7,
        format: Format::Protobuf,
        gzip: true,
        scraper: Some(ScraperId(u64::MAX)),
        js_timeout: Duration::from_millis(100),
    };
    vec![
        ToMember::Welcome(3),
        ToMember::Differs { option: "prefix".into(), value: "\"é\"".into() },
        ToMember::Start(request),
        ToMember::Start(PageRequest { scraper: None, format: Format::Text, ..request }),
        ToMember::Pull(u64::MAX),
        ToMember::End { page: 1, is_complete: true },
        ToMember::Ending,
        ToMember::Ask {
            request: 5,
            document: Document::History,
            query: "by=id".into(),
            js_timeout: Duration::ZERO,
        },
    ]
}

fn to_opener() -> Vec<ToOpener> {
    let options = vec![("a".to_owned(), "1".to_owned()), (String::new(), String::new())];
    let version = super::super::VERSION.to_owned();
    vec![
        ToOpener::Hello(Hello { version: version.clone(), number: None, options }),
        ToOpener::Hello(Hello { version, number: Some(2), options: Vec::new() }),
        ToOpener::Head { page: 1, length: 1 << 40, families: vec![0, 255] },
        ToOpener::Chunk { page: 1, more: true, bytes: vec![1; 100] },
        ToOpener::Answer { request: 9, is_ok: false, bytes: Vec::new() },
        ToOpener::Leave,
    ]
}

#[test]
fn each_message_is_read_back_unchanged_and_a_truncated_one_is_malformed() {
    for message in to_member() {
        let frame = message.encode();
        assert_eq!(frame[..HEADER], u32::try_from(frame.len() - HEADER).unwrap().to_le_bytes());
        for length in HEADER..frame.len() {
            assert_eq!(ToMember::decode(&frame[HEADER..length]), Err(Malformed), "{message:?}");
        }
        assert_eq!(ToMember::decode(&frame[HEADER..]), Ok(message));
    }
    for message in to_opener() {
        let frame = message.encode();
        for length in HEADER..frame.len() {
            assert_eq!(ToOpener::decode(&frame[HEADER..length]), Err(Malformed), "{message:?}");
        }
        assert_eq!(ToOpener::decode(&frame[HEADER..]), Ok(message));
    }
}

#[test]
fn the_first_messages_of_another_version_can_be_read() {
    let version = "99.0.0".to_owned();
    let hello = Hello { version, number: None, options: Vec::new() };
    let mut frame = ToOpener::Hello(hello.clone()).encode();
    frame.extend_from_slice(b"unknown fields");
    assert_eq!(ToOpener::decode(&frame[HEADER..]), Ok(ToOpener::Hello(hello)));
    let differs = ToMember::Differs { option: "version".into(), value: "99.0.0".into() };
    let mut frame = differs.encode();
    frame.push(7);
    assert_eq!(ToMember::decode(&frame[HEADER..]), Ok(differs));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = ToMember::decode(&bytes);
        let _ = ToOpener::decode(&bytes);
    }
}
