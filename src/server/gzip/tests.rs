//! Tests of the contents of the cache, and of the equality of the compressed page and the plain page.

use std::{
    io::Read,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use flate2::bufread::GzDecoder;
use proptest::prelude::*;
use tokio::task::LocalSet;

use super::{DeflateCache, Member, cache::MAX_RANGE_BYTES};
use crate::{
    counter::{
        RANGE, RangeVersion, TraceCounter,
        tests::{Thread, counter_with, expiring_counter},
    },
    exposition::{Page as Text, Render, Step},
    server::{encoder::PageEncoder, negotiate::Coding},
};

const LIMIT: usize = 1024 * 1024;
const TAIL: &[u8] = b"other_total 1\n";

/// Decompresses one member, after which there must be no bytes.
fn gunzip(member: &[u8]) -> String {
    String::from_utf8(gunzip_bytes(member)).expect("UTF-8")
}

fn gunzip_bytes(member: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut decoder = GzDecoder::new(member);
    decoder.read_to_end(&mut text).expect("one well-formed member");
    assert!(decoder.into_inner().is_empty(), "bytes after the member");
    text
}

fn gzip_page(counter: &Arc<TraceCounter>, cache: &Rc<DeflateCache>) -> Vec<u8> {
    let text = Text::text(Arc::clone(counter), TAIL.to_vec());
    let record = text.record();
    let mut page = PageEncoder::new(Box::new(text), Coding::Gzip, cache);
    let mut member = Vec::new();
    loop {
        let chunk = page.chunk().expect("no panic");
        member.extend_from_slice(&chunk.bytes);
        if !chunk.more {
            counter.complete(&record, Instant::now());
            return member;
        }
    }
}

fn plain_page(counter: &Arc<TraceCounter>) -> String {
    let page = Text::text(Arc::clone(counter), TAIL.to_vec()).into_bytes();
    String::from_utf8(page).expect("UTF-8")
}

fn values(id: u32) -> [String; 7] {
    ["Class", "function", "file.js", "", "", &id.to_string(), ""].map(str::to_owned)
}

fn intern(counter: &TraceCounter, id: u32) -> u32 {
    counter.intern(values(id).iter().map(String::as_str)).slot
}

/// Creates a counter with this number of series, each counted once.
fn counted(series: u32) -> (Arc<TraceCounter>, Thread) {
    let counter = Arc::new(counter_with(&[], 100_000));
    let mut thread = Thread::join(&counter);
    for id in 0..series {
        thread.count(&counter, intern(&counter, id));
    }
    (counter, thread)
}

/// Returns the numbers of the ranges that a page renders because the cache does not have them.
fn rendered_ranges(counter: &Arc<TraceCounter>, cache: &DeflateCache) -> Vec<u32> {
    let mut page = Text::text(Arc::clone(counter), Vec::new());
    let mut numbers = Vec::new();
    loop {
        match page.render(&|number| cache.version(number), &mut Vec::new()) {
            Step::Text { more: false } => break,
            Step::Range { number, .. } => numbers.push(number),
            Step::Text { more: true } | Step::Cached(_) | Step::Deflated => {}
        }
    }
    numbers.dedup();
    numbers
}

#[test]
fn only_ranges_that_changed_are_rendered() {
    let (counter, mut thread) = counted(5 * RANGE - 7);
    let cache = Rc::new(DeflateCache::new(LIMIT));
    assert_eq!(rendered_ranges(&counter, &cache), [0, 1, 2, 3, 4]);
    assert_eq!(gunzip(&gzip_page(&counter, &cache)), plain_page(&counter));
    assert_eq!(rendered_ranges(&counter, &cache), [0_u32; 0]);

    thread.count(&counter, 2 * RANGE);
    thread.count(&counter, intern(&counter, 999_999));
    assert_eq!(rendered_ranges(&counter, &cache), [2, 4]);
    assert_eq!(gunzip(&gzip_page(&counter, &cache)), plain_page(&counter));
    thread.leave(&counter);
    assert_eq!(
        rendered_ranges(&counter, &cache),
        [0_u32; 0],
        "the counts of a thread that ended stay"
    );
}

#[test]
fn a_series_that_is_interned_without_a_count_changes_no_range() {
    let (counter, thread) = counted(3);
    let cache = Rc::new(DeflateCache::new(LIMIT));
    gzip_page(&counter, &cache);
    intern(&counter, 77);
    assert_eq!(rendered_ranges(&counter, &cache), [0_u32; 0]);
    thread.leave(&counter);
}

#[test]
fn equal_counts_after_a_reset_are_another_version() {
    let (counter, mut thread) = counted(2);
    let cache = Rc::new(DeflateCache::new(LIMIT));
    gzip_page(&counter, &cache);
    counter.reset();
    thread.count(&counter, 1);
    thread.count(&counter, 1);
    let page = gunzip(&gzip_page(&counter, &cache));
    assert_eq!(page, plain_page(&counter));
    assert!(page.contains("object_id=\"1\"} 2\n"), "{page}");
    thread.leave(&counter);
}

/// Creates a counter with one series, which is counted once and expires after a minute.
fn counted_and_expiring() -> (Arc<TraceCounter>, Thread, u32) {
    let counter = Arc::new(expiring_counter(100));
    let mut thread = Thread::join(&counter);
    let slot = intern(&counter, 1);
    thread.count(&counter, slot);
    counter.sweep(thread.shard(), later(0));
    (counter, thread, slot)
}

fn later(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

#[test]
fn a_value_of_a_cached_range_counts_as_shown() {
    let (counter, mut thread, slot) = counted_and_expiring();
    let cache = Rc::new(DeflateCache::new(LIMIT));
    gzip_page(&counter, &cache);

    counter.sweep(thread.shard(), later(1));
    thread.count(&counter, slot);
    counter.sweep(thread.shard(), later(100));
    assert_eq!(counter.stats().expired, 0);
    counter.sweep(thread.shard(), later(200));
    assert_eq!(counter.stats().expired, 0, "the value 2 was not on a page yet");
    gzip_page(&counter, &cache);
    assert_eq!(rendered_ranges(&counter, &cache), [0_u32; 0]);
    counter.sweep(thread.shard(), later(300));
    counter.sweep(thread.shard(), later(400));
    assert_eq!(counter.stats().expired, 1);
    assert!(!gunzip(&gzip_page(&counter, &cache)).contains("object_id"));
    thread.leave(&counter);
}

#[test]
fn the_next_series_of_a_slot_is_another_version() {
    let (counter, mut thread, slot) = counted_and_expiring();
    let cache = Rc::new(DeflateCache::new(LIMIT));
    gzip_page(&counter, &cache);
    counter.sweep(thread.shard(), later(100));
    counter.sweep(thread.shard(), later(200));
    assert_eq!(counter.stats().series, 0);
    assert_eq!(intern(&counter, 2), slot);
    thread.count(&counter, slot);
    let page = gunzip(&gzip_page(&counter, &cache));
    assert!(page.contains("object_id=\"2\"} 1\n") && !page.contains("object_id=\"1\""), "{page}");
    thread.leave(&counter);
}

#[test]
fn the_cache_is_bounded() {
    let (counter, thread) = counted(20 * RANGE);
    let cache = Rc::new(DeflateCache::new(LIMIT));
    gzip_page(&counter, &cache);
    let limit = cache.bytes() / 2;
    let cache = Rc::new(DeflateCache::new(limit));
    for _ in 0..3 {
        assert_eq!(gunzip(&gzip_page(&counter, &cache)), plain_page(&counter));
        assert!(cache.bytes() <= limit);
        let rendered = rendered_ranges(&counter, &cache);
        assert!((8..=12).contains(&rendered.len()), "{rendered:?}");
        assert!(!rendered.contains(&0), "the first ranges stay");
    }
    thread.leave(&counter);
}

#[test]
fn a_member_is_the_same_with_a_new_compressor_and_with_a_used_one() {
    let (counter, thread) = counted(3 * RANGE);
    let first = gzip_page(&counter, &Rc::new(DeflateCache::new(0)));
    let cache = Rc::new(DeflateCache::new(0));
    gzip_page(&counter, &cache);
    let compressor = cache.take_compressor().expect("stored");
    cache.store_compressor(compressor);
    assert_eq!(gzip_page(&counter, &cache), first);
    thread.leave(&counter);
}

#[test]
fn a_scrape_without_gzip_caches_nothing() {
    let (counter, thread) = counted(2 * RANGE);
    let cache = Rc::new(DeflateCache::new(LIMIT));
    let text = Text::text(Arc::clone(&counter), Vec::new());
    let mut page = PageEncoder::new(Box::new(text), Coding::Identity, &cache);
    while page.chunk().expect("no panic").more {}
    assert_eq!(cache.bytes(), 0);
    assert!(cache.take_compressor().is_none());
    thread.leave(&counter);
}

#[tokio::test(start_paused = true)]
async fn the_cache_is_dropped_after_a_time_without_gzip() {
    let (nearly, idle) = (Duration::from_secs(599), Duration::from_secs(600));
    let (counter, thread) = counted(RANGE);
    let cache = Rc::new(DeflateCache::new(LIMIT));
    let scrape = || {
        cache.record_use(idle);
        gzip_page(&counter, &cache);
        assert!(cache.bytes() > 0);
    };
    let scrapes = async {
        for _ in 0..2 {
            scrape();
            tokio::time::sleep(nearly).await;
            scrape();
            tokio::time::sleep(nearly).await;
            assert!(cache.bytes() > 0, "the last scrape was less than ten minutes ago");
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(cache.bytes(), 0);
            assert!(cache.take_compressor().is_none());
        }
    };
    LocalSet::new().run_until(scrapes).await;
    thread.leave(&counter);
}

#[test]
fn a_truncated_member_is_an_error() {
    let (counter, thread) = counted(3 * RANGE);
    let cache = Rc::new(DeflateCache::new(LIMIT));
    gzip_page(&counter, &cache);
    let member = gzip_page(&counter, &cache);
    for end in [10, 100, member.len() / 2, member.len() - 8, member.len() - 1] {
        let mut text = Vec::new();
        assert!(GzDecoder::new(&member[..end]).read_to_end(&mut text).is_err(), "{end}");
    }
    thread.leave(&counter);
}

#[test]
fn a_compressed_range_of_any_text_is_valid_at_any_position() {
    let noise = noise(70_000);
    let same = vec![b'x'; 200_000];
    let texts: [&[u8]; 5] = [b"", b"a", b"a 1\na 1\na 1\n", &noise, &same];
    let cache = DeflateCache::new(LIMIT);
    let mut first = Member::new();
    first.begin_chunk(&cache);
    let mut out = Vec::new();
    for (number, text) in (0..).zip(texts) {
        let (head, tail) = text.split_at(text.len() / 3);
        assert!(first.range(head, false, &mut out).expect("compressed").is_none());
        first.end_chunk(&cache, &mut out).expect("compressed");
        first.begin_chunk(&cache);
        let range = first.range(tail, true, &mut out).expect("compressed").expect("short enough");
        cache.insert(number, RangeVersion::default(), range);
    }
    first.finish(b"", &cache, &mut out).expect("compressed");
    assert_eq!(gunzip_bytes(&out), texts.concat());

    let mut second = Member::new();
    second.begin_chunk(&cache);
    let (mut out, mut expected) = (Vec::new(), Vec::new());
    for number in [4, 3, 0, 2, 2, 1, 3] {
        second.cached(number, &cache, &mut out).expect("cached");
        expected.extend_from_slice(texts[number as usize]);
        second.text(b"between\n", &mut out).expect("compressed");
        expected.extend_from_slice(b"between\n");
    }
    second.finish(b"end\n", &cache, &mut out).expect("compressed");
    expected.extend_from_slice(b"end\n");
    assert_eq!(gunzip_bytes(&out), expected);
}

#[test]
fn a_range_that_is_too_long_is_not_cached() {
    let noise = noise(MAX_RANGE_BYTES + 1000);
    let cache = DeflateCache::new(LIMIT);
    let mut member = Member::new();
    member.begin_chunk(&cache);
    let mut out = Vec::new();
    assert!(member.range(&noise, true, &mut out).expect("compressed").is_none());
    member.finish(b"end", &cache, &mut out).expect("compressed");
    assert_eq!(gunzip_bytes(&out), [&noise[..], b"end"].concat());
}

#[test]
fn members_that_are_written_in_turns_share_one_compressor() {
    let cache = DeflateCache::new(LIMIT);
    let text = |turn: usize, member: usize| format!("{turn} {member} ").repeat(100 * (member + 1));
    let mut members: Vec<_> = (0..3).map(|_| (Member::new(), Vec::new(), String::new())).collect();
    for turn in 0..5 {
        for (number, (member, out, expected)) in members.iter_mut().enumerate() {
            let text = text(turn, number);
            member.begin_chunk(&cache);
            assert!(cache.take_compressor().is_none(), "the member has the only compressor");
            member.text(text.as_bytes(), out).expect("compressed");
            member.end_chunk(&cache, out).expect("compressed");
            expected.push_str(&text);
        }
    }
    for (mut member, mut out, expected) in members {
        member.begin_chunk(&cache);
        member.finish(b"", &cache, &mut out).expect("compressed");
        assert_eq!(gunzip(&out), expected);
    }
}

/// Returns bytes that cannot be compressed.
fn noise(length: usize) -> Vec<u8> {
    let next = |state: &mut u64, ()| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Some(state.to_be_bytes()[0])
    };
    std::iter::repeat_n((), length).scan(1, next).collect()
}

/// An event between two scrapes.
#[derive(Clone, Debug)]
enum Event {
    Count { thread: usize, id: u32 },
    Begin { count: u32 },
    Replace { thread: usize },
    Sweep { thread: usize },
    Advance { seconds: u8 },
    Scrape { scraper: usize },
    CutScrape { chunks: usize },
    Reset,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        20 => (0..2usize, 0..1200u32).prop_map(|(thread, id)| Event::Count { thread, id }),
        4 => (0..300u32).prop_map(|count| Event::Begin { count }),
        1 => (0..2usize).prop_map(|thread| Event::Replace { thread }),
        6 => (0..2usize).prop_map(|thread| Event::Sweep { thread }),
        3 => (0..90u8).prop_map(|seconds| Event::Advance { seconds }),
        6 => (0..2usize).prop_map(|scraper| Event::Scrape { scraper }),
        2 => (0..4usize).prop_map(|chunks| Event::CutScrape { chunks }),
        1 => Just(Event::Reset),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Two scrapers share the cache; a third one aborts its scrapes.
    #[test]
    fn a_compressed_page_is_the_plain_page_after_any_events(
        events in prop::collection::vec(event(), 0..120),
        limit in prop_oneof![Just(0), Just(3_000), Just(LIMIT)],
    ) {
        let counter = Arc::new(expiring_counter(2_000));
        let mut threads: Vec<_> = (0..2).map(|_| Thread::join(&counter)).collect();
        let cache = Rc::new(DeflateCache::new(limit));
        let mut now = Instant::now();
        let mut begun = 0;
        for event in events {
            match event {
                Event::Count { thread, id } => {
                    threads[thread].count(&counter, intern(&counter, id));
                }
                Event::Begin { count } => {
                    for id in begun..begun + count {
                        threads[0].count(&counter, intern(&counter, id % 1200));
                    }
                    begun += count;
                }
                Event::Replace { thread } => {
                    let joined = Thread::join(&counter);
                    std::mem::replace(&mut threads[thread], joined).leave(&counter);
                }
                Event::Sweep { thread } => { counter.sweep(threads[thread].shard(), now); }
                Event::Advance { seconds } => now += Duration::from_secs(seconds.into()),
                Event::Scrape { scraper: 0 } => {
                    // The gzip page is rendered first: the plain page would mark every value as shown.
                    let page = gunzip(&gzip_page(&counter, &cache));
                    prop_assert_eq!(page, plain_page(&counter));
                }
                Event::Scrape { .. } => { gzip_page(&counter, &cache); }
                Event::CutScrape { chunks } => {
                    let text = Text::text(Arc::clone(&counter), TAIL.to_vec());
                    let mut page = PageEncoder::new(Box::new(text), Coding::Gzip, &cache);
                    for _ in 0..chunks {
                        if !page.chunk().expect("no panic").more { break }
                    }
                }
                Event::Reset => counter.reset(),
            }
        }
        prop_assert_eq!(gunzip(&gzip_page(&counter, &cache)), plain_page(&counter));
        for thread in threads {
            thread.leave(&counter);
        }
    }
}
