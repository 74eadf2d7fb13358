//! Any label value is written as one line of the page, and is read back unchanged.

#![no_main]

use std::{ptr::NonNull, sync::Arc};

use hypertrace_prometheus::{
    counter::{CELLS, CounterOptions, CellBlock, TraceCounter},
    exposition::Page,
    labels::{Schema, read_labels, write_label},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // The separator cannot occur in a value.
    let values: Vec<&str> = text.split('\0').collect();

    let mut written = Vec::new();
    for value in &values {
        write_label(&mut written, "name", value);
    }
    let written = String::from_utf8(written).expect("written labels are UTF-8");
    let read: Vec<_> = read_labels(&written).into_iter().map(|(_, value)| value).collect();
    let filled: Vec<_> = values.iter().copied().filter(|value| !value.is_empty()).collect();
    assert_eq!(read, filled);

    let schema = Schema::new(&["p"]);
    let count = schema.names().len();
    let padded: Vec<&str> = values.into_iter().chain(std::iter::repeat("")).take(count).collect();
    let options = CounterOptions {
        name: "trace_counter".to_owned(),
        help: "help".to_owned(),
        schema,
        default_labels: Vec::new(),
        max_series: 10,
        start_at_zero: true,
        idle_timeout: None,
    };
    let counter = Arc::new(TraceCounter::new(options).expect("a good name"));
    let slot = counter.intern(padded.iter().copied()).slot;
    assert_eq!(counter.intern(padded.iter().copied()).slot, slot);

    // A series without a count has no line.
    let mut cells = vec![0.0; CELLS];
    cells[slot as usize] = 1.0;
    let shard = counter.open_shard();
    // SAFETY: the cells are neither moved nor changed before the shard is closed below.
    let lent = unsafe { CellBlock::new(NonNull::new(cells.as_mut_ptr()).expect("a pointer")) };
    counter.lend_cells(shard, 0, lent);
    counter.close_shard(shard);

    let page = Page::text(Arc::clone(&counter), Vec::new()).into_bytes();
    let page = String::from_utf8(page).expect("a page is UTF-8");
    assert_eq!(page.matches('\n').count(), 3, "HELP, TYPE and one line: {page:?}");

    let labels: Vec<String> = counter.labels([slot]).concat();
    let mut read: Vec<&str> = labels.iter().skip(1).step_by(2).map(String::as_str).collect();
    let mut expected: Vec<&str> = padded.into_iter().filter(|value| !value.is_empty()).collect();
    expected.sort_unstable();
    read.sort_unstable();
    assert_eq!(read, expected);
});
