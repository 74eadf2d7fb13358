//! Threads that count as `lib/trace` does, and pages that are compared with the calls.

use std::{
    collections::HashMap,
    ops::ControlFlow,
    ptr::NonNull,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use hypertrace_prometheus_models::{
    counter::{CELLS, CellBlock, CounterOptions, PageReader, ShardId, Start, TraceCounter},
    labels::Schema,
    sync::atomic::{AtomicU64, Ordering},
};
use shuttle::{
    Config, Runner,
    scheduler::{PctScheduler, RandomScheduler},
};

/// The seed of the random orders. It is constant, so that a failure can be repeated.
const SEED: u64 = 21;

/// Runs a model in `orders` random orders, and in the same number of orders with few thread switches.
pub fn check(orders: usize, model: impl Fn() + Send + Sync + Clone + 'static) {
    let mut config = Config::default();
    // The default stack is too small for a poll of a channel of `tokio`.
    config.stack_size = 256 * 1024;
    config.silence_warnings = true;
    config.failure_persistence = shuttle::FailurePersistence::None;
    Runner::new(RandomScheduler::new_from_seed(SEED, orders), config.clone()).run(model.clone());
    Runner::new(PctScheduler::new_from_seed(SEED, 3, orders), config).run(model);
}

/// Creates a counter whose series expire when a page has shown their last value.
pub fn counter() -> Arc<TraceCounter> {
    let options = CounterOptions {
        name: "trace_counter".to_owned(),
        help: "help".to_owned(),
        schema: Schema::new(&[] as &[&str]),
        default_labels: Vec::new(),
        max_series: 1000,
        start_at_zero: false,
        idle_timeout: Some(Duration::ZERO),
    };
    Arc::new(TraceCounter::new(options).expect("a good name"))
}

/// The cells of a block. Their address is a multiple of their length in bytes.
#[derive(Debug)]
#[repr(align(32768))]
struct Memory([AtomicU64; CELLS]);

impl Memory {
    fn new() -> Box<Self> {
        assert_eq!(align_of::<Self>(), size_of::<Self>());
        Box::new(Self(std::array::from_fn(|_| AtomicU64::default())))
    }
}

/// The calls that have begun and the calls that have ended, by class. The lock of this map is not simulated.
#[derive(Debug, Default)]
pub struct Calls(Mutex<HashMap<&'static str, (f64, f64)>>);

impl Calls {
    fn with<T>(&self, class: &'static str, change: impl FnOnce(&mut (f64, f64)) -> T) -> T {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(calls.entry(class).or_default())
    }

    fn begun(&self, class: &str) -> f64 {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(class)
            .map_or(0.0, |calls| calls.0)
    }

    /// Returns the number of calls that have ended.
    pub fn ended(&self) -> f64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().map(|calls| calls.1).sum()
    }
}

/// The behaviour of a thread when a sweep requires that it drops its cache.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cache {
    /// The thread drops its cache when a sweep requires it.
    Dropped,
    /// The thread has reported that it has no cache, but still uses one. A model must find this fault.
    UsedAfterItsEnd,
}

/// A JavaScript thread that counts.
pub struct Thread {
    counter: Arc<TraceCounter>,
    calls: Arc<Calls>,
    shard: ShardId,
    // The counter reads this memory until the shard is closed, so a thread must end with `close`.
    memory: Option<Box<Memory>>,
    slots: HashMap<&'static str, u32>,
    cache: Cache,
}

impl Thread {
    pub fn new(
        counter: &Arc<TraceCounter>,
        calls: &Arc<Calls>,
        shard: ShardId,
        cache: Cache,
    ) -> Self {
        let (counter, calls) = (Arc::clone(counter), Arc::clone(calls));
        if cache == Cache::UsedAfterItsEnd {
            counter.end_cache(shard);
        }
        Self { counter, calls, shard, memory: None, slots: HashMap::new(), cache }
    }

    /// Counts one call of a class.
    pub fn count(&mut self, class: &'static str) {
        self.calls.with(class, |calls| calls.0 += 1.0);
        let slot = match self.slots.get(class) {
            Some(slot) => *slot,
            None => self.intern(class),
        };
        let memory = self.memory.get_or_insert_with(|| {
            let memory = Memory::new();
            // SAFETY: `close` closes the shard before it drops the memory, which is written by atomic stores.
            #[expect(unsafe_code, reason = "lends memory")]
            let block = unsafe { CellBlock::new(NonNull::from(&memory.0).cast()) };
            assert!(self.counter.lend_cells(self.shard, 0, block));
            memory
        });
        let cell = &memory.0[slot as usize];
        let before = f64::from_bits(cell.load(Ordering::Relaxed));
        cell.store((before + 1.0).to_bits(), Ordering::Relaxed);
        self.calls.with(class, |calls| calls.1 += 1.0);
    }

    fn intern(&mut self, class: &'static str) -> u32 {
        let slot = self.counter.intern([class]).slot;
        self.slots.insert(class, slot);
        slot
    }

    /// Sweeps, as each thread does regularly.
    pub fn sweep(&mut self) {
        if self.counter.sweep(self.shard, Instant::now()) && self.cache == Cache::Dropped {
            self.slots.clear();
        }
    }

    /// Ends the thread: its counts are copied, then its memory is freed.
    pub fn close(mut self) {
        self.counter.close_shard(self.shard);
        drop(self.memory.take());
    }
}

/// A scraper, with the values that it has seen, by class and start.
#[derive(Default)]
pub struct Scraper {
    seen: HashMap<(String, Start), f64>,
    calls: f64,
}

impl Scraper {
    /// Reads a page, and compares it with the calls.
    pub fn scrape(&mut self, counter: &Arc<TraceCounter>, calls: &Calls) {
        let ended = calls.ended();
        let mut page: HashMap<String, (Start, f64)> = HashMap::new();
        let reader = PageReader::new(Arc::clone(counter), None);
        let mut visit = |series: hypertrace_prometheus_models::counter::Series<'_>| {
            let mut labels = Vec::new();
            series.write_labels(&mut labels);
            let labels = String::from_utf8(labels).expect("labels are UTF-8");
            let class = labels
                .split('"')
                .nth(1)
                .expect("a count in a wrong slot: the slot is free")
                .to_owned();
            let value = (series.start(), series.value);
            assert!(page.insert(class, value).is_none(), "a page has a series twice");
            ControlFlow::Continue(())
        };
        let mut from = Some(0).filter(|_| reader.ranges() > 0);
        while let Some(slot) = from {
            from = reader.visit_range(slot, None, &mut visit).next;
        }
        counter.complete(&reader.record(), Instant::now());
        drop(reader);
        for (class, (start, value)) in page {
            assert!(value <= calls.begun(&class), "a count in a wrong slot: {class} has {value}");
            let before = self.seen.insert((class, start), value).unwrap_or(0.0);
            assert!(value >= before, "a value fell");
        }
        let total = counter.calls();
        assert!(total >= ended, "{total} calls are fewer than the {ended} that have ended");
        assert!(total >= self.calls, "the number of calls fell");
        self.calls = total;
    }
}
