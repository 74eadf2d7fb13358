use super::*;

fn of_process(process: u32, document: Value) -> ProcessDocument {
    ProcessDocument { process, document }
}

fn read(json: &[u8]) -> Value {
    serde_json::from_slice(json).expect("JSON")
}

#[test]
fn a_query_is_split_into_the_process_and_the_query_of_each_process() {
    let table = [
        ("", None, "limit=200"),
        ("limit=5", None, "limit=110"),
        ("limit=1000", None, "limit=1000"),
        ("limit=0", None, "limit=0"),
        ("process=3&limit=5", Some(3), "limit=5"),
        ("by=process", None, "limit=200"),
        ("by=id%2Cprocess&id=a+%26b", None, "by=id&id=a%20%26b&limit=200"),
        ("by=nothing&x=y", None, "by=nothing&x=y&limit=200"),
        ("limit=%2B5", None, "limit=%2B5"),
        ("object_props_limit=1&limit=7", None, "object_props_limit=1&limit=114"),
        (
            "by=process&id=a&object_classname=B&order=rate",
            None,
            "id=a&object_classname=B&order=rate&by=object_classname&limit=200",
        ),
        ("by=process&search=2", None, "limit=200"),
        ("by=id&search=2", None, "by=id&search=2&limit=200"),
    ];
    for (query, process, forwarded) in table {
        let parsed = Query::parse(query).expect(query);
        assert_eq!((parsed.process, parsed.forwarded.as_str()), (process, forwarded), "{query}");
    }
    for query in [
        "process=0",
        "process=x",
        "process=",
        "process=-1",
        "process=%2B1",
        "process=1&process=2",
        "a=%",
    ] {
        assert!(Query::parse(query).is_err(), "{query}");
    }
}

fn document(values: &[(&str, f64)], other: f64) -> Value {
    let rows: Vec<Value> = values
        .iter()
        .map(|(class, value)| json!({ "labels": { "object_classname": class }, "value": value, "rate": 2 }))
        .collect();
    let total = other + values.iter().map(|(_, value)| value).sum::<f64>();
    json!({
        "schema": 1, "version": "2.0.0", "metric": "trace_counter", "startTimeSeconds": 5,
        "uptimeSeconds": 6, "labels": ["object_classname", "id"], "usedLabels": ["object_classname"],
        "defaultLabels": {}, "by": ["object_classname"], "order": "rate", "windowSeconds": 5,
        "series": { "used": 3, "limit": 10, "collapsed": 0, "overflowed": 1, "expired": 2 },
        "calls": { "total": total, "matched": total, "rate": 7 },
        "rows": rows, "other": { "groups": 4, "value": other },
        "eventLoop": { "answering": true, "lagSeconds": other, "sampleAgeSeconds": null },
        "process": {
            "name": "a", "pid": 1, "nodeVersion": "v20", "threads": 2, "startTimeSeconds": 4,
            "cpuSeconds": 1.5, "residentMemoryBytes": null, "heapUsedBytes": 9, "heapTotalBytes": 10
        }
    })
}

#[test]
fn a_summary_of_all_processes_has_their_sums_and_lists_each_process() {
    let documents = [
        of_process(2, document(&[("A", 5.0), ("B", 1.0)], 1.0)),
        of_process(1, document(&[("B", 7.0), ("C", 2.0)], 3.0)),
    ];
    let query = Query::parse("limit=2").expect("valid");
    let merged = read(&summary(&query, &documents, &[3]));
    assert_eq!(merged["calls"], json!({ "total": 19, "matched": 19, "rate": 14 }));
    let row = |class: &str, value: u32, rate: u32| json!({ "labels": { "object_classname": class }, "value": value, "rate": rate });
    assert_eq!(merged["rows"], json!([row("B", 8, 4), row("A", 5, 2)]));
    assert_eq!(merged["other"], json!({ "groups": 9, "value": 6 }));
    assert_eq!(merged["series"]["used"], 6);
    assert_eq!(
        merged["eventLoop"],
        json!({ "answering": true, "lagSeconds": 3, "sampleAgeSeconds": null })
    );
    assert_eq!(merged["process"]["threads"], 4);
    assert_eq!(merged["process"]["residentMemoryBytes"], Value::Null);
    assert_eq!(merged["labels"], json!(["object_classname", "id", "process"]));
    assert_eq!(merged["processes"][0]["process"], 1);
    assert_eq!(merged["processes"][1]["calls"]["total"].as_f64(), Some(7.0));
    assert_eq!(merged["absentProcesses"], json!([3]));
}

