//! Tests of the counter as a whole.

use std::{
    fmt::Write,
    ops::ControlFlow,
    ptr::NonNull,
    sync::Arc,
    time::{Duration, Instant},
};

use prometheus::core::Collector;

use super::*;
use crate::exposition::{Page, Render, Step};

mod laws;
mod reading;
mod scrapers;

/// A thread that counts as a JavaScript thread does, in cell blocks of its own.
pub(crate) struct Thread {
    shard: ShardId,
    blocks: Vec<Box<[f64]>>,
}

impl Thread {
    pub(crate) fn join(counter: &TraceCounter) -> Self {
        Self { shard: counter.open_shard(), blocks: Vec::new() }
    }

    #[expect(unsafe_code, reason = "lends memory as JavaScript does")]
    pub(crate) fn count(&mut self, counter: &TraceCounter, slot: u32) {
        let slot = slot as usize;
        while self.blocks.len() <= slot / CELLS {
            let mut block = vec![0.0; CELLS].into_boxed_slice();
            let cells = NonNull::new(block.as_mut_ptr()).expect("a box's memory");
            // SAFETY: a box's memory does not move; `leave` closes the shard before the box is freed.
            let lent = unsafe { CellBlock::new(cells) };
            assert!(counter.lend_cells(self.shard, self.blocks.len(), lent));
            self.blocks.push(block);
        }
        self.blocks[slot / CELLS][slot % CELLS] += 1.0;
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
        start_at_zero: true,
        idle_timeout: None,
    })
    .expect("a valid counter")
}

/// Advances the clock that issues the starts of series. Returns its time in milliseconds.
pub(crate) fn pass(counter: &TraceCounter, time: Duration) -> u64 {
    let starts = &mut counter.state().starts;
    starts.pass(time);
    starts.last().milliseconds()
}

/// Returns values in the schema's order: class, function, file, id, parent's class, object id,
/// parent's id.
fn site<'a>(class: &'a str, function: &'a str, object_id: &'a str) -> Vec<&'a str> {
    vec![class, function, "f.js", "", "", object_id, ""]
}

fn page(counter: &TraceCounter) -> String {
    let mut lines = String::new();
    counter.visit(0, |series| {
        let mut text = Vec::new();
        series.write_labels(&mut text);
        let labels = std::str::from_utf8(&text).expect("UTF-8");
        writeln!(lines, "{labels} {}", series.value).expect("writing to a string never fails");
        ControlFlow::Continue(())
    });
    lines
}

