//! Laws of the counter over random sequences of steps.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use prometheus::core::Collector;
use proptest::prelude::*;

use super::{Thread, counter_with, expiring_counter, shown};
use crate::{
    counter::{DefinedLabelSet, Interned, ShardId, ThreadCalls, TraceCounter},
    labels::write_label,
};

/// Returns the samples of a page by their labels.
fn samples(page: &str) -> HashMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let samples: Vec<(String, f64)> = lines
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(labels, value)| (labels.to_owned(), value.parse().expect("a number")))
        .collect();
    let distinct: HashMap<String, f64> = samples.iter().cloned().collect();
    assert_eq!(distinct.len(), samples.len(), "a series occurs twice on {page}");
    distinct
}

/// A step of a random sequence. `Replace` ends a thread and starts another one in its position.
#[derive(Clone, Debug)]
enum Step {
    Count { thread: usize, class: u8, id: u8, prop: u8 },
    Replace { thread: usize },
    Sweep { thread: usize },
    Advance { seconds: u8 },
    Scrape,
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (0..3usize, 0..3u8, 0..40u8, 0..3u8)
            .prop_map(|(thread, class, id, prop)| Step::Count { thread, class, id, prop }),
        1 => (0..3usize).prop_map(|thread| Step::Replace { thread }),
        4 => (0..3usize).prop_map(|thread| Step::Sweep { thread }),
        3 => (0..90u8).prop_map(|seconds| Step::Advance { seconds }),
        3 => Just(Step::Scrape),
        1 => Just(Step::Reset),
    ]
}

/// A label set as three numbers, for its class, object id and property. [`values`] returns its values.
type LabelSet = (u8, u8, u8);

/// A thread that behaves as `lib/trace`: it interns a label set once and caches the slot, and drops its
/// cache when a sweep returns `true`. If `defines` is `true`, it interns label sets by definitions, not as
/// text.
struct CachingThread {
    thread: Thread,
    defines: bool,
    cache: HashMap<LabelSet, u32>,
}

impl CachingThread {
    fn join(counter: &TraceCounter, defines: bool) -> Self {
        Self { thread: Thread::join(counter), defines, cache: HashMap::new() }
    }

    /// Returns three threads, two of which intern label sets by definitions.
    fn three(counter: &TraceCounter) -> Vec<Self> {
        [true, false, true].map(|defines| Self::join(counter, defines)).into()
    }

    /// Ends the thread, and starts another one in its position.
    fn replace(&mut self, counter: &TraceCounter) {
        let joined = Self::join(counter, self.defines);
        std::mem::replace(self, joined).thread.leave(counter);
    }

    fn count(&mut self, counter: &TraceCounter, label_set: LabelSet) {
        let (shard, defines) = (self.thread.shard(), self.defines);
        let slot = *self.cache.entry(label_set).or_insert_with(|| {
            let interned = if defines {
                define_and_intern(counter, shard, label_set)
            } else {
                counter.intern(values(label_set).iter().map(String::as_str))
            };
            interned.slot
        });
        self.thread.count(counter, slot);
    }

    fn drop_cache(&mut self, counter: &TraceCounter) {
        self.cache.clear();
        counter.clear_definitions(self.thread.shard());
    }
}

fn define_and_intern(counter: &TraceCounter, shard: ShardId, label_set: LabelSet) -> Interned {
    let (class, object, prop) = label_set;
    let values = values(label_set);
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let (site, props) = (1 + u32::from(class), 100 + u32::from(prop));
    let props = (prop > 0).then_some(props);
    let defined = DefinedLabelSet { site, object: Some(object.into()), parent: None, props };
    counter.intern_defined(shard, &defined).unwrap_or_else(|| {
        counter.define_site(shard, site, values[..5].iter().copied());
        if let Some(props) = props {
            counter.define_props(shard, props, values[7..].iter().copied());
        }
        counter.intern_defined(shard, &defined).expect("its numbers are defined")
    })
}

fn values((class, object, prop): LabelSet) -> Vec<String> {
    let prop = ["", "x", "y\"\\"][usize::from(prop)];
    let object = object.to_string();
    let values = [&format!("C{class}"), "f", "f.js", "", "", &object, "", "", "", prop];
    values.map(str::to_owned).to_vec()
}

