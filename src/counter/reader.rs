//! Reads the series: slot after slot, for as long as the reader wants to hold the lock.

use std::{
    ops::{ControlFlow, Range},
    sync::Arc,
};

use super::{
    TraceCounter,
    cells::{RANGE, RangeVersion, Shards},
    series::{SeriesTable, Stored},
    state::{State, shown},
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
        let State { series, shards, .. } = &*self.state();
        self.walk(series, shards, from..series.slots(), |_, _| {}, visit)
    }

    /// Goes through `slots`, range by range: `pass` gets each slot's value, `visit` those that are
    /// not 0.
    fn walk(
        &self,
        table: &SeriesTable,
        shards: &Shards,
        slots: Range<u32>,
        mut pass: impl FnMut(u32, f64),
        mut visit: impl FnMut(Series<'_>) -> ControlFlow<()>,
    ) -> Option<u32> {
        let mut from = slots.start;
        while from < slots.end {
            let range = from / RANGE;
            let values = shards.range(range);
            let end = slots.end.min((range + 1) * RANGE);
            for (slot, &value) in (from..end).zip(values.iter().skip((from % RANGE) as usize)) {
                pass(slot, value);
                if value == 0.0 {
                    continue;
                }
                if visit(Series { counter: self, table, slot, value }).is_break() {
                    return Some(slot + 1);
                }
            }
            from = end;
        }
        None
    }
}

/// The series as a page shows them: none is shown twice, and what is shown counts as seen.
#[derive(Debug)]
pub struct PageReader(Arc<TraceCounter>);

impl PageReader {
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
        let pass = |slot, value| shown(expiry, slot, value);
        self.0.walk(series, shards, from..series.slots(), pass, visit)
    }

    /// As [`PageReader::visit`], but no further than to the end of `from`'s range; what is visited is
    /// taken into `stamp`, which begins anew if there is none.
    pub fn visit_range(
        &self,
        from: u32,
        stamp: &mut Option<RangeVersion>,
        visit: impl FnMut(Series<'_>) -> ControlFlow<()>,
    ) -> Option<u32> {
        let state = &mut *self.0.state();
        let State { series, shards, expiry, .. } = state;
        let stamp = stamp.get_or_insert_with(|| shards.stamp(from / RANGE));
        let pass = |slot, value| {
            shown(expiry, slot, value);
            stamp.add(value);
        };
        let end = (from / RANGE + 1) * RANGE;
        let slots = from..series.slots().min(end);
        let next = self.0.walk(series, shards, slots, pass, visit);
        next.or((end < series.slots()).then_some(end))
    }

    /// Whether a range holds what it held at `stamp`. Then it counts as shown.
    #[must_use]
    pub fn is_unchanged(&self, range: u32, stamp: RangeVersion) -> bool {
        let state = &mut *self.0.state();
        let values = state.shards.range(range);
        let mut now = state.shards.stamp(range);
        for &value in &values {
            now.add(value);
        }
        if now != stamp {
            return false;
        }
        for (slot, value) in (range * RANGE..).zip(values) {
            shown(&mut state.expiry, slot, value);
        }
        true
    }

    /// How many ranges there are.
    #[must_use]
    pub fn ranges(&self) -> u32 {
        self.0.state().series.slots().div_ceil(RANGE)
    }
}

impl Drop for PageReader {
    fn drop(&mut self) {
        self.0.state().readings -= 1;
    }
}
