//! Laws of the cache of ranges, and of pages in the protobuf format that are written while the counter
//! changes. `prost` decodes the pages, with message types that only these tests use.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use prost::Message;

use super::{CHUNK_BYTES, Format, Page, RangeVersion, Render, ScraperId, Step};
use crate::counter::{
    RANGE, TraceCounter,
    tests::{Thread, expiring_counter, pass},
};

#[derive(Clone, PartialEq, prost::Message)]
struct Family {
    #[prost(string, required, tag = "1")]
    name: String,
    #[prost(string, required, tag = "2")]
    help: String,
    #[prost(int32, required, tag = "3")]
    kind: i32,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<Label>,
    #[prost(message, required, tag = "3")]
    counter: Counter,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Label {
    #[prost(string, required, tag = "1")]
    name: String,
    #[prost(string, required, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Counter {
    #[prost(double, required, tag = "1")]
    value: f64,
    #[prost(message, required, tag = "3")]
    start: Timestamp,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Timestamp {
    #[prost(int64, required, tag = "1")]
    seconds: i64,
    #[prost(int32, required, tag = "2")]
    nanos: i32,
}

/// The bytes of another family, which follows the counter's family on each page.
fn tail() -> Vec<u8> {
    let family = Family { name: "other".into(), help: "Other".into(), kind: 1, metric: Vec::new() };
    family.encode_length_delimited_to_vec()
}

/// Decodes a page that consists of the counter's family and [`tail`].
fn decode(mut page: &[u8]) -> Result<Family, TestCaseError> {
    let fail = |error: prost::DecodeError| TestCaseError::fail(error.to_string());
    let family = Family::decode_length_delimited(&mut page).map_err(fail)?;
    prop_assert_eq!(page, &tail()[..], "the announced length is that of the bytes");
    prop_assert_eq!((family.name.as_str(), family.kind), ("trace_counter", 0));
    Ok(family)
}

/// The maximum number of series in these tests: three ranges, of which the last is not full.
const SERIES: u32 = 2 * RANGE + 100;

/// The file of each series. It is so long that the text of a range is longer than a chunk.
const FILE: &str = concat!(
    "/a/path/that/is/long/enough/for/more/than/one/step/in/each/range/of/series/a/path/that/is/long/",
    "enough/for/more/than/one/step/in/each/range/of/series/a/path/that/is/long/enough/for/more/than/",
    "one/step/in/each/range/of/series/a/path/that/is/long/enough/for/more/than/one/step/file.js"
);

#[derive(Clone, Debug)]
enum Event {
    Count(Range<u32>),
    Reset,
    Sweep,
    Start { format: Format, scraper: Option<u64>, cached: bool },
    Step { page: usize },
    Finish { page: usize },
}

fn event() -> impl Strategy<Value = Event> {
    let format = prop_oneof![3 => Just(Format::Protobuf), 1 => Just(Format::Text)];
    prop_oneof![
        6 => (0..SERIES, 0..SERIES / 2)
            .prop_map(|(from, count)| Event::Count(from..SERIES.min(from + count))),
        1 => Just(Event::Reset),
        1 => Just(Event::Sweep),
        4 => (format, prop::option::of(0..2u64), any::<bool>())
            .prop_map(|(format, scraper, cached)| Event::Start { format, scraper, cached }),
        8 => (0..3usize).prop_map(|page| Event::Step { page }),
        3 => (0..3usize).prop_map(|page| Event::Finish { page }),
    ]
}

/// A page that is being written.
struct Open {
    page: Page,
    format: Format,
    is_for_scraper: bool,
    /// `true` if the page uses the cache of its format.
    cached: bool,
    bytes: Vec<u8>,
    /// The bytes of a range that is not complete.
    range: Vec<u8>,
    /// By id: the least and the greatest value since the page was started.
    bounds: HashMap<u32, (f64, f64)>,
    /// The time at which the page was started, in milliseconds, and the last reset before that.
    started: u64,
    last_reset: u64,
    is_complete: bool,
}

/// The ranges that clients have cached: by number, for one format.
type Cache = HashMap<u32, (RangeVersion, Vec<u8>)>;

struct World {
    counter: Arc<TraceCounter>,
    thread: Option<Thread>,
    /// The slots that the thread's cache contains.
    slots: HashMap<u32, u32>,
    /// By id: the value since the last expiry or reset, and the start in milliseconds.
    series: HashMap<u32, (f64, u64)>,
    open: Vec<Open>,
    caches: [Cache; 2],
    now: Instant,
    last_reset: u64,
}

impl World {
    fn new() -> Self {
        let counter = Arc::new(expiring_counter(10_000));
        let thread = Some(Thread::join(&counter));
        Self {
            counter,
            thread,
            slots: HashMap::new(),
            series: HashMap::new(),
            open: Vec::new(),
            caches: Default::default(),
            now: Instant::now(),
            last_reset: 0,
        }
    }

    fn apply(&mut self, event: &Event) -> Result<(), TestCaseError> {
        // No two events happen at the same time.
        let now = pass(&self.counter, Duration::from_secs(1));
        match event {
            Event::Count(ids) => ids.clone().for_each(|id| self.count(id, now)),
            Event::Reset => {
                self.counter.reset();
                self.series.values_mut().for_each(|(value, start)| (*value, *start) = (0.0, now));
                for bounds in self.open.iter_mut().flat_map(|page| page.bounds.values_mut()) {
                    bounds.0 = 0.0;
                }
                self.last_reset = now;
            }
            Event::Sweep => self.sweep(),
            &Event::Start { format, scraper, cached } => self.start(format, scraper, cached, now),
            &Event::Step { page } => {
                if let Some(page) = self.open.get_mut(page) {
                    page.step(&mut self.caches)?;
                }
            }
            &Event::Finish { page } => {
                if page < self.open.len() {
                    let page = self.open.remove(page);
                    self.finish(page)?;
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, id: u32, now: u64) {
        let counter = &self.counter;
        let values = ["A", "f", FILE, "", "", &id.to_string(), ""];
        let slot = *self.slots.entry(id).or_insert_with(|| counter.intern(values).slot);
        if let Some(thread) = &mut self.thread {
            thread.count(counter, slot);
        }
        let (value, _) = self.series.entry(id).or_insert((0.0, now));
        *value += 1.0;
        for page in &mut self.open {
            let bounds = page.bounds.entry(id).or_insert((0.0, 0.0));
            bounds.1 = bounds.1.max(*value);
        }
    }

    /// Sweeps until every series that can expire has expired.
    fn sweep(&mut self) {
        let Some(thread) = &self.thread else { return };
        self.now += Duration::from_secs(3600);
        for _ in 0..2 {
            if self.counter.sweep(thread.shard(), self.now) {
                self.slots.clear();
            }
            self.now += Duration::from_secs(3600);
        }
        let is_id = |pair: &&[String]| pair[0] == "object_id";
        let labels = self.counter.labels(0..=10_000);
        let ids = labels.iter().filter_map(|labels| labels.chunks(2).find(is_id)?[1].parse().ok());
        let left: HashSet<u32> = ids.collect();
        self.series.retain(|id, _| left.contains(id));
    }

    fn start(&mut self, format: Format, scraper: Option<u64>, cached: bool, now: u64) {
        let scraper = scraper.map(ScraperId);
        self.open.push(Open {
            page: Page::new(Arc::clone(&self.counter), format, scraper, tail()),
            format,
            is_for_scraper: scraper.is_some(),
            cached,
            bytes: Vec::new(),
            range: Vec::new(),
            bounds: self.series.iter().map(|(&id, &(value, _))| (id, (value, value))).collect(),
            started: now,
            last_reset: self.last_reset,
            is_complete: false,
        });
    }

    fn finish(&mut self, mut page: Open) -> Result<(), TestCaseError> {
        while !page.is_complete {
            page.step(&mut self.caches)?;
        }
        self.counter.complete(&page.page.record(), self.now);
        if page.format == Format::Protobuf {
            self.check(&page)?;
        }
        Ok(())
    }

    fn check(&self, page: &Open) -> Result<(), TestCaseError> {
        let mut ids = HashSet::new();
        for metric in decode(&page.bytes)?.metric {
            let label = |name: &str| {
                let label = metric.label.iter().find(|label| label.name == name);
                label.map(|label| label.value.as_str())
            };
            prop_assert_eq!(label("caller_filename"), Some(FILE));
            let id = label("object_id").and_then(|id| id.parse().ok()).expect("an id");
            prop_assert!(ids.insert(id), "the series {} occurs twice", id);

            let value = metric.counter.value;
            let (least, most) = page.bounds.get(&id).copied().unwrap_or_default();
            let is_at_zero = page.is_for_scraper && value == 0.0;
            prop_assert!(
                is_at_zero || (least..=most).contains(&value),
                "{} is {}, not {} to {}",
                id,
                value,
                least,
                most,
            );
            let Timestamp { seconds, nanos } = metric.counter.start;
            let start = u64::try_from(seconds).expect("after 1970") * 1000;
            let start = start + u64::from(nanos.unsigned_abs()) / 1_000_000;
            prop_assert!(
                start >= page.last_reset && start <= page.started,
                "the start of {} is wrong",
                id
            );
            let current = self.series.get(&id).map_or(0, |&(_, start)| start);
            prop_assert!(
                start == current || current > page.started,
                "{}: {}, {}",
                id,
                start,
                current
            );
        }
        // The page has every series that was counted before the page and was not reset during it.
        for (id, &(least, _)) in &page.bounds {
            prop_assert!(least == 0.0 || ids.contains(id), "{} is not on the page", id);
        }
        Ok(())
    }
}

impl Open {
    fn step(&mut self, caches: &mut [Cache; 2]) -> Result<(), TestCaseError> {
        if self.is_complete {
            return Ok(());
        }
        let cache = &mut caches[usize::from(self.format == Format::Protobuf)];
        let is_cached = self.cached;
        let version =
            |number| cache.get(&number).filter(|_| is_cached).map(|(version, _)| *version);
        let mut out = Vec::new();
        let step = self.page.render(&version, &mut out);
        prop_assert!(out.len() < CHUNK_BYTES + 1024, "{} bytes in one step", out.len());
        match step {
            Step::Text { more } => self.is_complete = !more,
            Step::Cached(number) => self.bytes.extend_from_slice(&cache[&number].1),
            Step::Deflated => prop_assert!(false, "this page deflates nothing"),
            Step::Range { number, is_end, version } => {
                self.range.extend_from_slice(&out);
                if is_end {
                    let range = std::mem::take(&mut self.range);
                    if let Some(version) = version {
                        cache.insert(number, (version, range));
                    }
                }
            }
        }
        self.bytes.append(&mut out);
        Ok(())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.open.clear();
        if let Some(thread) = self.thread.take() {
            thread.leave(&self.counter);
        }
    }
}

/// Starts a page that shows each series at its value and uses the cache.
const START: Event = Event::Start { format: Format::Protobuf, scraper: None, cached: true };
const FINISH: Event = Event::Finish { page: 0 };

#[test]
fn a_range_is_not_cached_with_the_starts_before_a_reset() {
    let mut world = World::new();
    let events =
        [Event::Count(0..9), START, Event::Reset, Event::Count(0..9), FINISH, START, FINISH];
    for event in events {
        world.apply(&event).expect("each start is right");
    }
    assert!(!world.caches[1].is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_protobuf_page_has_the_right_lengths_and_values_if_the_counter_changes_meanwhile(
        events in prop::collection::vec(event(), 0..60),
    ) {
        let mut world = World::new();
        for event in &events {
            world.apply(event)?;
        }
        while let Some(page) = world.open.pop() {
            world.finish(page)?;
        }
    }
}