proptest! {
    #[test]
    fn totals_and_sums_by_class_are_exact_at_any_bound(
        steps in prop::collection::vec(step(), 0..300),
        max_series in 1..120u32,
    ) {
        let counter = counter_with(&["p"], max_series);
        let mut threads = CachingThread::three(&counter);
        let mut model: HashMap<LabelSet, f64> = HashMap::new();
        for step in steps {
            match step {
                Step::Count { thread, class, id, prop } => {
                    threads[thread].count(&counter, (class, id, prop));
                    *model.entry((class, id, prop)).or_default() += 1.0;
                }
                Step::Replace { thread } => threads[thread].replace(&counter),
                Step::Reset => {
                    counter.reset();
                    model.clear();
                }
                Step::Sweep { .. } | Step::Advance { .. } | Step::Scrape => {}
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
            for ((class, ..), count) in &model {
                *expected.entry(format!("C{class}")).or_default() += count;
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

    /// A series expires only after a page has shown its last value, and a later series of the same label
    /// set starts at 0. So the increases from page to page add up to the number of calls, if a page is
    /// read after each sweep.
    #[test]
    fn with_expiry_the_increases_from_page_to_page_add_up_to_the_number_of_calls(
        steps in prop::collection::vec(step(), 0..300),
        max_series in 5..120u32,
    ) {
        let counter = Arc::new(expiring_counter(max_series));
        let mut threads = CachingThread::three(&counter);
        let mut now = Instant::now();
        let (mut counted, mut increases) = (0.0, 0.0);
        let mut before: HashMap<String, f64> = HashMap::new();
        let read_page = |before: &mut HashMap<String, f64>| {
            let page = samples(&shown(&counter));
            // As in Prometheus, a value that fell has restarted at 0.
            let increase = |(labels, value): (&String, &f64)| match before.get(labels) {
                Some(earlier) if earlier <= value => value - earlier,
                _ => *value,
            };
            let increases: f64 = page.iter().map(increase).sum();
            *before = page;
            increases
        };
        for step in steps {
            match step {
                Step::Count { thread, class, id, prop } => {
                    threads[thread].count(&counter, (class, id, prop));
                    counted += 1.0;
                }
                Step::Replace { thread } => threads[thread].replace(&counter),
                Step::Sweep { thread } => {
                    if counter.sweep(threads[thread].thread.shard(), now) {
                        threads[thread].drop_cache(&counter);
                    }
                    increases += read_page(&mut before);
                }
                Step::Advance { seconds } => now += Duration::from_secs(seconds.into()),
                Step::Scrape => increases += read_page(&mut before),
                Step::Reset => {}
            }
            prop_assert!(counter.stats().series <= max_series);
        }
        increases += read_page(&mut before);
        prop_assert_eq!(increases, counted);
        for thread in threads {
            thread.thread.leave(&counter);
        }
    }

    /// The readings also have all calls if series expire between two readings, slots are used again, or threads
    /// end.
    #[test]
    fn readings_have_all_calls_of_each_class(
        steps in prop::collection::vec(step(), 0..300),
        max_series in 5..120u32,
    ) {
        let counter = Arc::new(expiring_counter(max_series));
        counter.enable_call_readings();
        let mut threads = CachingThread::three(&counter);
        let mut now = Instant::now();
        let mut counted: BTreeMap<String, u64> = BTreeMap::new();
        let mut read: BTreeMap<String, u64> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Count { thread, class, id, prop } => {
                    threads[thread].count(&counter, (class, id, prop));
                    *counted.entry(site_of(class)).or_default() += 1;
                }
                Step::Replace { thread } => threads[thread].replace(&counter),
                Step::Sweep { thread } => {
                    shown(&counter);
                    if counter.sweep(threads[thread].thread.shard(), now) {
                        threads[thread].drop_cache(&counter);
                    }
                }
                Step::Advance { seconds } => now += Duration::from_secs(seconds.into()),
                Step::Scrape => read_calls(&counter, &mut read),
                Step::Reset => counter.reset(),
            }
        }
        read_calls(&counter, &mut read);
        let sum = |calls: &BTreeMap<String, u64>| calls.values().sum::<u64>();
        prop_assert_eq!(sum(&read), sum(&counted));
        if counter.stats().overflowed == 0 {
            prop_assert_eq!(read, counted);
        }
        for thread in threads {
            thread.thread.leave(&counter);
        }
    }
}

/// Returns the labels of a class's call site.
fn site_of(class: u8) -> String {
    let mut labels = Vec::new();
    write_label(&mut labels, "object_classname", &format!("C{class}"));
    write_label(&mut labels, "caller_functionname", "f");
    write_label(&mut labels, "caller_filename", "f.js");
    String::from_utf8(labels).expect("UTF-8")
}

/// Adds the calls since the last reading, by the labels of the call site.
fn read_calls(counter: &TraceCounter, sums: &mut BTreeMap<String, u64>) {
    let mut from = Some(0);
    while let Some(range) = from {
        let step = counter.read_calls(range, &mut |called| {
            let labels = String::from_utf8(called.labels().to_vec()).expect("UTF-8");
            *sums.entry(labels).or_default() += called.calls;
        });
        assert_eq!(step.without_site, 0);
        from = step.next;
    }
}

#[test]
fn the_readings_of_a_thread_have_its_own_calls_since_their_start() {
    let counter = counter_with(&["p"], 10_000);
    let (mut a, mut b) =
        (CachingThread::join(&counter, false), CachingThread::join(&counter, true));
    a.count(&counter, (0, 0, 0));
    let mut calls = counter.start_thread_calls(a.thread.shard());
    for id in 0..30 {
        a.count(&counter, (1, id, 0));
        b.count(&counter, (1, id, 0));
        b.count(&counter, (2, id, 0));
    }
    let mut sums = BTreeMap::new();
    let mut read = |calls: &mut ThreadCalls| {
        sums.clear();
        let mut from = Some(0);
        while let Some(range) = from {
            from = counter.read_thread_calls(calls, range, &mut |called| {
                let labels = String::from_utf8(called.labels().to_vec()).expect("UTF-8");
                *sums.entry(labels[18..21].to_owned()).or_default() += called.calls;
            });
        }
        sums.clone()
    };
    assert_eq!(read(&mut calls), BTreeMap::from([("\"C1".to_owned(), 30)]));
    a.count(&counter, (2, 0, 0));
    assert_eq!(read(&mut calls), BTreeMap::from([("\"C2".to_owned(), 1)]));
    a.thread.leave(&counter);
    assert_eq!(read(&mut calls), BTreeMap::new());
    b.thread.leave(&counter);
}
