//! Reading the series: slot after slot, for as long as the reader wants to hold the lock.

use std::{ops::ControlFlow, sync::Arc};

use super::{
    TraceCounter,
    series::{SeriesTable, Stored},
    state::{State, show},
};

/// One series as it is visited: its labels, to be written, and its value.
pub struct Series<'a> {
    counter: &'a TraceCounter,
    table: &'a SeriesTable,
    /// The series' slot.
    pub slot: u32,
    /// Its value, summed over the threads: a whole number.
    pub value: f64,
}

impl Series<'_> {
    /// Appends the labels, each led by a comma.
    #[inline]
    pub fn write_labels(&self, out: &mut Vec<u8>) {
        self.table.write_labels(self.slot, out);
        out.extend_from_slice(&self.counter.constant);
    }

    /// A part of the label set as it is stored, so that series can be told apart by numbers alone.
    #[inline]
    #[must_use]
    pub fn part(&self, part: usize) -> Stored {
        self.table.part(self.slot, part)
    }

    /// The text of a fragment that a part names: labels, each led by a comma.
    #[must_use]
    pub fn fragment(&self, number: u32) -> &[u8] {
        self.table.fragment(number)
    }
}

impl TraceCounter {
    /// Visits the series with a value from slot `from` on, in the order of their slots, until
    /// `visit` breaks: then the slot to go on from is returned, and `None` at the end.
    ///
    /// Holds the lock meanwhile: `visit` copies and returns.
    pub fn visit(
        &self,
        from: u32,
        visit: impl FnMut(Series<'_>) -> ControlFlow<()>,
    ) -> Option<u32> {
        let state = &*self.state();
        self.walk(&state.series, from, |slot| state.shards.value(slot as usize), visit)
    }

    fn walk(
        &self,
        table: &SeriesTable,
        from: u32,
        mut value: impl FnMut(u32) -> f64,
        mut visit: impl FnMut(Series<'_>) -> ControlFlow<()>,
    ) -> Option<u32> {
        for slot in from..table.slots() {
            let value = value(slot);
            if value == 0.0 {
                continue;
            }
            if visit(Series { counter: self, table, slot, value }).is_break() {
                return Some(slot + 1);
            }
        }
        None
    }
}

/// The series as a page shows them: none is shown twice, and what is shown counts as seen.
#[derive(Debug)]
pub struct Reading(Arc<TraceCounter>);

impl Reading {
    /// Begins a page of this counter. Slots are not given out anew until it is dropped.
    #[must_use]
    pub fn new(counter: Arc<TraceCounter>) -> Self {
        counter.state().readings += 1;
        Self(counter)
    }

    /// The counter.
    #[must_use]
    pub fn counter(&self) -> &TraceCounter {
        &self.0
    }

    /// As [`TraceCounter::visit`], for the page that shows them.
    pub fn visit(
        &self,
        from: u32,
        visit: impl FnMut(Series<'_>) -> ControlFlow<()>,
    ) -> Option<u32> {
        let state = &mut *self.0.state();
        let State { series, shards, expiry, .. } = state;
        self.0.walk(series, from, |slot| show(shards, expiry, slot), visit)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.state().readings -= 1;
    }
}
