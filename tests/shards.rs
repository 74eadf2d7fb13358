//! Shards of real threads. Some threads begin, count and end while others read. Each call is counted once.
//! The environment variable `SHARD_ROUNDS` sets the number of rounds.

use std::{
    collections::HashMap,
    env,
    ops::ControlFlow,
    ptr::NonNull,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hypertrace_prometheus::{
    counter::{CELLS, CellBlock, CounterOptions, ShardId, TraceCounter},
    exposition::Page,
    labels::Schema,
};

const WRITERS: usize = 4;
const READERS: usize = 2;

/// More label sets than a cell block has cells.
const LABEL_SETS: usize = CELLS + 500;
const CALLS: usize = 20_000;

fn rounds() -> usize {
    let given = env::var("SHARD_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    given.unwrap_or(8)
}

fn counter(idle_timeout: Option<Duration>) -> Arc<TraceCounter> {
    let options = CounterOptions {
        name: "trace_counter".into(),
        help: "Counts".into(),
        schema: Schema::new::<&str>(&[]),
        default_labels: Vec::new(),
        max_series: 100_000,
        start_at_zero: true,
        idle_timeout,
    };
    Arc::new(TraceCounter::new(options).expect("a valid counter"))
}

/// Acts like a JavaScript thread: it has its own cell blocks, freed when it ends, and a cache of slots.
struct Thread<'c> {
    counter: &'c TraceCounter,
    shard: ShardId,
    /// The cells are atomic, because a race detector would report plain stores, which JavaScript uses.
    blocks: HashMap<usize, Arc<[AtomicU64]>>,
    slots: HashMap<usize, u32>,
}

impl<'c> Thread<'c> {
    fn join(counter: &'c TraceCounter) -> Self {
        Self { counter, shard: counter.open_shard(), blocks: HashMap::new(), slots: HashMap::new() }
    }

    #[expect(unsafe_code, reason = "lends memory as JavaScript does")]
    fn count(&mut self, label_set: usize) {
        let intern = || {
            let id = label_set.to_string();
            self.counter.intern(["A", "f", "f.js", &id, "", "", ""]).slot
        };
        let slot = *self.slots.entry(label_set).or_insert_with(intern) as usize;
        let block = self.blocks.entry(slot / CELLS).or_insert_with(|| {
            let block: Arc<[AtomicU64]> = (0..CELLS).map(|_| AtomicU64::new(0)).collect();
            let cells = NonNull::from(&*block).cast();
            // SAFETY: the address of shared memory does not change, and `drop` closes the shard before the memory
            // is freed.
            let lent = unsafe { CellBlock::new(cells) };
            assert!(self.counter.lend_cells(self.shard, slot / CELLS, lent));
            block
        });
        let cell = &block[slot % CELLS];
        let value = f64::from_bits(cell.load(Ordering::Relaxed)) + 1.0;
        cell.store(value.to_bits(), Ordering::Relaxed);
    }

    fn sweep(&mut self, now: Instant) {
        if self.counter.sweep(self.shard, now) {
            self.slots.clear();
        }
    }
}

impl Drop for Thread<'_> {
    fn drop(&mut self) {
        self.counter.close_shard(self.shard);
        for block in self.blocks.values() {
            // A later read finds NaN, which fails the test.
            block.iter().for_each(|cell| cell.store(f64::NAN.to_bits(), Ordering::Relaxed));
        }
    }
}

/// Returns the values by label set, as a page shows them.
fn shown(counter: &Arc<TraceCounter>) -> HashMap<usize, f64> {
    let text = Page::text(Arc::clone(counter), Vec::new()).into_bytes();
    let text = String::from_utf8(text).expect("UTF-8");
    let mut values = HashMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (labels, value) = line.rsplit_once(' ').expect("labels and a value");
        let id = labels.split_once(",id=\"").and_then(|(_, rest)| rest.split_once('"'));
        let id = id.expect("an id").0.parse().expect("a number");
        let value: f64 = value.parse().expect("a number");
        assert!(values.insert(id, value).is_none(), "{id} occurs twice");
    }
    values
}

/// Reads pages while `counting` is true. Fails if a value decreases or a series disappears.
fn watch(counter: &Arc<TraceCounter>, counting: &AtomicBool) -> usize {
    let (mut before, mut pages) = (HashMap::new(), 0);
    while counting.load(Ordering::Acquire) {
        let now = shown(counter);
        for (id, earlier) in &before {
            assert!(
                now.get(id).is_some_and(|value| value >= earlier),
                "{id} decreased from {earlier}"
            );
        }
        before = now;
        pages += 1;
    }
    pages
}

