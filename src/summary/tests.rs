//! Tests of the document: its text, and its sums against the sums over the whole page.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::*;
use crate::{
    counter::{
        Reading,
        tests::{Thread, counter_with, expiring_counter},
    },
    labels::read_labels,
};

/// Creates a counter with these label sets and their values.
fn counted(
    allowed_props: &[&str],
    max_series: u32,
    sets: &[(&[&str], u32)],
) -> (Arc<TraceCounter>, Thread) {
    let counter = Arc::new(counter_with(allowed_props, max_series));
    let mut thread = Thread::join(&counter);
    for (values, times) in sets {
        let slot = counter.intern(values.iter().copied()).slot;
        for _ in 0..*times {
            thread.count(&counter, slot);
        }
    }
    (counter, thread)
}

fn json(counter: &Arc<TraceCounter>, query: &str, runtime: &RuntimeStats) -> String {
    let query = Query::parse(query, counter.schema()).expect("a valid query");
    String::from_utf8(Summary::new(Arc::clone(counter), query, None).into_json(runtime))
        .expect("UTF-8")
}

#[test]
fn the_number_of_all_calls_does_not_fall_when_series_expire() {
    let counter = Arc::new(expiring_counter(100));
    let mut thread = Thread::join(&counter);
    let slot = counter.intern(["A"]).slot;
    thread.count(&counter, slot);
    let now = Instant::now();
    counter.sweep(thread.shard(), now);
    // This counts as a page that shows the series.
    let _ = Reading::new(Arc::clone(&counter), None).complete();
    counter.sweep(thread.shard(), now + Duration::from_secs(100));
    assert_eq!(counter.stats().expired, 1);
    let slot = counter.intern(["B"]).slot;
    thread.count(&counter, slot);
    let text = json(&counter, "", &RuntimeStats::default());
    assert!(text.contains(r#""calls":{"total":2,"matched":1,"rate":null}"#), "{text}");
    thread.leave(&counter);
}

/// Returns the text of a document from its rows to the event loop.
fn rows(counter: &Arc<TraceCounter>, query: &str) -> String {
    let text = json(counter, query, &RuntimeStats::default());
    let from = text.find("\"rows\"").expect("rows");
    let to = text.find(",\"eventLoop\"").expect("the event loop after the rows");
    text[from..to].to_owned()
}

const SETS: [(&[&str], u32); 6] = [
    (&["Hypercore", "get", "core.js", "", "", "1", "", "x"], 5),
    (&["Hypercore", "get", "core.js", "", "", "2", "", "y"], 4),
    (&["Hypercore", "append", "core.js", "a", "", "1", "7"], 3),
    (&["Hypercore", "append", "core.js", "b", "", "abc", "7"], 2),
    (&["DHT", "get", "dht.js", "", "Swarm", "", ""], 2),
    (&["DHT", "get", "dht.mjs", "", "Swarm", "", ""], 1),
];

#[test]
fn a_summary_has_its_documented_text() {
    let (counter, thread) = counted(&["p"], 100, &SETS);
    let runtime = RuntimeStats {
        start_time: 1_760_000_000.25,
        uptime: 61.5,
        event_loop: EventLoopStats {
            answering: false,
            lag_seconds: 1.5,
            sample_age_seconds: Some(2.0),
        },
        default_labels: vec![("app".into(), "a\"b".into())],
        process: ProcessStats {
            name: Some("app.js".into()),
            pid: 7,
            node_version: Some("v20.0.0".into()),
            threads: 2,
            start_time_seconds: Some(1_760_000_000.0),
            cpu_seconds: Some(3.25),
            resident_memory_bytes: Some(91_234_567.0),
            heap_used_bytes: None,
            heap_total_bytes: Some(1.0),
        },
    };
    let expected = concat!(
        r#"{"schema":1,"version":"2.0.0","metric":"trace_counter","startTimeSeconds":1760000000.25,"#,
        r#""uptimeSeconds":61.5,"labels":["object_classname","caller_functionname","#,
        r#""caller_filename","id","parent_object_classname","object_id","parent_object_id","#,
        r#""object_props_p","parent_object_props_p","caller_props_p"],"#,
        r#""usedLabels":["object_classname","caller_functionname","caller_filename","id","#,
        r#""parent_object_classname","object_id","parent_object_id","object_props_p"],"#,
        r#""defaultLabels":{"app":"a\"b"},"#,
        r#""series":{"used":6,"limit":100,"collapsed":0,"overflowed":0,"expired":0},"#,
        r#""calls":{"total":17,"matched":14,"rate":null},"windowSeconds":null,"#,
        r#""by":["caller_functionname"],"order":"total","#,
        r#""rows":[{"labels":{"caller_functionname":"get"},"value":9}],"#,
        r#""other":{"groups":1,"value":5},"#,
        r#""eventLoop":{"answering":false,"lagSeconds":1.5,"sampleAgeSeconds":2},"#,
        r#""process":{"name":"app.js","pid":7,"nodeVersion":"v20.0.0","threads":2,"#,
        r#""startTimeSeconds":1760000000,"cpuSeconds":3.25,"#,
        r#""residentMemoryBytes":91234567,"heapUsedBytes":null,"heapTotalBytes":1}}"#,
    );
    let query = "by=caller_functionname&limit=1&object_classname=Hypercore";
    assert_eq!(json(&counter, query, &runtime), expected);
    thread.leave(&counter);
}

#[test]
fn a_counter_without_calls_has_no_rows_and_unknown_values_are_null() {
    let (counter, thread) = counted(&[], 100, &[]);
    assert_eq!(rows(&counter, ""), r#""rows":[],"other":{"groups":0,"value":0}"#);
    let text = json(&counter, "", &RuntimeStats::default());
    assert!(text.contains(r#""cpuSeconds":null"#), "{text}");
    thread.leave(&counter);
}

#[test]
fn rows_are_grouped_and_filtered_by_any_labels() {
    let (counter, thread) = counted(&["p"], 100, &SETS);
    let table = [
        (
            "by=object_classname",
            r#"[{"labels":{"object_classname":"Hypercore"},"value":14},{"labels":{"object_classname":"DHT"},"value":3}]"#,
        ),
        (
            "by=object_id,object_classname&caller_functionname=append",
            r#"[{"labels":{"object_id":"1","object_classname":"Hypercore"},"value":3},{"labels":{"object_id":"abc","object_classname":"Hypercore"},"value":2}]"#,
        ),
        (
            "by=object_props_p&object_id=1",
            r#"[{"labels":{"object_props_p":"x"},"value":5},{"labels":{},"value":3}]"#,
        ),
        ("by=id&parent_object_id=7&id=b", r#"[{"labels":{"id":"b"},"value":2}]"#),
        (
            "by=caller_filename&object_id=&limit=1",
            r#"[{"labels":{"caller_filename":"dht.js"},"value":2}]"#,
        ),
        ("by=object_classname&object_id=01", "[]"),
        ("by=object_classname&object_classname=Hyper", "[]"),
    ];
    for (query, expected) in table {
        let found = rows(&counter, query);
        assert!(found.starts_with(&format!("\"rows\":{expected},")), "{query}: {found}");
    }
    thread.leave(&counter);
}

#[test]
fn the_overflow_series_has_its_own_row() {
    let (counter, thread) = counted(&[], 1, &[(&["A", "f"], 2), (&["B", "f"], 1)]);
    let found = rows(&counter, "");
    let expected = r#""rows":[{"labels":{"hypertrace_overflow":"true"},"value":3}]"#;
    assert!(found.starts_with(expected), "{found}");
    thread.leave(&counter);
}

#[test]
fn a_search_finds_text_in_any_value_and_ignores_case() {
    let (counter, thread) = counted(&["p"], 100, &SETS);
    // search, sum of the first row, (number of the other groups, their sum)
    let table = [
        ("", 8.0, (3, 9.0)),
        ("HYPER", 8.0, (2, 6.0)),
        ("2", 4.0, (0, 0.0)),
        ("ABC", 2.0, (0, 0.0)),
        ("h", 8.0, (3, 9.0)),
        ("dhtx", 0.0, (0, 0.0)),
        ("core.js", 0.0, (0, 0.0)),
    ];
    for (search, first, other) in table {
        let query = format!("by=object_classname,object_id&limit=1&search={search}");
        let expected = format!(r#","other":{{"groups":{},"value":{}}}"#, other.0, other.1);
        let found = rows(&counter, &query);
        assert!(found.ends_with(&expected), "{search}: {found}");
        let value = format!(r#""value":{first}}}],"#);
        assert!(found.contains(&value) || first == 0.0, "{search}: {found}");
        assert_eq!(found.starts_with(r#""rows":[],"#), first == 0.0, "{search}: {found}");
    }
    thread.leave(&counter);
}

fn used_labels(counter: &Arc<TraceCounter>) -> String {
    let text = json(counter, "", &RuntimeStats::default());
    let (_, rest) = text.split_once(r#""usedLabels":["#).expect("used labels");
    rest.split_once(']').expect("the end of the array").0.replace('"', "")
}

#[test]
fn used_labels_are_those_that_some_series_has() {
    let (counter, thread) = counted(&["p", "q"], 100, &[(&["A", "f", "", "", "", "1"], 1)]);
    assert_eq!(used_labels(&counter), "object_classname,caller_functionname,object_id");
    thread.leave(&counter);

    let sets: [(&[&str], u32); 3] = [
        (&["A", "", "a.js", "", "", "x", "", "", "y"], 1),
        (&["A", "", "a.js", "", "B", "", "", "", "", "y"], 1),
        (&["A", "", "a.js", "", "B", "", "7", "", "", "", "", "", "z"], 1),
    ];
    let (counter, thread) = counted(&["p", "q"], 100, &sets);
    let expected = "object_classname,caller_filename,parent_object_classname,object_id,\
                    parent_object_id,object_props_q,parent_object_props_p,caller_props_q";
    assert_eq!(used_labels(&counter), expected);
    thread.leave(&counter);
}

#[test]
fn beyond_1000_property_sets_all_labels_of_an_owner_count_as_used() {
    for (sets, expected) in [(1000, "object_props_p"), (1001, "object_props_p,object_props_q")] {
        let counter = Arc::new(counter_with(&["p", "q"], 20_000));
        let mut thread = Thread::join(&counter);
        for value in 0..sets {
            let slot = counter.intern(["", "", "", "", "", "", "", &value.to_string()]).slot;
            thread.count(&counter, slot);
        }
        assert_eq!(used_labels(&counter), expected);
        thread.leave(&counter);
    }
}

#[test]
fn special_characters_are_escaped() {
    let hostile = "\"<img onerror=x>\\\n\u{0}\u{202e}😀";
    let (counter, thread) = counted(&[], 10, &[(&[hostile, "f"], 1)]);
    let expected = "{\"object_classname\":\"\\\"<img onerror=x>\\\\\\n\\u0000\u{202e}😀\"}";
    let found = rows(&counter, "by=object_classname");
    assert!(found.contains(expected), "{found}");
    thread.leave(&counter);
}

#[test]
fn many_series_are_summed_in_steps() {
    let counter = Arc::new(counter_with(&[], 20_000));
    let mut thread = Thread::join(&counter);
    for id in 0..10_000 {
        let slot = counter.intern(["A", "f", "", "", "", &id.to_string()]).slot;
        thread.count(&counter, slot);
    }
    let mut summary = Summary::new(Arc::clone(&counter), Query::default(), None);
    let steps = std::iter::repeat_with(|| summary.step()).take_while(|&more| more).count();
    assert_eq!(steps, 2, "the first two of three steps return true");
    let text = String::from_utf8(summary.into_json(&RuntimeStats::default())).expect("UTF-8");
    assert!(text.contains(r#""value":10000}"#) && text.len() < 1000, "{text}");
    thread.leave(&counter);
}

/// Returns the sums that a reader of the whole page computes.
fn sums_of_the_page(counter: &TraceCounter, query: &Query) -> BTreeMap<Vec<(String, String)>, f64> {
    let names = counter.schema().names();
    let mut sums = BTreeMap::new();
    counter.visit(0, |series| {
        let mut text = Vec::new();
        series.write_labels(&mut text);
        let text = String::from_utf8(text).expect("UTF-8");
        let labels = read_labels(&text);
        let value = |at: usize| {
            labels.iter().find(|(name, _)| *name == names[at]).map_or("", |(_, value)| value)
        };
        if query.filters.iter().all(|(at, wanted)| value(*at) == wanted) {
            let by = query.by.iter().map(|&at| (names[at].clone(), value(at).to_owned()));
            let key: Vec<_> = by.filter(|(_, value)| !value.is_empty()).collect();
            *sums.entry(key).or_default() += series.value;
        }
        ControlFlow::Continue(())
    });
    sums
}

proptest! {
    #[test]
    fn sums_are_those_of_a_reader_of_the_page(
        sets in prop::collection::vec(
            (prop::collection::vec(prop::sample::select(vec!["", "a", "b", "1", "2", "01"]), 10), 1..4u32),
            0..60,
        ),
        by in prop::sample::subsequence((0..10usize).collect::<Vec<_>>(), 1..=8).prop_shuffle(),
        filters in prop::collection::btree_map(
            0..10usize, prop::sample::select(vec!["", "a", "1", "01"]), 0..3),
        limit in 1..20usize,
        max_groups in prop_oneof![Just(1000), 1..8usize],
    ) {
        let sets: Vec<(&[&str], u32)> = sets.iter().map(|(set, times)| (&set[..], *times)).collect();
        let (counter, thread) = counted(&["p"], 1000, &sets);
        let filters = filters.into_iter().map(|(at, value)| (at, value.to_owned())).collect();
        let query = Query { by, filters, limit, ..Query::default() };
        let expected = sums_of_the_page(&counter, &query);
        let grouping = Grouping::new(&query, counter.schema(), None, max_groups);
        let mut summary = Summary { grouping, ..Summary::new(Arc::clone(&counter), query, None) };
        while summary.step() {
            prop_assert!(summary.grouping.len() <= max_groups);
        }
        let (rows, other) = summary.grouping.top();
        prop_assert_eq!(rows.len() + other.groups, expected.len());
        prop_assert_eq!(rows.iter().map(|row| row.value).sum::<f64>() + other.value, expected.values().sum::<f64>());
        prop_assert_eq!(summary.grouping.matched, expected.values().sum::<f64>());
        prop_assert_eq!(rows.len(), expected.len().min(limit));
        prop_assert!(rows.is_sorted_by(|a, b| a.value >= b.value));
        for row in &rows {
            prop_assert_eq!(expected.get(&row.labels), Some(&row.value), "{:?}", row);
        }
        let least = rows.last().map_or(0.0, |row| row.value);
        let cut: Vec<f64> = expected
            .into_iter()
            .filter(|(labels, _)| !rows.iter().any(|row| row.labels == *labels))
            .map(|(_, value)| value)
            .collect();
        prop_assert!(cut.iter().all(|&value| value <= least));
        thread.leave(&counter);
    }
}

/// Returns the rates of groups by class, over 10 seconds.
fn rates(groups: &[(&str, u64)], is_complete: bool) -> Rates {
    let groups: GroupCalls =
        groups.iter().map(|(class, calls)| (vec![(0, (*class).to_owned())], *calls)).collect();
    let calls = groups.values().sum();
    Rates { seconds: 10, calls, groups: Some(groups), is_complete }
}

/// Returns the text of the rows in a document with rates, and of what precedes them.
fn rated(counter: &Arc<TraceCounter>, query: &str, rates: Option<Rates>) -> (String, String) {
    let query = Query::parse(query, counter.schema()).expect("a valid query");
    let summary = Summary::new(Arc::clone(counter), query, rates);
    let text = String::from_utf8(summary.into_json(&RuntimeStats::default())).expect("UTF-8");
    let at = |name: &str| text.find(name).expect(name);
    let head = &text[at("\"calls\"")..at(",\"rows\"")];
    (head.to_owned(), text[at("\"rows\"")..at(",\"eventLoop\"")].to_owned())
}

#[test]
fn rows_have_their_rates_and_are_ordered_by_them() {
    let sets: [(&[&str], u32); 3] = [(&["A"], 9), (&["B"], 5), (&["C"], 1)];
    let (counter, thread) = counted(&[], 100, &sets);
    let row = |class: &str, value: u32, rate: &str| {
        format!(r#"{{"labels":{{"object_classname":"{class}"}},"value":{value}{rate}}}"#)
    };
    let of = |query: &str, rates| rated(&counter, &format!("by=object_classname&{query}"), rates);
    let known = || Some(rates(&[("C", 25), ("B", 5)], true));

    let (head, rows) = of("order=rate&limit=2", known());
    let expected = r#""calls":{"total":15,"matched":15,"rate":3},"windowSeconds":10,"by":["object_classname"],"order":"rate""#;
    assert_eq!(head, expected);
    let (b, c) = (row("B", 5, r#","rate":0.5"#), row("C", 1, r#","rate":2.5"#));
    assert_eq!(rows, format!(r#""rows":[{c},{b}],"other":{{"groups":1,"value":9}}"#));

    let (_, rows) = of("", known());
    let a = row("A", 9, r#","rate":0"#);
    assert_eq!(rows, format!(r#""rows":[{a},{b},{c}],"other":{{"groups":0,"value":0}}"#));

    // A group that the recorder may have left out has no rate.
    let (_, rows) = of("order=rate", Some(rates(&[("C", 25), ("B", 5)], false)));
    let a = row("A", 9, "");
    assert_eq!(rows, format!(r#""rows":[{c},{b},{a}],"other":{{"groups":0,"value":0}}"#));

    let without_groups = Rates { groups: None, ..rates(&[("C", 25)], true) };
    for rates in [None, Some(without_groups)] {
        let (head, rows) = of("order=rate&limit=1", rates);
        assert!(head.ends_with(r#""order":"total""#), "{head}");
        assert_eq!(rows, format!(r#""rows":[{a}],"other":{{"groups":2,"value":6}}"#));
    }
    thread.leave(&counter);
}

#[test]
fn the_order_by_rates_is_the_same_in_one_pass_and_in_many() {
    let names: Vec<String> = (0..200).map(|number| format!("C{number}")).collect();
    let sets: Vec<[&str; 1]> = names.iter().map(|name| [name.as_str()]).collect();
    let sets: Vec<(&[&str], u32)> = sets.iter().map(|set| (set.as_slice(), 1)).collect();
    let (counter, thread) = counted(&[], 1000, &sets);
    let calls: Vec<(&str, u64)> = names.iter().map(String::as_str).zip(0..).collect();
    let query =
        Query::parse("by=object_classname&order=rate&limit=3", counter.schema()).expect("valid");
    let mut texts = [1 << 17, 7].map(|max_groups| {
        let rates = Some(rates(&calls, true));
        let grouping = Grouping::new(&query, counter.schema(), rates.clone(), max_groups);
        let summary =
            Summary { grouping, ..Summary::new(Arc::clone(&counter), query.clone(), rates) };
        String::from_utf8(summary.into_json(&RuntimeStats::default())).expect("UTF-8")
    });
    assert_eq!(texts[0], texts[1]);
    let first = texts[0].split_off(texts[0].find("\"rows\"").expect("rows"));
    assert!(first.starts_with(r#""rows":[{"labels":{"object_classname":"C199"}"#), "{first}");
    thread.leave(&counter);
}
