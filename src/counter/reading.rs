//! Readings of all series, for code that needs each series as an object and not as a line of a page: a
//! registry or a metric producer.

use std::{ops::Range, sync::Arc, time::Instant};

use super::{TraceCounter, cells::RANGE, reader::PageReader, scrapers::ScraperId, start::Start};
use crate::labels;

/// The number of slots that a step reads under one lock. For the labels of this number of series, a
/// JavaScript thread needs two or three milliseconds.
const STEP: u32 = 4 * RANGE;

/// A reading in progress. While it exists, no slot is freed. It counts as a page.
#[derive(Debug)]
pub struct Reading {
    page: PageReader,
    next: u32,
}

/// One series of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReadSeries {
    /// The value; 0 for a free slot, and for a series that was interned after the start of the reading.
    pub value: f64,
    /// The time at which the series was interned or reset; [`Start::NEVER`] for a free slot.
    pub start: Start,
}

impl Reading {
    /// Starts a reading. `reader` identifies a reader that reads repeatedly: no series expires before this
    /// reader has read its last value. `None` for other readers.
    #[must_use]
    pub fn new(counter: Arc<TraceCounter>, reader: Option<ScraperId>) -> Self {
        Self { page: PageReader::exact(counter, reader), next: 0 }
    }

    /// Returns the series of the next slots, slot by slot; `None` at the end. The first step begins at slot 0.
    pub fn step(&mut self) -> Option<Vec<ReadSeries>> {
        let state = self.page.counter().state();
        let slots = self.next..state.series.slots().min(self.next + STEP);
        if slots.is_empty() {
            return None;
        }
        let view = self.page.record().view;
        let read = |slot: u32, value: f64| {
            let start = state.series.start(slot).unwrap_or(Start::NEVER);
            let is_read = start != Start::NEVER && start <= view.horizon;
            ReadSeries {
                value: if is_read { value } else { 0.0 },
                start: if start == Start::NEVER { start } else { start.max(state.last_reset) },
            }
        };
        let ranges = slots.start / RANGE..slots.end.div_ceil(RANGE);
        let values = ranges.flat_map(|range| state.shards.range(range));
        let series = slots.clone().zip(values).map(|(slot, value)| read(slot, value)).collect();
        drop(state);
        self.next = slots.end;
        Some(series)
    }

    /// Returns the labels of series, as names and values, alternating.
    #[must_use]
    pub fn labels(&self, slots: impl IntoIterator<Item = u32>) -> Vec<Vec<String>> {
        self.page.counter().labels(slots)
    }

    /// Records that the reading is complete, and returns its time, which is after all starts that were read.
    #[must_use]
    pub fn complete(self) -> Start {
        let counter = self.page.counter();
        counter.complete(&self.page.record(), Instant::now());
        counter.state().starts.next()
    }
}

impl TraceCounter {
    /// Returns the labels of series, as names and values, alternating. A free slot has only the labels that
    /// every series has.
    #[must_use]
    pub fn labels(&self, slots: impl IntoIterator<Item = u32>) -> Vec<Vec<String>> {
        let state = self.state();
        let all: Range<u32> = 0..state.series.slots();
        let mut text = Vec::new();
        let labels = |slot| {
            text.clear();
            state.series.write_labels(slot, &mut text);
            let written = String::from_utf8_lossy(&text);
            labels::read_labels(&written)
                .into_iter()
                .flat_map(|(name, value)| [name.to_owned(), value.into_owned()])
                .collect()
        };
        slots.into_iter().filter(|slot| all.contains(slot)).map(labels).collect()
    }
}
