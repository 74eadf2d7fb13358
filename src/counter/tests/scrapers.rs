//! Laws of the pages that scrapers read, over random sequences of events.

use std::{
    collections::HashMap,
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::{Thread, expiring_counter, site};
use crate::counter::{PageReader, ScraperId, Start, TraceCounter};

/// The scrapers. The last one does not announce itself.
const SCRAPERS: [Option<ScraperId>; 4] =
    [Some(ScraperId(1)), Some(ScraperId(2)), Some(ScraperId(3)), None];

#[derive(Clone, Debug)]
enum Event {
    Count {
        thread: usize,
        id: u8,
    },
    Replace {
        thread: usize,
    },
    Sweep {
        thread: usize,
    },
    Advance {
        seconds: u8,
    },
    /// The scraper starts a page; other pages of this scraper may be open.
    Start {
        scraper: usize,
    },
    /// A page of the scraper ends. The oldest open page is completed, or the newest one is cut short.
    End {
        scraper: usize,
        complete: bool,
    },
    Reset,
}

fn event(resets: bool) -> impl Strategy<Value = Event> {
    prop_oneof![
        20 => (0..2usize, 0..30u8).prop_map(|(thread, id)| Event::Count { thread, id }),
        1 => (0..2usize).prop_map(|thread| Event::Replace { thread }),
        4 => (0..2usize).prop_map(|thread| Event::Sweep { thread }),
        3 => (0..90u8).prop_map(|seconds| Event::Advance { seconds }),
        6 => (0..4usize).prop_map(|scraper| Event::Start { scraper }),
        6 => (0..4usize, any::<bool>())
            .prop_map(|(scraper, complete)| Event::End { scraper, complete }),
        u32::from(resets) => Just(Event::Reset),
    ]
}

/// A series on a page: its labels, value and start.
type Sample = (String, f64, Start);

fn read(page: &PageReader) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut next = Some(0);
    while let Some(from) = next.filter(|_| page.ranges() > 0) {
        let visit = page.visit_range(from, None, &mut |series| {
            let mut labels = Vec::new();
            series.write_labels(&mut labels);
            let labels = String::from_utf8(labels).expect("UTF-8");
            samples.push((labels, series.value, series.start()));
            ControlFlow::Continue(())
        });
        next = visit.next;
    }
    samples
}

/// The storage of a scraper. It computes increases as Prometheus does.
#[derive(Default)]
struct Storage {
    last: HashMap<String, (f64, Start)>,
    /// The sum of the increases of all series. The first sample of a series adds nothing.
    increase: f64,
}

impl Storage {
    fn store(&mut self, samples: Vec<Sample>) -> Result<(), TestCaseError> {
        for (labels, value, start) in samples {
            if let Some(&(before, same)) = self.last.get(&labels) {
                if start == same {
                    prop_assert!(value >= before, "{} fell from {} to {}", labels, before, value);
                }
                // A value below the last one is a restart.
                self.increase += if value < before { value } else { value - before };
            }
            self.last.insert(labels, (value, start));
        }
        Ok(())
    }
}

/// A counter, the threads that count in it, and the scrapers.
struct World {
    counter: Arc<TraceCounter>,
    threads: Vec<(Thread, HashMap<u8, u32>)>,
    now: Instant,
    counted: f64,
    storages: [Storage; 4],
    open: [Vec<(PageReader, Vec<Sample>)>; 4],
}

impl World {
    fn new() -> Self {
        let counter = Arc::new(expiring_counter(100));
        let threads = (0..2).map(|_| (Thread::join(&counter), HashMap::new())).collect();
        Self {
            counter,
            threads,
            now: Instant::now(),
            counted: 0.0,
            storages: Default::default(),
            open: Default::default(),
        }
    }

    fn count(&mut self, thread: usize, id: u8) {
        let (thread, cache) = &mut self.threads[thread];
        let counter = &self.counter;
        let intern = || counter.intern(site("A", "f", &id.to_string())).slot;
        thread.count(counter, *cache.entry(id).or_insert_with(intern));
        self.counted += 1.0;
    }

    fn apply(&mut self, event: &Event) -> Result<(), TestCaseError> {
        match *event {
            Event::Count { thread, id } => self.count(thread, id),
            Event::Replace { thread } => {
                let joined = (Thread::join(&self.counter), HashMap::new());
                let (left, _) = std::mem::replace(&mut self.threads[thread], joined);
                left.leave(&self.counter);
            }
            Event::Sweep { thread } => {
                let (thread, cache) = &mut self.threads[thread];
                if self.counter.sweep(thread.shard(), self.now) {
                    cache.clear();
                }
            }
            Event::Advance { seconds } => self.now += Duration::from_secs(seconds.into()),
            Event::Start { scraper } => self.start(scraper),
            Event::End { scraper, complete } => self.end(scraper, complete)?,
            Event::Reset => self.counter.reset(),
        }
        Ok(())
    }

    fn start(&mut self, scraper: usize) {
        let page = PageReader::new(Arc::clone(&self.counter), SCRAPERS[scraper]);
        let samples = read(&page);
        self.open[scraper].push((page, samples));
    }

    fn end(&mut self, scraper: usize, complete: bool) -> Result<(), TestCaseError> {
        if self.open[scraper].is_empty() || !complete {
            self.open[scraper].pop();
            return Ok(());
        }
        let (page, samples) = self.open[scraper].remove(0);
        self.counter.complete(&page.record(), self.now);
        self.storages[scraper].store(samples)
    }

    fn scrape(&mut self, scraper: usize) -> Result<(), TestCaseError> {
        self.open[scraper].clear();
        self.start(scraper);
        self.end(scraper, true)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.open = Default::default();
        for (thread, _) in self.threads.drain(..) {
            thread.leave(&self.counter);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_scraper_sees_a_series_fall_except_for_an_expiry_or_a_reset(
        events in prop::collection::vec(event(true), 0..300),
    ) {
        let mut world = World::new();
        for event in &events {
            world.apply(event)?;
        }
        for scraper in 0..SCRAPERS.len() {
            world.scrape(scraper)?;
        }
    }

    /// The first scraper completes each page, and scrapes so often that it never times out.
    #[test]
    fn a_scraper_that_completes_its_pages_sees_every_call(
        events in prop::collection::vec(event(false), 0..300),
    ) {
        let mut world = World::new();
        world.scrape(0)?;
        let mut last = world.now;
        for event in &events {
            match event {
                Event::Start { scraper: 0 } | Event::End { scraper: 0, .. } => {
                    world.scrape(0)?;
                    last = world.now;
                }
                _ => world.apply(event)?,
            }
            if world.now - last > Duration::from_secs(300) {
                world.scrape(0)?;
                last = world.now;
            }
        }
        world.scrape(0)?;
        world.scrape(0)?;
        prop_assert_eq!(world.storages[0].increase, world.counted);
    }

    #[test]
    fn label_sets_are_series_or_have_expired_and_no_call_is_lost(
        events in prop::collection::vec(event(true), 0..300),
    ) {
        let mut world = World::new();
        let mut starts = std::collections::HashSet::new();
        for event in &events {
            world.apply(event)?;
            let state = world.counter.state();
            let slots = 0..state.series.slots();
            starts.extend(slots.filter_map(|slot| state.series.start(slot)));
        }
        let stats = world.counter.stats();
        prop_assert_eq!(starts.len() as u64, u64::from(stats.series) + stats.expired);
        prop_assert_eq!(world.counter.calls(), world.counted);
    }
}
