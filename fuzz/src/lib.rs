//! Functions that several targets use.

use std::{ptr::NonNull, sync::Arc};

use hypertrace_prometheus::{
    counter::{CELLS, CellBlock, CounterOptions, TraceCounter},
    labels::Schema,
};

/// Returns the values of a label set: the input, split at zero bytes, with empty values added until each
/// label of the schema has one.
pub fn values(text: &str) -> Vec<&str> {
    let count = schema().names().len();
    text.split('\0').chain(std::iter::repeat("")).take(count).collect()
}

pub fn schema() -> Schema {
    Schema::new(&["p"])
}

/// Creates a counter in which each label set was counted once.
pub fn counter(label_sets: &[Vec<&str>]) -> Arc<TraceCounter> {
    let options = CounterOptions {
        name: "trace_counter".to_owned(),
        help: "help".to_owned(),
        schema: schema(),
        default_labels: Vec::new(),
        max_series: 10,
        start_at_zero: true,
        idle_timeout: None,
    };
    let counter = Arc::new(TraceCounter::new(options).expect("a good name"));
    let mut cells = vec![0.0; CELLS];
    for values in label_sets {
        let slot = counter.intern(values.iter().copied()).slot;
        assert_eq!(counter.intern(values.iter().copied()).slot, slot);
        cells[slot as usize] += 1.0;
    }
    let shard = counter.open_shard();
    // SAFETY: the cells are neither moved nor changed before the shard is closed below.
    let lent = unsafe { CellBlock::new(NonNull::new(cells.as_mut_ptr()).expect("a pointer")) };
    counter.lend_cells(shard, 0, lent);
    counter.close_shard(shard);
    counter
}