#[test]
fn a_summary_can_be_grouped_by_process() {
    let documents =
        [of_process(1, document(&[("A", 5.0)], 1.0)), of_process(2, document(&[("A", 7.0)], 0.0))];
    let merged = read(&summary(&Query::parse("by=process").expect("valid"), &documents, &[]));
    let row = |process: &str, value: u32, rate: u32| json!({ "labels": { "process": process }, "value": value, "rate": rate });
    assert_eq!(
        merged["rows"],
        json!([row("1", 6, 7), row("2", 7, 7)]),
        "the rows are in the order of their rates"
    );
    assert_eq!(merged["by"], json!(["process"]));
    assert_eq!(merged["other"], json!({ "groups": 0, "value": 0 }));
    let query = Query::parse("by=object_classname,process").expect("valid");
    let text = String::from_utf8(summary(&query, &documents, &[])).expect("UTF-8");
    let rows = r#""rows":[{"labels":{"object_classname":"A","process":"1"},"value":5,"rate":2},"#;
    assert!(text.contains(rows), "{text}");
}

fn steps(step: u32, end: f64, calls: &Value, lag: &Value) -> Value {
    json!({
        "schema": 1, "stepSeconds": step, "endTimeSeconds": end, "by": ["id"],
        "points": {
            "calls": calls, "lagSeconds": lag, "cpuSeconds": calls, "heapUsedBytes": calls,
            "residentMemoryBytes": calls, "series": calls
        },
        "rows": [{ "labels": { "id": "a" }, "calls": calls }],
        "other": { "calls": calls },
        "stalls": [{ "startTimeSeconds": end - 1.0, "seconds": 0.5, "calls": 1, "rows": [] }]
    })
}

#[test]
fn a_history_of_all_processes_is_the_sum_of_each_step() {
    let documents = [
        of_process(1, steps(1, 100.2, &json!([null, 1, 2, 3]), &json!([null, 0.5, 0.1, 0.1]))),
        of_process(2, steps(1, 99.9, &json!([10, 20, null, 40]), &json!([0.1, 0.1, null, 0.7]))),
    ];
    let merged = read(&history(&Query::parse("").expect("valid"), &documents));
    assert_eq!(merged["points"]["calls"], json!([10, 21, 2, 43]));
    assert_eq!(merged["points"]["lagSeconds"], json!([0.1, 0.5, 0.1, 0.7]));
    assert_eq!(merged["rows"], json!([{ "labels": { "id": "a" }, "calls": [10, 21, 2, 43] }]));
    assert_eq!(merged["other"]["calls"], json!([0, 0, 0, 0]));
    assert_eq!(
        (&merged["stalls"][0]["process"], &merged["stalls"][1]["process"]),
        (&json!(2), &json!(1))
    );
    let merged = read(&history(&Query::parse("by=process&limit=1").expect("valid"), &documents));
    assert_eq!(
        merged["rows"],
        json!([{ "labels": { "process": "2" }, "calls": [10, 20, null, 40] }])
    );
    assert_eq!(merged["other"]["calls"], json!([0, 1, 2, 3]));
}

