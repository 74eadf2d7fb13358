//! What is kept, and that the member is the same page whatever was kept.

use std::{
    io::Read,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use flate2::bufread::GzDecoder;
use proptest::prelude::*;
use tokio::task::LocalSet;

use super::{DeflateCache, LONGEST, Member};
use crate::{
    counter::{
        RANGE, RangeVersion, TraceCounter,
        tests::{Thread, counter_with, expiring_counter},
    },
    exposition::{Page as Text, Render, Step},
    server::{encoder::PageEncoder, negotiate::Coding},
};

const ROOM: usize = 1024 * 1024;
const TAIL: &[u8] = b"other_total 1\n";

/// The whole of one member, and nothing behind it.
fn unpacked(member: &[u8]) -> String {
    String::from_utf8(bytes_of(member)).expect("UTF-8")
}

fn bytes_of(member: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut decoder = GzDecoder::new(member);
    decoder.read_to_end(&mut text).expect("one well-formed member");
    assert!(decoder.into_inner().is_empty(), "bytes behind the member");
    text
}

fn packed(counter: &Arc<TraceCounter>, kept: &Rc<DeflateCache>) -> Vec<u8> {
    let text = Text::text(Arc::clone(counter), TAIL.to_vec());
    let record = text.record();
    let mut page = PageEncoder::new(Box::new(text), Coding::Gzip, kept);
    let mut member = Vec::new();
    loop {
        let part = page.chunk().expect("no panic");
        member.extend_from_slice(&part.bytes);
        if !part.more {
            counter.complete(&record, Instant::now());
            return member;
        }
    }
}

fn plain(counter: &Arc<TraceCounter>) -> String {
    let page = Text::text(Arc::clone(counter), TAIL.to_vec()).into_bytes();
    String::from_utf8(page).expect("UTF-8")
}

fn values(id: u32) -> [String; 7] {
    ["Class", "function", "file.js", "", "", &id.to_string(), ""].map(str::to_owned)
}

fn intern(counter: &TraceCounter, id: u32) -> u32 {
    counter.intern(values(id).iter().map(String::as_str)).slot
}

/// A counter with this many series, each counted once.
fn counted(series: u32) -> (Arc<TraceCounter>, Thread) {
    let counter = Arc::new(counter_with(&[], 100_000));
    let mut thread = Thread::join(&counter);
    for id in 0..series {
        thread.count(&counter, intern(&counter, id));
    }
    (counter, thread)
}

/// The numbers of the stretches that are written anew, not taken from what is kept.
fn written(counter: &Arc<TraceCounter>, kept: &DeflateCache) -> Vec<u32> {
    let mut page = Text::text(Arc::clone(counter), Vec::new());
    let mut numbers = Vec::new();
    loop {
        match page.render(&|number| kept.version(number), &mut Vec::new()) {
            Step::Text { more: false } => break,
            Step::Range { number, .. } => numbers.push(number),
            Step::Text { more: true } | Step::Cached(_) => {}
        }
    }
    numbers.dedup();
    numbers
}

#[test]
fn only_the_ranges_that_changed_are_written_anew() {
    let (counter, mut thread) = counted(5 * RANGE - 7);
    let kept = Rc::new(DeflateCache::new(ROOM));
    assert_eq!(written(&counter, &kept), [0, 1, 2, 3, 4]);
    assert_eq!(unpacked(&packed(&counter, &kept)), plain(&counter));
    assert_eq!(written(&counter, &kept), []);

    thread.count(&counter, 2 * RANGE);
    thread.count(&counter, intern(&counter, 999_999));
    assert_eq!(written(&counter, &kept), [2, 4]);
    assert_eq!(unpacked(&packed(&counter, &kept)), plain(&counter));
    thread.leave(&counter);
    assert_eq!(written(&counter, &kept), [], "a thread that ended has left its counts");
}

#[test]
fn a_series_that_is_only_looked_up_changes_nothing() {
    let (counter, thread) = counted(3);
    let kept = Rc::new(DeflateCache::new(ROOM));
    packed(&counter, &kept);
    intern(&counter, 77);
    assert_eq!(written(&counter, &kept), []);
    thread.leave(&counter);
}

#[test]
fn the_same_counts_after_a_reset_are_not_taken_for_the_old_ones() {
    let (counter, mut thread) = counted(2);
    let kept = Rc::new(DeflateCache::new(ROOM));
    packed(&counter, &kept);
    counter.reset();
    thread.count(&counter, 1);
    thread.count(&counter, 1);
    let page = unpacked(&packed(&counter, &kept));
    assert_eq!(page, plain(&counter));
    assert!(page.contains("object_id=\"1\"} 2\n"), "{page}");
    thread.leave(&counter);
}

/// One series, counted once, that leaves when it is idle for a minute.
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
fn what_is_taken_from_what_is_kept_counts_as_shown_with_the_values_it_shows() {
    let (counter, mut thread, slot) = counted_and_expiring();
    let kept = Rc::new(DeflateCache::new(ROOM));
    packed(&counter, &kept);

    counter.sweep(thread.shard(), later(1));
    thread.count(&counter, slot);
    counter.sweep(thread.shard(), later(100));
    assert_eq!(counter.stats().expired, 0);
    counter.sweep(thread.shard(), later(200));
    assert_eq!(counter.stats().expired, 0, "2 has not been shown");
    packed(&counter, &kept);
    assert_eq!(written(&counter, &kept), []);
    counter.sweep(thread.shard(), later(300));
    counter.sweep(thread.shard(), later(400));
    assert_eq!(counter.stats().expired, 1);
    assert!(!unpacked(&packed(&counter, &kept)).contains("object_id"));
    thread.leave(&counter);
}

#[test]
fn a_slots_next_series_is_not_taken_for_the_last_one() {
    let (counter, mut thread, slot) = counted_and_expiring();
    let kept = Rc::new(DeflateCache::new(ROOM));
    packed(&counter, &kept);
    counter.sweep(thread.shard(), later(100));
    counter.sweep(thread.shard(), later(200));
    assert_eq!(counter.stats().series, 0);
    assert_eq!(intern(&counter, 2), slot);
    thread.count(&counter, slot);
    let page = unpacked(&packed(&counter, &kept));
    assert!(page.contains("object_id=\"2\"} 1\n") && !page.contains("object_id=\"1\""), "{page}");
    thread.leave(&counter);
}

#[test]
fn what_is_kept_has_a_bound() {
    let (counter, thread) = counted(20 * RANGE);
    let kept = Rc::new(DeflateCache::new(ROOM));
    packed(&counter, &kept);
    let limit = kept.bytes() / 2;
    let kept = Rc::new(DeflateCache::new(limit));
    for _ in 0..3 {
        assert_eq!(unpacked(&packed(&counter, &kept)), plain(&counter));
        assert!(kept.bytes() <= limit);
        let anew = written(&counter, &kept);
        assert!((8..=12).contains(&anew.len()), "{anew:?}");
        assert!(!anew.contains(&0), "the first ones stay");
    }
    thread.leave(&counter);
}

#[test]
fn a_member_is_the_same_with_a_compressor_of_its_own_and_with_one_that_was_kept() {
    let (counter, thread) = counted(3 * RANGE);
    let first = packed(&counter, &Rc::new(DeflateCache::new(0)));
    let kept = Rc::new(DeflateCache::new(0));
    packed(&counter, &kept);
    let compressor = kept.compressor().expect("kept");
    kept.keep_compressor(compressor);
    assert_eq!(packed(&counter, &kept), first);
    thread.leave(&counter);
}

#[test]
fn nothing_is_kept_for_a_scraper_that_takes_no_gzip() {
    let (counter, thread) = counted(2 * RANGE);
    let kept = Rc::new(DeflateCache::new(ROOM));
    let text = Text::text(Arc::clone(&counter), Vec::new());
    let mut page = PageEncoder::new(Box::new(text), Coding::Identity, &kept);
    while page.chunk().expect("no panic").more {}
    assert_eq!(kept.bytes(), 0);
    assert!(kept.compressor().is_none());
    thread.leave(&counter);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_goes_when_nobody_asks_for_gzip_any_more() {
    let (nearly, idle) = (Duration::from_secs(599), Duration::from_secs(600));
    let (counter, thread) = counted(RANGE);
    let kept = Rc::new(DeflateCache::new(ROOM));
    let scrape = || {
        kept.used(idle);
        packed(&counter, &kept);
        assert!(kept.bytes() > 0);
    };
    let waits = async {
        for _ in 0..2 {
            scrape();
            tokio::time::sleep(nearly).await;
            scrape();
            tokio::time::sleep(nearly).await;
            assert!(kept.bytes() > 0, "asked for since");
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(kept.bytes(), 0);
            assert!(kept.compressor().is_none());
        }
    };
    LocalSet::new().run_until(waits).await;
    thread.leave(&counter);
}

#[test]
fn a_member_without_its_end_is_an_error_to_its_reader() {
    let (counter, thread) = counted(3 * RANGE);
    let kept = Rc::new(DeflateCache::new(ROOM));
    packed(&counter, &kept);
    let member = packed(&counter, &kept);
    for end in [10, 100, member.len() / 2, member.len() - 8, member.len() - 1] {
        let mut text = Vec::new();
        assert!(GzDecoder::new(&member[..end]).read_to_end(&mut text).is_err(), "{end}");
    }
    thread.leave(&counter);
}

#[test]
fn a_stretch_of_any_text_may_stand_anywhere() {
    let noise = noise(70_000);
    let same = vec![b'x'; 200_000];
    let texts: [&[u8]; 5] = [b"", b"a", b"a 1\na 1\na 1\n", &noise, &same];
    let kept = DeflateCache::new(ROOM);
    let mut first = Member::new(&kept);
    let mut out = Vec::new();
    for (number, text) in (0..).zip(texts) {
        let (head, tail) = text.split_at(text.len() / 3);
        assert!(first.range(head, false, &mut out).expect("packed").is_none());
        let done = first.range(tail, true, &mut out).expect("packed").expect("short enough");
        kept.insert(number, RangeVersion::default(), done);
    }
    first.finish(b"", &kept, &mut out).expect("packed");
    assert_eq!(bytes_of(&out), texts.concat());

    let mut second = Member::new(&kept);
    let (mut out, mut expected) = (Vec::new(), Vec::new());
    for number in [4, 3, 0, 2, 2, 1, 3] {
        second.cached(number, &kept, &mut out).expect("kept");
        expected.extend_from_slice(texts[number as usize]);
        second.text(b"between\n", &mut out).expect("packed");
        expected.extend_from_slice(b"between\n");
    }
    second.finish(b"end\n", &kept, &mut out).expect("packed");
    expected.extend_from_slice(b"end\n");
    assert_eq!(bytes_of(&out), expected);
}

#[test]
fn a_stretch_that_is_too_long_is_written_but_not_kept() {
    let noise = noise(LONGEST + 1000);
    let kept = DeflateCache::new(ROOM);
    let mut member = Member::new(&kept);
    let mut out = Vec::new();
    assert!(member.range(&noise, true, &mut out).expect("packed").is_none());
    member.finish(b"end", &kept, &mut out).expect("packed");
    assert_eq!(bytes_of(&out), [&noise[..], b"end"].concat());
}

/// Bytes that no compressor makes shorter.
fn noise(length: usize) -> Vec<u8> {
    let next = |state: &mut u64, ()| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Some(state.to_be_bytes()[0])
    };
    std::iter::repeat_n((), length).scan(1, next).collect()
}

/// What may happen between two scrapes.
#[derive(Clone, Debug)]
enum Event {
    Count { thread: usize, id: u32 },
    Come { count: u32 },
    Leave { thread: usize },
    Sweep { thread: usize },
    Pass { seconds: u8 },
    Scrape { scraper: usize },
    Halfway { parts: usize },
    Reset,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        20 => (0..2usize, 0..1200u32).prop_map(|(thread, id)| Event::Count { thread, id }),
        4 => (0..300u32).prop_map(|count| Event::Come { count }),
        1 => (0..2usize).prop_map(|thread| Event::Leave { thread }),
        6 => (0..2usize).prop_map(|thread| Event::Sweep { thread }),
        3 => (0..90u8).prop_map(|seconds| Event::Pass { seconds }),
        6 => (0..2usize).prop_map(|scraper| Event::Scrape { scraper }),
        2 => (0..4usize).prop_map(|parts| Event::Halfway { parts }),
        1 => Just(Event::Reset),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Two scrapers share what is kept; a third breaks its scrapes off.
    #[test]
    fn a_page_in_gzip_is_the_plain_page_whatever_happened_since_the_last(
        events in prop::collection::vec(event(), 0..120),
        limit in prop_oneof![Just(0), Just(3_000), Just(ROOM)],
    ) {
        let counter = Arc::new(expiring_counter(2_000));
        let mut threads: Vec<_> = (0..2).map(|_| Thread::join(&counter)).collect();
        let kept = Rc::new(DeflateCache::new(limit));
        let mut now = Instant::now();
        let mut come = 0;
        for event in events {
            match event {
                Event::Count { thread, id } => {
                    threads[thread].count(&counter, intern(&counter, id));
                }
                Event::Come { count } => {
                    for id in come..come + count {
                        threads[0].count(&counter, intern(&counter, id % 1200));
                    }
                    come += count;
                }
                Event::Leave { thread } => {
                    let joined = Thread::join(&counter);
                    std::mem::replace(&mut threads[thread], joined).leave(&counter);
                }
                Event::Sweep { thread } => { counter.sweep(threads[thread].shard(), now); }
                Event::Pass { seconds } => now += Duration::from_secs(seconds.into()),
                Event::Scrape { scraper: 0 } => {
                    // Before the plain page, which marks everything as shown.
                    let page = unpacked(&packed(&counter, &kept));
                    prop_assert_eq!(page, plain(&counter));
                }
                Event::Scrape { .. } => { packed(&counter, &kept); }
                Event::Halfway { parts } => {
                    let text = Text::text(Arc::clone(&counter), TAIL.to_vec());
                    let mut page = PageEncoder::new(Box::new(text), Coding::Gzip, &kept);
                    for _ in 0..parts {
                        if !page.chunk().expect("no panic").more { break }
                    }
                }
                Event::Reset => counter.reset(),
            }
        }
        prop_assert_eq!(unpacked(&packed(&counter, &kept)), plain(&counter));
        for thread in threads {
            thread.leave(&counter);
        }
    }
}
