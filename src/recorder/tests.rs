//! The recording as a whole: its sums, its bound, its steps, and the text of its document.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::counter::{
    SiteRef, TraceCounter,
    tests::{Thread, counter_with},
};

/// A counter, one thread that counts, and the recording.
struct Recording {
    counter: Arc<TraceCounter>,
    thread: Thread,
    history: History,
    now: f64,
}

/// The start of the recordings, in seconds since the epoch.
const START: f64 = 1_760_000_000.0;

impl Recording {
    fn start(seconds: u32) -> Self {
        let counter = Arc::new(counter_with(&[], 100_000));
        counter.enable_call_readings();
        let thread = Thread::join(&counter);
        Self { counter, thread, history: History::new(seconds, START), now: START }
    }

    fn call(&mut self, labels: &[&str], times: u32) {
        let slot = self.counter.intern(labels.iter().copied()).slot;
        for _ in 0..times {
            self.thread.count(&self.counter, slot);
        }
    }

    /// Ends a step of one second.
    fn step(&mut self) {
        self.step_after(1.0, 1.0, Figures::default());
    }

    /// Ends a step after this time, by the system's clock and by the monotonic one.
    fn step_after(&mut self, wall: f64, elapsed: f64, figures: Figures) {
        let mut from = Some(0);
        while let Some(range) = from {
            let step = self.counter.read_calls(range, &mut |called| self.history.add(called));
            self.history.add_without_site(step.without_site);
            from = step.next;
        }
        self.now += wall;
        let reading = ReadingEnd { now: self.now, elapsed, duration: 0.0 };
        let removed: Vec<SiteRef> = self.history.end_step(reading, figures);
        self.counter.release_sites(&removed);
    }

    fn json(&mut self, query: &str) -> String {
        let query = Query::parse(query, self.counter.schema()).expect("a valid query");
        let window = self.history.pin(query.seconds);
        let mut document = Document::new(query, self.counter.schema(), window);
        while document.advance(&self.history) {}
        self.history.unpin();
        String::from_utf8(document.into_json()).expect("UTF-8")
    }

    fn document(&mut self, query: &str) -> Value {
        serde_json::from_str(&self.json(query)).expect("JSON")
    }

    fn end(self) {
        self.thread.leave(&self.counter);
    }
}

/// Returns the numbers of a list; `None` for `null`.
fn steps(list: &Value) -> Vec<Option<u64>> {
    list.as_array().expect("a list").iter().map(Value::as_u64).collect()
}

/// Returns the calls of the rows by the value of one label.
fn rows(document: &Value, label: &str) -> BTreeMap<String, Vec<Option<u64>>> {
    let row = |row: &Value| {
        let value = row["labels"][label].as_str().unwrap_or_default();
        (value.to_owned(), steps(&row["calls"]))
    };
    document["rows"].as_array().expect("rows").iter().map(row).collect()
}

/// Checks that the calls of all rows and of `other` add up to `points.calls`.
fn check_sums(document: &Value) {
    let points = steps(&document["points"]["calls"]);
    let lists = document["rows"].as_array().expect("rows").iter().map(|row| &row["calls"]);
    let lists: Vec<_> = lists.chain([&document["other"]["calls"]]).map(steps).collect();
    for (index, calls) in points.iter().enumerate() {
        let of_step: Option<u64> = lists.iter().map(|list| list[index]).sum();
        assert_eq!(of_step, *calls, "step {index}: {document}");
    }
    for name in ["lagSeconds", "cpuSeconds", "heapUsedBytes", "residentMemoryBytes", "series"] {
        assert_eq!(document["points"][name].as_array().expect(name).len(), points.len());
    }
}

#[test]
fn a_history_has_its_documented_text() {
    let mut recording = Recording::start(900);
    recording.call(&["A\"", "f", "f.js", "", "P", "1"], 3);
    recording.call(&["B", "g", "f.js", "", "", "1"], 1);
    let figures = Figures {
        lag: Some(0.000_250_4),
        cpu: Some(0.5),
        heap: Some(12_345_678.0),
        resident_memory: Some(91_234_567.0),
        series: Some(2),
    };
    recording.step_after(1.25, 1.0, figures);
    recording.call(&["A\"", "f", "f.js", "", "P", "2"], 2);
    recording.step();
    let stalls = &mut recording.history.stalls;
    let id = stalls.begin(START + 2.0, Some("3".to_owned()));
    let mut calls = StallCalls::default();
    calls.add(b",object_classname=\"A\\\"\",caller_functionname=\"f\"", 5);
    calls.add(b",object_classname=\"A\\\"\",caller_functionname=\"h\"", 4);
    stalls.set(id, 1.5, true, &calls);
    let expected = concat!(
        r#"{"schema":1,"stepSeconds":1,"endTimeSeconds":1760000002.25,"by":["object_classname"],"#,
        r#""points":{"calls":[null,4,2],"lagSeconds":[null,0.00025,null],"#,
        r#""cpuSeconds":[null,0.5,null],"heapUsedBytes":[null,12345678,null],"#,
        r#""residentMemoryBytes":[null,91234567,null],"series":[null,2,null]},"#,
        r#""rows":[{"labels":{"object_classname":"A\""},"calls":[null,3,2]}],"#,
        r#""other":{"calls":[null,1,0]},"#,
        r#""stalls":[{"startTimeSeconds":1760000002,"seconds":1.5,"calls":9,"worker":3,"#,
        r#""ongoing":true,"rows":[{"labels":{"object_classname":"A\""},"calls":9}]}]}"#,
    );
    assert_eq!(recording.json("seconds=3&by=object_classname&limit=1"), expected);
    recording.end();
}

