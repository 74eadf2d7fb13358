//! The counter's behaviour, and its laws over random sequences.

use std::{
    collections::HashMap,
    fmt::Write,
    ops::ControlFlow,
    ptr::NonNull,
    sync::Arc,
    time::{Duration, Instant},
};

use prometheus::core::Collector;
use proptest::prelude::*;

use super::*;
use crate::exposition::{Page, Render};

/// A JavaScript thread's side: pages of its own, counted in by slot.
pub(crate) struct Thread {
    shard: ShardId,
    pages: Vec<Box<[f64]>>,
}

impl Thread {
    pub(crate) fn join(counter: &TraceCounter) -> Self {
        Self { shard: counter.open_shard(), pages: Vec::new() }
    }

    #[expect(unsafe_code, reason = "lends memory as JavaScript does")]
    pub(crate) fn count(&mut self, counter: &TraceCounter, slot: u32) {
        let slot = slot as usize;
        while self.pages.len() <= slot / CELLS {
            let mut page = vec![0.0; CELLS].into_boxed_slice();
            let cells = NonNull::new(page.as_mut_ptr()).expect("a box's memory");
            // SAFETY: a box's memory stays where it is; `leave` closes the shard before it goes.
            let lent = unsafe { LentPage::new(cells) };
            assert!(counter.lend_page(self.shard, self.pages.len(), lent));
            self.pages.push(page);
        }
        self.pages[slot / CELLS][slot % CELLS] += 1.0;
    }

    pub(crate) fn shard(&self) -> ShardId {
        self.shard
    }

    pub(crate) fn leave(self, counter: &TraceCounter) {
        counter.close_shard(self.shard);
    }
}

pub(crate) fn counter_with(allowed_props: &[&str], max_series: u32) -> TraceCounter {
    TraceCounter::new(CounterOptions {
        name: "trace_counter".into(),
        help: "Counts".into(),
        schema: Schema::new(allowed_props),
        default_labels: Vec::new(),
        max_series,
        idle_timeout: None,
    })
    .expect("a valid counter")
}

/// Values in the schema's order: class, function, file, id, parent's class, object id, parent's id.
fn site<'a>(class: &'a str, function: &'a str, object_id: &'a str) -> Vec<&'a str> {
    vec![class, function, "f.js", "", "", object_id, ""]
}

fn page(counter: &TraceCounter) -> String {
    let mut lines = String::new();
    counter.visit(0, |series| {
        let mut text = Vec::new();
        series.write_labels(&mut text);
        let labels = std::str::from_utf8(&text).expect("UTF-8");
        writeln!(lines, "{labels} {}", series.value).expect("a string takes it");
        ControlFlow::Continue(())
    });
    lines
}

#[test]
fn values_that_run_together_are_two_series() {
    let counter = counter_with(&[], 100);
    let a = counter.intern(site("Foo", "f", "12"));
    let b = counter.intern(site("Foo1", "f", "2"));
    assert_ne!(a.slot, b.slot);
    let mut values = site("A", "bc", "1");
    let first = counter.intern(values.clone());
    values[0] = "Ab";
    values[1] = "c";
    assert_ne!(first.slot, counter.intern(values).slot);
}

#[test]
fn a_label_set_has_one_slot_however_its_values_came() {
    let counter = counter_with(&["a"], 100);
    let full = counter.intern(["A", "f", "f.js", "", "", "1", "", "x", "", ""]);
    assert_eq!(counter.intern(["A", "f", "f.js", "", "", "1", "", "x"]), full);
    assert_eq!(counter.stats().series, 1);
}

#[test]
fn an_id_is_a_number_only_if_it_is_printed_as_one() {
    let counter = counter_with(&[], 100);
    let ids =
        ["1", "01", "+1", "1.0", "2147483647", "2147483648", "4294967295", "99999999999", "-1"];
    let mut thread = Thread::join(&counter);
    for id in ids {
        let slot = counter.intern(site("A", "f", id)).slot;
        thread.count(&counter, slot);
    }
    let printed = page(&counter);
    for id in ids {
        assert!(printed.contains(&format!(",object_id=\"{id}\" 1\n")), "{id} in {printed}");
    }
    assert_eq!(counter.stats().series as usize, ids.len());
    thread.leave(&counter);
}