#[test]
fn rows_by_process_have_the_calls_that_pass_the_filters() {
    let calls = json!([5, 6]);
    let mut one = steps(1, 100.0, &calls, &calls);
    one["rows"] = json!([{ "labels": { "id": "a" }, "calls": [1, 2] }]);
    let mut two = steps(1, 100.0, &calls, &calls);
    two["rows"] = json!([]);
    let documents = [of_process(1, one), of_process(2, two)];
    let merged = read(&history(&Query::parse("by=process&id=a").expect("valid"), &documents));
    assert_eq!(merged["rows"], json!([{ "labels": { "process": "1" }, "calls": [1, 2] }]));
    assert_eq!(merged["other"]["calls"], json!([9, 10]));

    let mut matching = document(&[("A", 5.0)], 0.0);
    matching["calls"]["total"] = 50.into();
    let mut other = document(&[], 0.0);
    other["calls"]["matched"] = 0.into();
    let documents = [of_process(1, matching), of_process(2, other)];
    let merged = read(&summary(&Query::parse("by=process&id=a").expect("valid"), &documents, &[]));
    assert_eq!(merged["rows"], json!([{ "labels": { "process": "1" }, "value": 5, "rate": 2 }]));
}

#[test]
fn a_search_in_rows_by_process_finds_the_number() {
    let calls = json!([5, 6]);
    let documents = [1, 23].map(|process| of_process(process, steps(1, 100.0, &calls, &calls)));
    let query = Query::parse("by=process&search=2").expect("valid");
    let merged = read(&history(&query, &documents));
    assert_eq!(merged["rows"], json!([{ "labels": { "process": "23" }, "calls": [5, 6] }]));
    let documents =
        [1, 23].map(|process| of_process(process, document(&[("A", f64::from(process))], 0.0)));
    let merged = read(&summary(&query, &documents, &[]));
    assert_eq!(merged["rows"], json!([{ "labels": { "process": "23" }, "value": 23, "rate": 7 }]));
    assert_eq!(merged["other"], json!({ "groups": 0, "value": 0 }));
}

#[test]
fn a_sum_is_exact_below_two_to_the_power_of_53() {
    let documents =
        [9_007_199_254_740_985.0, 3.0].map(|calls| of_process(1, document(&[("A", calls)], 0.0)));
    let merged = read(&summary(&Query::parse("").expect("valid"), &documents, &[]));
    assert_eq!(merged["calls"]["total"], json!(9_007_199_254_740_988_u64));
}

#[test]
fn steps_of_different_lengths_are_joined_in_the_longer_ones() {
    let documents = [
        of_process(1, steps(2, 100.0, &json!([10, 20]), &json!([0.1, 0.2]))),
        of_process(2, steps(1, 100.3, &json!([1, 2, 3, 4]), &json!([0.5, 0, 0, 0.1]))),
    ];
    let merged = read(&history(&Query::parse("").expect("valid"), &documents));
    assert_eq!(merged["stepSeconds"], 2);
    assert_eq!(merged["points"]["calls"], json!([13, 27]));
    assert_eq!(merged["points"]["lagSeconds"], json!([0.5, 0.2]));
    assert_eq!(
        merged["points"]["series"],
        json!([12, 24]),
        "a gauge has its value at the end of the step"
    );
}

#[test]
fn the_summary_of_one_process_has_the_numbers_of_all() {
    let summary = with_processes(br#"{"a":{}}"#.to_vec(), &[1, 3]);
    assert_eq!(
        read(&summary),
        json!({ "a": {}, "processes": [{ "process": 1 }, { "process": 3 }] })
    );
}

#[test]
fn a_response_that_is_not_a_document_is_omitted() {
    assert!(ProcessDocument::read(1, b"").is_none() && ProcessDocument::read(1, b"[1]").is_none());
    let documents = [
        of_process(1, document(&[("A", 5.0)], 0.0)),
        of_process(2, json!({ "rows": "x", "calls": 7 })),
    ];
    let merged = read(&summary(&Query::parse("").expect("valid"), &documents, &[]));
    assert_eq!(merged["calls"]["total"], 5);
}