#[test]
fn rows_are_grouped_filtered_searched_and_limited() {
    let mut recording = Recording::start(900);
    recording.call(&["A", "f", "f.js", "", "P", "1"], 3);
    recording.call(&["A", "g", "f.js", "", "Q", "1"], 2);
    recording.call(&["B", "f", "f.js", "", "P", "1"], 1);
    recording.step();
    let calls = |calls: u64| vec![Some(calls)];
    let mut of = |query: &str, label: &str| {
        let document = recording.document(query);
        check_sums(&document);
        rows(&document, label)
    };
    let table = |rows: &[(&str, u64)]| -> BTreeMap<String, Vec<Option<u64>>> {
        rows.iter().map(|(name, sum)| ((*name).to_owned(), calls(*sum))).collect()
    };
    let class = "object_classname";
    assert_eq!(of("seconds=1&by=object_classname", class), table(&[("A", 5), ("B", 1)]));
    assert_eq!(of("seconds=1&by=object_classname&limit=1", class), table(&[("A", 5)]));
    assert_eq!(of("seconds=1&by=object_classname&search=b", class), table(&[("B", 1)]));
    let filtered = "seconds=1&by=object_classname&caller_functionname=f";
    assert_eq!(of(filtered, class), table(&[("A", 3), ("B", 1)]));
    let edges = "seconds=1&by=parent_object_classname,object_classname&object_classname=A";
    assert_eq!(of(edges, "parent_object_classname"), table(&[("P", 3), ("Q", 2)]));
    assert_eq!(of("seconds=1&by=id", "id"), table(&[("", 6)]));
    recording.end();
}

#[test]
fn before_the_first_step_nothing_is_measured() {
    let mut recording = Recording::start(900);
    let document = recording.document("seconds=3");
    assert_eq!(steps(&document["points"]["calls"]), [None; 3]);
    assert_eq!(steps(&document["other"]["calls"]), [None; 3]);
    assert_eq!(document["endTimeSeconds"], START);
    assert_eq!(document["rows"], Value::Array(Vec::new()));
    recording.end();
}

#[test]
fn a_late_reading_is_shared_by_the_steps_that_it_covers() {
    let mut recording = Recording::start(900);
    recording.step();
    recording.call(&["A"], 7);
    let figures = Figures { cpu: Some(3.0), series: Some(1), ..Figures::default() };
    recording.step_after(3.1, 3.1, figures);
    let document = recording.document("seconds=5&by=object_classname");
    check_sums(&document);
    let calls = [None, Some(0), Some(2), Some(2), Some(3)];
    assert_eq!(steps(&document["points"]["calls"]), calls);
    assert_eq!(rows(&document, "object_classname")["A"], calls);
    assert_eq!(steps(&document["points"]["cpuSeconds"])[1..], [None, Some(1), Some(1), Some(1)]);
    assert_eq!(steps(&document["points"]["series"])[1..], [None, None, None, Some(1)]);
    recording.end();
}

#[test]
fn the_time_of_a_stopped_process_or_a_sleeping_computer_is_not_measured() {
    // The system's clock, and the monotonic clock, which stops while the computer sleeps.
    for (wall, elapsed) in [(60.0, 60.0), (60.0, 1.0)] {
        let mut recording = Recording::start(900);
        recording.step();
        recording.call(&["A"], 7);
        recording.step_after(wall, elapsed, Figures::default());
        let document = recording.document("seconds=62&by=object_classname");
        check_sums(&document);
        let calls = steps(&document["points"]["calls"]);
        assert_eq!((calls[0], calls[1]), (None, Some(0)));
        assert!(calls[2..61].iter().all(Option::is_none), "{calls:?}");
        assert_eq!(calls[61], Some(7));
        recording.end();
    }
}

#[test]
fn after_a_long_sleep_only_the_step_of_the_reading_is_measured() {
    let mut recording = Recording::start(900);
    recording.call(&["A"], 7);
    recording.step();
    recording.step_after(1e9, 1.0, Figures::default());
    let document = recording.document("seconds=900");
    check_sums(&document);
    let calls = steps(&document["points"]["calls"]);
    assert!(calls[..899].iter().all(Option::is_none));
    assert_eq!(calls[899], Some(0));
    recording.end();
}

#[test]
fn a_clock_that_is_set_back_adds_no_step() {
    let mut recording = Recording::start(900);
    recording.step();
    recording.step_after(-3600.0, 1.0, Figures::default());
    let document = recording.document("seconds=3");
    assert_eq!(steps(&document["points"]["calls"]), [None, Some(0), Some(0)]);
    recording.end();
}