#[test]
fn properties_of_each_owner_are_labels_of_their_own() {
    let counter = counter_with(&["a", "b-c"], 100);
    let mut thread = Thread::join(&counter);
    let values = ["A", "f", "f.js", "i", "P", "1", "2", "1", "2", "3", "4", "5", "6"];
    let slot = counter.intern(values).slot;
    thread.count(&counter, slot);
    let expected = concat!(
        ",object_classname=\"A\",caller_functionname=\"f\",caller_filename=\"f.js\",id=\"i\"",
        ",parent_object_classname=\"P\",object_id=\"1\",parent_object_id=\"2\"",
        ",object_props_a=\"1\",object_props_b_c=\"2\"",
        ",parent_object_props_a=\"3\",parent_object_props_b_c=\"4\"",
        ",caller_props_a=\"5\",caller_props_b_c=\"6\" 1\n"
    );
    assert_eq!(page(&counter), expected);
    thread.leave(&counter);
}

#[test]
fn near_the_bound_a_new_label_set_keeps_its_call_site() {
    let counter = counter_with(&["p"], 10);
    for id in 0..9 {
        let id = id.to_string();
        assert!(!counter.intern(["A", "f", "f.js", "", "", &id, "", "x"]).shortened);
    }
    let mut thread = Thread::join(&counter);
    let overflow = counter.intern(["A", "f", "f.js", "", "", "77", "3", "y"]);
    assert!(overflow.shortened, "the tenth place is the overflow's");
    thread.count(&counter, overflow.slot);
    assert_eq!(page(&counter), ",hypertrace_overflow=\"true\" 1\n");
    let stats = counter.stats();
    assert_eq!((stats.series, stats.collapsed, stats.overflowed), (10, 0, 1));
    thread.leave(&counter);
}

#[test]
fn the_reserve_takes_shortened_label_sets() {
    let counter = counter_with(&[], 100);
    for id in 0..90 {
        counter.intern(site("A", "f", &id.to_string()));
    }
    let shortened = counter.intern(site("A", "f", "1000"));
    assert_eq!(counter.intern(site("A", "f", "1001")), shortened);
    assert!(shortened.shortened);
    assert_ne!(counter.intern(site("B", "f", "1000")).slot, shortened.slot);
    let known = counter.intern(site("A", "f", "5"));
    assert_eq!(known, Interned { slot: 5, shortened: false }, "what is known stays as it is");
}

#[test]
fn a_page_reads_the_same_from_any_slot_on() {
    let counter = counter_with(&[], 100);
    let mut thread = Thread::join(&counter);
    for id in 0..20 {
        let slot = counter.intern(site("A", "f", &id.to_string())).slot;
        thread.count(&counter, slot);
    }
    let mut seen = Vec::new();
    let mut next = Some(0);
    while let Some(from) = next {
        next = counter.visit(from, |series| {
            seen.push(series.slot);
            ControlFlow::Break(())
        });
    }
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
    thread.leave(&counter);
}

#[test]
fn it_can_be_registered_and_gathered_as_any_collector() {
    let counter = Arc::new(counter_with(&[], 100));
    let mut thread = Thread::join(&counter);
    let slot = counter.intern(site("A\"\\\n", "f", "1")).slot;
    thread.count(&counter, slot);
    let families = Collector::collect(&*counter);
    assert_eq!(families.len(), 1);
    let metric = &families[0].get_metric()[0];
    let labels: Vec<(&str, &str)> =
        metric.get_label().iter().map(|pair| (pair.name(), pair.value())).collect();
    assert_eq!(
        labels,
        [
            ("object_classname", "A\"\\\n"),
            ("caller_functionname", "f"),
            ("caller_filename", "f.js"),
            ("object_id", "1")
        ]
    );
    assert_eq!(metric.get_counter().get_value(), 1.0);
    thread.leave(&counter);
}

#[test]
fn an_empty_page_has_its_header() {
    let counter = Arc::new(counter_with(&[], 100));
    let page = Page::new(counter, Vec::new()).into_bytes();
    assert_eq!(page, b"# HELP trace_counter Counts\n# TYPE trace_counter counter\n");
}