/// Runs `work` on `WRITERS` threads while `watch` runs on `READERS`. Returns the results of `watch`.
fn under_readers<R: Send>(
    work: impl Fn(usize) + Sync,
    watch: impl Fn(&AtomicBool) -> R + Sync,
) -> Vec<R> {
    let counting = AtomicBool::new(true);
    let begin = Barrier::new(WRITERS + READERS);
    thread::scope(|scope| {
        let (work, watch, begin, counting) = (&work, &watch, &begin, &counting);
        let readers: Vec<_> =
            (0..READERS).map(|_| scope.spawn(move || (begin.wait(), watch(counting)).1)).collect();
        let writers: Vec<_> =
            (0..WRITERS).map(|at| scope.spawn(move || (begin.wait(), work(at)).1)).collect();
        let ended: Vec<_> = writers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        counting.store(false, Ordering::Release);
        for writer in ended {
            writer.expect("a writer");
        }
        readers.into_iter().map(|reader| reader.join().expect("a reader")).collect()
    })
}

#[test]
fn each_call_is_counted_once_while_threads_begin_and_end() {
    let counter = counter(None);
    let expected: Vec<AtomicUsize> = (0..LABEL_SETS).map(|_| AtomicUsize::new(0)).collect();
    let work = |at: usize| {
        for round in 0..rounds() {
            let mut thread = Thread::join(&counter);
            for call in 0..CALLS {
                // Half of the calls are of a few label sets that all threads share.
                let spread = call.wrapping_mul(2_654_435_761).wrapping_add(at * 31 + round * 7);
                let label_set = if call % 2 == 0 { spread % 5 } else { spread % LABEL_SETS };
                thread.count(label_set);
                expected[label_set].fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let pages = under_readers(work, |counting| watch(&counter, counting));
    assert!(pages.iter().sum::<usize>() > 2, "{pages:?} pages");

    let values = shown(&counter);
    for (id, calls) in expected.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let calls = calls.load(Ordering::Relaxed) as f64;
        assert_eq!(values.get(&id).copied().unwrap_or(0.0), calls, "{id}");
    }
    let total: f64 = values.values().sum();
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let calls = (WRITERS * rounds() * CALLS) as f64;
    assert_eq!(total, calls);
}

#[test]
fn a_thread_that_ends_during_a_page_is_counted_once() {
    let counter = counter(None);
    let runs = rounds() * 20;
    let work = |at: usize| {
        for _ in 0..runs {
            let mut thread = Thread::join(&counter);
            for label_set in 0..20 {
                thread.count(at * 20 + label_set);
            }
        }
    };
    let one_by_one = |counting: &AtomicBool| {
        let mut last = 0.0;
        while counting.load(Ordering::Acquire) {
            let (mut next, mut sum) = (Some(0), 0.0);
            while let Some(from) = next {
                next = counter.visit(from, |series| {
                    assert!(series.value.is_finite(), "a cell was read after its thread ended");
                    sum += series.value;
                    ControlFlow::Break(())
                });
            }
            assert!(sum >= last, "the sum decreased from {last} to {sum}");
            last = sum;
        }
    };
    under_readers(work, one_by_one);
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let each = runs as f64;
    assert!(shown(&counter).values().all(|value| *value == each));
}

/// A clock that advances by one second at each sweep.
struct SweepClock {
    begin: Instant,
    sweeps: AtomicU64,
}

impl SweepClock {
    fn new() -> Self {
        Self { begin: Instant::now(), sweeps: AtomicU64::new(0) }
    }

    fn tick(&self) -> Instant {
        self.begin + Duration::from_secs(self.sweeps.fetch_add(1, Ordering::SeqCst) + 1)
    }

    /// Waits for this number of sweeps, or until counting ends.
    fn wait(&self, sweeps: u64, counting: &AtomicBool) {
        let end = self.sweeps.load(Ordering::SeqCst) + sweeps;
        while self.sweeps.load(Ordering::SeqCst) < end && counting.load(Ordering::Acquire) {
            thread::yield_now();
        }
    }
}

#[test]
fn a_reused_slot_has_no_counts_of_the_previous_series() {
    let clock = SweepClock::new();
    let counter = counter(Some(Duration::from_secs(5)));
    let made: Vec<AtomicUsize> = (0..50).map(|_| AtomicUsize::new(0)).collect();
    let work = |at: usize| {
        for round in 0.. {
            // Continues after the last round until a series has expired.
            let has_expired = counter.stats().expired > 0;
            if round >= rounds() && has_expired {
                break;
            }
            assert!(round < 1000 * rounds(), "no slot has expired");
            let mut thread = Thread::join(&counter);
            for call in 0..CALLS / 10 {
                // In phases, so that each label set is idle for a while and is then counted again.
                let label_set = (call / 100 * 7 + call % 3 + at + round) % made.len();
                made[label_set].fetch_add(1, Ordering::SeqCst);
                thread.count(label_set);
                if call % 50 == 0 {
                    thread.sweep(clock.tick());
                }
            }
        }
    };
    let compare = |counting: &AtomicBool| {
        while counting.load(Ordering::Acquire) {
            for (id, value) in shown(&counter) {
                #[expect(clippy::cast_precision_loss, reason = "small")]
                let calls = made[id].load(Ordering::SeqCst) as f64;
                assert!(value <= calls, "{id} shows {value} of {calls} calls");
            }
            // No slot is freed while a page is open.
            clock.wait(10, counting);
        }
    };
    under_readers(work, compare);
}