#[test]
fn old_steps_and_their_call_sites_are_dropped() {
    let mut recording = Recording::start(60);
    recording.call(&["old"], 1);
    for second in 0..200 {
        recording.call(&["A"], second % 3);
        recording.step();
    }
    let document = recording.document("seconds=900&by=object_classname");
    check_sums(&document);
    let calls = steps(&document["points"]["calls"]);
    assert_eq!(calls.iter().filter(|calls| calls.is_some()).count(), 60);
    assert_eq!(rows(&document, "object_classname").keys().collect::<Vec<_>>(), ["A"]);
    assert_eq!(recording.history.sites(), 1);
    recording.end();
}

#[test]
fn steps_grow_if_all_readings_take_long_but_not_if_single_ones_do() {
    let mut recording = Recording::start(900);
    let step = |recording: &mut Recording, duration: f64| {
        recording.call(&["A"], 5);
        let mut from = Some(0);
        while let Some(range) = from {
            from = recording.counter.read_calls(range, &mut |c| recording.history.add(c)).next;
        }
        recording.now += f64::from(recording.history.step_seconds());
        let elapsed = recording.history.step_seconds().into();
        let figures = Figures { cpu: Some(1.0), ..Figures::default() };
        let reading = ReadingEnd { now: recording.now, elapsed, duration };
        recording.counter.release_sites(&recording.history.end_step(reading, figures));
        recording.history.step_seconds()
    };
    for number in 0..20 {
        assert_eq!(step(&mut recording, if number % 5 == 0 { 1.0 } else { 0.001 }), 1);
    }
    let lengths: Vec<u32> = (0..10).map(|_| step(&mut recording, 0.008)).collect();
    assert_eq!(
        lengths[6..],
        [1, 2, 2, 2],
        "a reading takes 0.8 % of a step of one second, and 0.4 % of one of two seconds"
    );
    let document = recording.document("seconds=8&by=object_classname");
    check_sums(&document);
    assert_eq!(document["stepSeconds"], 2);
    assert_eq!(steps(&document["points"]["calls"]), [Some(10), Some(10), Some(5), Some(5)]);
    let cpu = steps(&document["points"]["cpuSeconds"]);
    assert_eq!(cpu, [Some(2), Some(2), Some(1), Some(1)]);
    recording.end();
}

#[test]
fn if_the_memory_is_full_the_call_sites_with_the_fewest_calls_are_removed() {
    let mut recording = Recording::start(900);
    recording.history.reserve(MAX_BYTES - 900_000);
    let names: Vec<String> = (0..1500).map(|number| format!("{number:04}")).collect();
    for _ in 0..120 {
        for (number, name) in (0..).zip(&names) {
            recording.call(&[name, "f", "file.js"], number % 10);
        }
        recording.step();
        assert!(recording.history.bytes() < 330_000, "{}", recording.history.bytes());
        // This query never ends, as if clients sent queries without a pause.
        recording.history.pin(900);
    }
    let window = recording.history.window(900);
    assert!(!recording.history.is_complete(&window));
    let document = recording.document("seconds=120&by=object_classname&limit=1000");
    check_sums(&document);
    let rows = rows(&document, "object_classname");
    let is_recorded = |class: &&String| {
        rows.get(*class).is_some_and(|calls| calls[110..].iter().all(|calls| *calls > Some(0)))
    };
    let recorded = |digit: char| names.iter().filter(move |name| name.ends_with(digit));
    assert_eq!(recorded('9').filter(is_recorded).count(), 150);
    assert_eq!(recorded('1').filter(is_recorded).count(), 0);
    recording.end();
}

proptest! {
    #[test]
    fn every_call_is_in_one_row_of_one_step(
        events in prop::collection::vec((0..6_usize, 1..5_u32, 1..40_u32), 0..60),
        seconds in 1..30_u32,
    ) {
        let mut recording = Recording::start(900);
        let classes = ["A", "B", "C", "D", "E", "F"];
        let mut model: Vec<BTreeMap<String, u64>> = Vec::new();
        for (class, pause, calls) in events {
            recording.call(&[classes[class], "f", "f.js", "", "", &calls.to_string()], calls);
            recording.step();
            model.push(BTreeMap::from([(classes[class].to_owned(), calls.into())]));
            for _ in 1..pause {
                recording.step();
                model.push(BTreeMap::new());
            }
        }
        let document = recording.document(&format!("seconds={seconds}&by=object_classname"));
        check_sums(&document);
        let missing = (seconds as usize).saturating_sub(model.len());
        let window = &model[model.len() - (seconds as usize - missing)..];
        let rows = rows(&document, "object_classname");
        for class in classes {
            let calls: Vec<_> = window.iter().map(|step| step.get(class).copied()).collect();
            let Some(row) = rows.get(class) else {
                prop_assert!(calls.iter().all(Option::is_none));
                continue;
            };
            prop_assert!(row[..missing].iter().all(Option::is_none));
            let expected: Vec<_> = calls.iter().map(|calls| Some(calls.unwrap_or(0))).collect();
            prop_assert_eq!(&row[missing..], expected);
        }
        recording.end();
    }
}