#[test]
fn an_idle_series_leaves_and_comes_back_from_nothing() {
    let counter = Arc::new(expiring_counter(10));
    let mut thread = Thread::join(&counter);
    let slot = counter.intern(site("A", "f", "1")).slot;
    thread.count(&counter, slot);
    let later = |seconds| Instant::now() + Duration::from_secs(seconds);
    assert!(!counter.sweep(thread.shard, later(100)), "not shown yet");
    assert!(shown(&counter).contains("object_id=\"1\"} 1\n"));
    assert!(counter.sweep(thread.shard, later(200)), "the cache may hold the slot");
    assert_eq!(counter.stats(), CounterStats { limit: 10, expired: 1, ..CounterStats::default() });
    assert!(!shown(&counter).contains("object_id"));
    let next = counter.intern(site("B", "f", "2")).slot;
    assert_eq!(next, slot, "its place is used again");
    thread.count(&counter, next);
    assert!(shown(&counter).contains("object_id=\"2\"} 1\n"));
    thread.leave(&counter);
}

#[test]
fn no_series_leaves_while_a_page_is_written() {
    let counter = Arc::new(expiring_counter(10));
    let mut thread = Thread::join(&counter);
    thread.count(&counter, counter.intern(site("A", "f", "1")).slot);
    let _ = shown(&counter);
    let mut open = Page::new(Arc::clone(&counter), Vec::new());
    let later = |seconds| Instant::now() + Duration::from_secs(seconds);
    counter.sweep(thread.shard, later(100));
    counter.sweep(thread.shard, later(200));
    assert_eq!(counter.stats().series, 1);
    let mut text = Vec::new();
    assert!(!open.render(&mut text));
    drop(open);
    counter.sweep(thread.shard, later(300));
    assert_eq!(counter.stats().series, 0);
    thread.leave(&counter);
}

pub(crate) fn expiring_counter(max_series: u32) -> TraceCounter {
    let options = counter_with(&["p"], max_series).options;
    let idle_timeout = Some(Duration::from_secs(60));
    TraceCounter::new(CounterOptions { idle_timeout, ..options }).expect("a valid counter")
}

fn shown(counter: &Arc<TraceCounter>) -> String {
    let page = Page::new(Arc::clone(counter), Vec::new()).into_bytes();
    String::from_utf8(page).expect("UTF-8")
}

/// The samples of a page, by their labels as they stand there.
fn samples(page: &str) -> HashMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let samples: Vec<(String, f64)> = lines
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(labels, value)| (labels.to_owned(), value.parse().expect("a number")))
        .collect();
    let distinct: HashMap<String, f64> = samples.iter().cloned().collect();
    assert_eq!(distinct.len(), samples.len(), "a series stands twice on {page}");
    distinct
}

/// What may happen to a counter, for the laws below.
#[derive(Clone, Debug)]
enum Step {
    Count { thread: usize, class: u8, id: u8, prop: u8 },
    Leave { thread: usize },
    Sweep { thread: usize },
    Pass { seconds: u8 },
    Scrape,
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (0..3usize, 0..3u8, 0..40u8, 0..3u8)
            .prop_map(|(thread, class, id, prop)| Step::Count { thread, class, id, prop }),
        1 => (0..3usize).prop_map(|thread| Step::Leave { thread }),
        4 => (0..3usize).prop_map(|thread| Step::Sweep { thread }),
        3 => (0..90u8).prop_map(|seconds| Step::Pass { seconds }),
        3 => Just(Step::Scrape),
        1 => Just(Step::Reset),
    ]
}

/// A thread as `lib/trace.js` is one: it counts known label sets from its cache, and drops that when
/// a sweep says so.
struct CachingThread {
    thread: Thread,
    cache: HashMap<Vec<String>, u32>,
}

impl CachingThread {
    fn join(counter: &TraceCounter) -> Self {
        Self { thread: Thread::join(counter), cache: HashMap::new() }
    }

    fn count(&mut self, counter: &TraceCounter, values: Vec<String>) {
        let slot = *self
            .cache
            .entry(values)
            .or_insert_with_key(|values| counter.intern(values.iter().map(String::as_str)).slot);
        self.thread.count(counter, slot);
    }
}