#[test]
fn values_with_the_same_concatenation_are_two_series() {
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
fn missing_values_at_the_end_do_not_change_the_slot() {
    let counter = counter_with(&["a"], 100);
    let full = counter.intern(["A", "f", "f.js", "", "", "1", "", "x", "", ""]);
    assert_eq!(counter.intern(["A", "f", "f.js", "", "", "1", "", "x"]), full);
    assert_eq!(counter.stats().series, 1);
}

fn defined(object: Option<u32>, parent: Option<u32>, props: Option<u32>) -> DefinedLabelSet {
    DefinedLabelSet { site: 1, object, parent, props }
}

#[test]
fn a_label_set_has_the_same_slot_by_its_values_and_by_numbers() {
    let counter = counter_with(&["p"], 100);
    let shard = counter.open_shard();
    counter.define_site(shard, 1, ["A", "f", "f.js", "i", "P"]);
    counter.define_props(shard, 2, ["", "x", "y"]);
    let site = ["A", "f", "f.js", "i", "P"];
    let slot = |more: &[&str]| Some(counter.intern(site.iter().chain(more).copied()));
    let by_number = |label_set| counter.intern_defined(shard, &label_set);
    assert_eq!(by_number(defined(None, None, None)), slot(&[]));
    assert_eq!(by_number(defined(Some(0), None, None)), slot(&["0"]));
    assert_eq!(by_number(defined(Some(5), Some(7), None)), slot(&["5", "7"]));
    assert_eq!(by_number(defined(Some(5), Some(7), Some(2))), slot(&["5", "7", "", "x", "y"]));
    assert_eq!(counter.stats().series, 4);
}

#[test]
fn a_definition_is_valid_for_one_thread_until_this_thread_clears_it() {
    let counter = counter_with(&["p"], 100);
    let (shard, other) = (counter.open_shard(), counter.open_shard());
    counter.define_site(shard, 1, ["A", "f", "f.js"]);
    let label_set = defined(Some(5), None, None);
    assert!(counter.intern_defined(shard, &label_set).is_some());
    assert_eq!(counter.intern_defined(other, &label_set), None);
    assert_eq!(counter.intern_defined(shard, &defined(Some(5), None, Some(2))), None);
    counter.clear_definitions(shard);
    assert_eq!(counter.intern_defined(shard, &label_set), None);
    counter.define_site(shard, 1, ["B", "f", "f.js"]);
    assert_eq!(
        counter.intern_defined(shard, &label_set),
        Some(counter.intern(site("B", "f", "5")))
    );
    counter.close_shard(shard);
    counter.define_site(shard, 1, ["B", "f", "f.js"]);
    assert_eq!(counter.intern_defined(shard, &label_set), None, "the shard is closed");
}

#[test]
fn label_text_is_stored_while_a_series_or_a_definition_uses_it() {
    let counter = expiring_counter(10);
    let texts = || counter.state().series.texts();
    let (shard, other) = (counter.open_shard(), counter.open_shard());
    for (shard, class) in [(shard, "A"), (other, "B")] {
        counter.define_site(shard, 1, [class, "f"]);
        counter.define_site(shard, 1, [class, "f"]);
        counter.define_props(shard, 2, ["x"]);
    }
    assert_eq!(texts(), 3, "two sites, and one property set that both threads have defined");
    let slot = counter.intern_defined(shard, &defined(None, None, Some(2))).expect("defined").slot;
    counter.clear_definitions(shard);
    assert_eq!(texts(), 3);
    counter.close_shard(other);
    assert_eq!(texts(), 2, "the texts of the series");
    counter.state().series.remove(slot);
    assert_eq!(texts(), 0);
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
fn the_last_series_of_the_limit_is_the_overflow_series() {
    let counter = counter_with(&["p"], 10);
    for id in 0..9 {
        let id = id.to_string();
        assert!(!counter.intern(["A", "f", "f.js", "", "", &id, "", "x"]).shortened);
    }
    let mut thread = Thread::join(&counter);
    let overflow = counter.intern(["A", "f", "f.js", "", "", "77", "3", "y"]);
    assert!(overflow.shortened, "the tenth series is the overflow series");
    thread.count(&counter, overflow.slot);
    assert_eq!(page(&counter), ",hypertrace_overflow=\"true\" 1\n");
    let stats = counter.stats();
    assert_eq!((stats.series, stats.collapsed, stats.overflowed), (10, 0, 1));
    thread.leave(&counter);
}

#[test]
fn shortened_label_sets_get_the_reserved_series() {
    let counter = counter_with(&[], 100);
    for id in 0..90 {
        counter.intern(site("A", "f", &id.to_string()));
    }
    let shortened = counter.intern(site("A", "f", "1000"));
    assert_eq!(counter.intern(site("A", "f", "1001")), shortened);
    assert!(shortened.shortened);
    assert_ne!(counter.intern(site("B", "f", "1000")).slot, shortened.slot);
    let existing = counter.intern(site("A", "f", "5"));
    assert_eq!(
        existing,
        Interned { slot: 5, shortened: false },
        "a label set that has a series keeps it"
    );
}

#[test]
fn a_visit_can_continue_from_any_slot() {
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
fn the_counter_is_a_collector_of_the_prometheus_crate() {
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
fn a_page_without_series_has_a_header() {
    let counter = Arc::new(counter_with(&[], 100));
    let page = Page::text(counter, Vec::new()).into_bytes();
    assert_eq!(page, b"# HELP trace_counter Counts\n# TYPE trace_counter counter\n");
}

#[test]
fn an_idle_series_expires_and_its_slot_is_used_again() {
    let counter = Arc::new(expiring_counter(10));
    let mut thread = Thread::join(&counter);
    let slot = counter.intern(site("A", "f", "1")).slot;
    thread.count(&counter, slot);
    let later = |seconds| Instant::now() + Duration::from_secs(seconds);
    assert!(!counter.sweep(thread.shard, later(100)), "the value has not been shown yet");
    assert!(shown(&counter).contains("object_id=\"1\"} 1\n"));
    assert!(counter.sweep(thread.shard, later(200)), "the cache may contain the slot");
    for _ in 0..3 {
        let expected = CounterStats { limit: 10, expired: 1, ..CounterStats::default() };
        assert_eq!(counter.stats(), expected, "a free slot does not expire again");
        assert!(!counter.sweep(thread.shard, later(900)));
    }
    assert_eq!(counter.calls(), 1.0);
    assert!(!shown(&counter).contains("object_id"));
    let next = counter.intern(site("B", "f", "2")).slot;
    assert_eq!(next, slot, "the slot is used again");
    thread.count(&counter, next);
    assert!(shown(&counter).contains("object_id=\"2\"} 1\n"));
    assert_eq!(counter.calls(), 2.0);
    thread.leave(&counter);
}

#[test]
fn no_series_expires_while_a_page_is_rendered() {
    let counter = Arc::new(expiring_counter(10));
    let mut thread = Thread::join(&counter);
    thread.count(&counter, counter.intern(site("A", "f", "1")).slot);
    let later = |seconds| Instant::now() + Duration::from_secs(seconds);
    counter.sweep(thread.shard, later(1));
    let _ = shown(&counter);
    let mut open = Page::text(Arc::clone(&counter), Vec::new());
    counter.sweep(thread.shard, later(100));
    counter.sweep(thread.shard, later(200));
    assert_eq!(counter.stats().series, 1);
    let mut text = Vec::new();
    while open.render(&|_| None, &mut text) != (Step::Text { more: false }) {}
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
    let page = Page::text(Arc::clone(counter), Vec::new()).into_bytes();
    String::from_utf8(page).expect("UTF-8")
}