fn values(class: u8, id: u8, prop: u8) -> Vec<String> {
    let prop = ["", "x", "y\"\\"][usize::from(prop)];
    let id = id.to_string();
    let values = [&format!("C{class}"), "f", "f.js", "", "", &id, "", "", "", prop];
    values.map(str::to_owned).to_vec()
}

proptest! {
    #[test]
    fn totals_and_sums_by_class_are_exact_at_any_bound(
        steps in prop::collection::vec(step(), 0..300),
        max_series in 1..120u32,
    ) {
        let counter = counter_with(&["p"], max_series);
        let mut threads: Vec<_> = (0..3).map(|_| CachingThread::join(&counter)).collect();
        let mut model: HashMap<Vec<String>, f64> = HashMap::new();
        for step in steps {
            match step {
                Step::Count { thread, class, id, prop } => {
                    let values = values(class, id, prop);
                    threads[thread].count(&counter, values.clone());
                    *model.entry(values).or_default() += 1.0;
                }
                Step::Leave { thread } => {
                    let joined = CachingThread::join(&counter);
                    std::mem::replace(&mut threads[thread], joined).thread.leave(&counter);
                }
                Step::Reset => {
                    counter.reset();
                    model.clear();
                }
                Step::Sweep { .. } | Step::Pass { .. } | Step::Scrape => {}
            }
        }
        let stats = counter.stats();
        prop_assert!(stats.series <= max_series);
        let families = Collector::collect(&counter);
        let shown = families[0].get_metric();
        let total: f64 = shown.iter().map(|metric| metric.get_counter().get_value()).sum();
        prop_assert_eq!(total, model.values().sum::<f64>());
        if stats.overflowed == 0 {
            let mut by_class: HashMap<String, f64> = HashMap::new();
            for metric in shown {
                let class = metric.get_label().iter().find(|l| l.name() == "object_classname");
                let class = class.expect("every series has its class").value().to_owned();
                *by_class.entry(class).or_default() += metric.get_counter().get_value();
            }
            let mut expected: HashMap<String, f64> = HashMap::new();
            for (values, count) in &model {
                *expected.entry(values[0].clone()).or_default() += count;
            }
            prop_assert_eq!(by_class, expected);
        }
        if stats.collapsed == 0 && stats.overflowed == 0 {
            prop_assert_eq!(shown.len(), model.len());
        }
        for thread in threads {
            thread.thread.leave(&counter);
        }
    }

    /// What left the page was last shown with its final value, and what comes back starts at 0: so
    /// the increases that somebody saw who looked after each sweep are all the calls made.
    #[test]
    fn with_expiry_all_that_pages_showed_is_all_that_was_counted(
        steps in prop::collection::vec(step(), 0..300),
        max_series in 5..120u32,
    ) {
        let counter = Arc::new(expiring_counter(max_series));
        let mut threads: Vec<_> = (0..3).map(|_| CachingThread::join(&counter)).collect();
        let mut now = Instant::now();
        let (mut counted, mut increases) = (0.0, 0.0);
        let mut before: HashMap<String, f64> = HashMap::new();
        let look = |before: &mut HashMap<String, f64>| {
            let page = samples(&shown(&counter));
            // A counter below what it was has started again, as Prometheus has it.
            let increase = |(labels, value): (&String, &f64)| match before.get(labels) {
                Some(was) if was <= value => value - was,
                _ => *value,
            };
            let increases: f64 = page.iter().map(increase).sum();
            *before = page;
            increases
        };
        for step in steps {
            match step {
                Step::Count { thread, class, id, prop } => {
                    threads[thread].count(&counter, values(class, id, prop));
                    counted += 1.0;
                }
                Step::Leave { thread } => {
                    let joined = CachingThread::join(&counter);
                    std::mem::replace(&mut threads[thread], joined).thread.leave(&counter);
                }
                Step::Sweep { thread } => {
                    if counter.sweep(threads[thread].thread.shard, now) {
                        threads[thread].cache.clear();
                    }
                    increases += look(&mut before);
                }
                Step::Pass { seconds } => now += Duration::from_secs(seconds.into()),
                Step::Scrape => increases += look(&mut before),
                Step::Reset => {}
            }
            prop_assert!(counter.stats().series <= max_series);
        }
        increases += look(&mut before);
        prop_assert_eq!(increases, counted);
        for thread in threads {
            thread.thread.leave(&counter);
        }
    }
}
