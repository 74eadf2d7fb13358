//! Reads the series, slot by slot or range by range.

use std::{
    ops::{ControlFlow, Range},
    sync::Arc,
    time::Instant,
};

use super::{
    TraceCounter,
    cells::{RANGE, RangeValues, RangeVersion},
    protobuf::{self, EncodedLabels},
    scrapers::{PageRecord, ScraperId},
    series::{SeriesTable, Stored},
    start::Start,
    state::State,
    view::View,
};

/// The number of slots that [`TraceCounter::calls`] reads under one lock.
const CHUNK: u32 = 16 * RANGE;

/// A series that is being visited. Its labels can be copied.
pub struct Series<'a> {
    table: &'a SeriesTable,
    /// The series' slot.
    pub slot: u32,
    /// The value to show, summed over the threads: a whole number.
    pub value: f64,
    last_reset: Start,
}

impl Series<'_> {
    /// Appends the labels in the text format, each preceded by a comma.
    #[inline]
    pub fn write_labels(&self, out: &mut Vec<u8>) {
        self.table.write_labels(self.slot, out);
    }

    /// Returns the start of the series: the time at which it was interned or reset.
    #[must_use]
    pub fn start(&self) -> Start {
        self.table.start(self.slot).unwrap_or_default().max(self.last_reset)
    }

    /// Appends the series' `Metric` message in the protobuf format.
    #[inline]
    pub fn write_message(&self, out: &mut Vec<u8>, encoded: &mut EncodedLabels) {
        self.table.write_protobuf_labels(self.slot, out, encoded);
        protobuf::write_counter(out, self.value, self.start());
    }

    /// Returns a part of the label set as it is stored, so that series can be compared by numbers.
    #[inline]
    #[must_use]
    pub fn part(&self, part: usize) -> Stored {
        self.table.part(self.slot, part)
    }

    /// Returns the text of a fragment: labels, each preceded by a comma.
    #[must_use]
    pub fn fragment(&self, number: u32) -> &[u8] {
        self.table.fragment(number)
    }
}

impl TraceCounter {
    /// Visits the series whose value is not 0 from slot `from` on, in the order of their slots, until
    /// `visit` breaks. Returns the slot to continue from; `None` at the end.
    ///
    /// Holds the lock meanwhile, so `visit` must only copy and return.
    pub fn visit(
        &self,
        from: u32,
        mut visit: impl FnMut(Series<'_>) -> ControlFlow<()>,
    ) -> Option<u32> {
        let State { series: table, shards, .. } = &*self.state();
        let end = table.slots();
        let mut next = from;
        while next < end {
            let range = next / RANGE;
            let slots = next..end.min((range + 1) * RANGE);
            next = slots.end;
            let values = shards.range(range);
            let shown = |_, value: f64| (value != 0.0).then_some(value);
            let last_reset = Start::NEVER;
            let walk = Walk { table, slots, values: &values, last_reset };
            if let Some(slot) = walk.run(shown, &mut visit) {
                return Some(slot);
            }
        }
        None
    }

    /// Returns the number of calls that have been counted, including those of expired series and those before
    /// a reset. It never falls.
    #[must_use]
    pub fn calls(self: &Arc<Self>) -> f64 {
        let _pin = SlotPin::new(Arc::clone(self));
        loop {
            let before = self.state().last_reset;
            let mut sum = 0.0;
            let mut from = 0;
            loop {
                let state = self.state();
                let end = state.series.slots().min(from + CHUNK);
                for range in from / RANGE..end.div_ceil(RANGE) {
                    sum += state.shards.range(range).iter().sum::<f64>();
                }
                from = end;
                if from == state.series.slots() {
                    if state.last_reset == before {
                        return sum + state.past_calls;
                    }
                    // A reset between two chunks has moved values to `past_calls`, so the sum is wrong.
                    break;
                }
            }
        }
    }
}

/// The slots of one range that are visited.
struct Walk<'a> {
    table: &'a SeriesTable,
    slots: Range<u32>,
    values: &'a RangeValues,
    last_reset: Start,
}

impl Walk<'_> {
    /// Visits the slots for which `shown` returns a value. Returns the slot to continue from if
    /// `visit` breaks.
    #[inline]
    fn run(
        &self,
        shown: impl Fn(u32, f64) -> Option<f64>,
        visit: &mut impl FnMut(Series<'_>) -> ControlFlow<()>,
    ) -> Option<u32> {
        let &Self { table, last_reset, .. } = self;
        let first = (self.slots.start % RANGE) as usize;
        for (slot, &value) in self.slots.clone().zip(&self.values[first..]) {
            let Some(value) = shown(slot, value) else { continue };
            if visit(Series { table, slot, value, last_reset }).is_break() {
                return Some(slot + 1);
            }
        }
        None
    }
}

/// While a pin exists, no slot and no label text of a series is freed. So series can be read in steps.
#[derive(Debug)]
pub struct SlotPin(Arc<TraceCounter>);

impl SlotPin {
    /// Pins the slots of a counter.
    #[must_use]
    pub fn new(counter: Arc<TraceCounter>) -> Self {
        counter.state().slot_pins += 1;
        Self(counter)
    }

    /// Returns the counter.
    #[must_use]
    pub fn counter(&self) -> &Arc<TraceCounter> {
        &self.0
    }
}

impl Drop for SlotPin {
    fn drop(&mut self) {
        self.0.state().slot_pins -= 1;
    }
}

/// Reads the series for one page, range by range.
#[derive(Debug)]
pub struct PageReader {
    pin: SlotPin,
    record: PageRecord,
}

/// The series of a range that a page contains. They are decided once for each page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeSeries {
    /// All series of the range that started before the page.
    All,
    /// These series, as one bit for each slot.
    Some([u64; RANGE as usize / 64]),
}

impl RangeSeries {
    fn contains(&self, index: usize) -> bool {
        match self {
            Self::All => true,
            Self::Some(bits) => bits[index / 64] & (1 << (index % 64)) != 0,
        }
    }
}

/// The facts of a range that a page needs before it is rendered.
#[derive(Clone, Copy, Debug)]
pub struct RangeMeasure {
    /// The series that the page contains.
    pub series: RangeSeries,
    /// The sum of the lengths of their fields in the protobuf format.
    pub protobuf_length: u64,
}

impl PageReader {
    /// Starts a page. `scraper` is the scraper that the page is for, if the client announces itself. The page
    /// shows new series at 0 to a scraper.
    #[must_use]
    pub fn new(counter: Arc<TraceCounter>, scraper: Option<ScraperId>) -> Self {
        let pin = SlotPin::new(counter);
        let mut state = pin.counter().state();
        state.pages += 1;
        let number = state.pages;
        let view = match scraper.filter(|_| pin.counter().options.start_at_zero) {
            None => View { last_reset: state.last_reset, ..View::EXACT },
            Some(id) => View {
                horizon: state.starts.last(),
                threshold: state.scrapers.start_page(id, Instant::now()),
                last_reset: state.last_reset,
            },
        };
        drop(state);
        Self { pin, record: PageRecord { scraper, view, number } }
    }

    /// Starts a page that shows the present series at their values. `reader` identifies a reader that reads
    /// repeatedly.
    #[must_use]
    pub fn exact(counter: Arc<TraceCounter>, reader: Option<ScraperId>) -> Self {
        let mut page = Self::new(counter, None).with_horizon();
        page.record.scraper = reader;
        page
    }

    /// Excludes series that start after this call, so that the set of the page's series is fixed.
    #[must_use]
    pub fn with_horizon(mut self) -> Self {
        let state = self.counter().state();
        let view = View {
            horizon: self.record.view.horizon.min(state.starts.last()),
            last_reset: state.last_reset,
            ..self.record.view
        };
        drop(state);
        self.record.view = view;
        self
    }

    /// Returns the counter.
    #[must_use]
    pub fn counter(&self) -> &Arc<TraceCounter> {
        self.pin.counter()
    }

    /// Returns the properties that [`TraceCounter::complete`] records when the page has been sent.
    #[must_use]
    pub fn record(&self) -> PageRecord {
        self.record
    }

    /// Returns the number of ranges.
    #[must_use]
    pub fn ranges(&self) -> u32 {
        self.counter().state().series.slots().div_ceil(RANGE)
    }

    /// Returns whether all series of a range are on the page with their values, so that the range has
    /// the same text on every such page.
    #[must_use]
    pub fn is_exact(&self, range: u32) -> bool {
        self.is_exact_in(&self.counter().state(), range)
    }

    /// Does the same as [`PageReader::is_exact`] with a locked state. After a reset during the page, no range
    /// is exact, because the page shows the starts before the reset.
    fn is_exact_in(&self, state: &State, range: u32) -> bool {
        let view = &self.record.view;
        state.last_reset == view.last_reset && view.is_exact(state.series.range(range).newest)
    }

    /// Returns whether an exact range has this version.
    #[must_use]
    pub fn is_unchanged(&self, range: u32, version: RangeVersion) -> bool {
        let shards = &self.counter().state().shards;
        let mut now = shards.empty_version(range);
        now.add(&shards.range(range));
        now == version
    }

    /// Decides which series of a range the page contains. The page needs a horizon.
    #[must_use]
    pub fn measure(&self, range: u32) -> RangeMeasure {
        let view = &self.record.view;
        let state = self.counter().state();
        let State { series: table, shards, .. } = &*state;
        let facts = table.range(range);
        let slots = range * RANGE..table.slots().min((range + 1) * RANGE);
        let values = shards.range(range);
        let mut series = slots.clone().zip(&values);
        let is_hidden = |(slot, &value): (u32, &f64)| value == 0.0 && table.start(slot).is_some();
        if self.is_exact_in(&state, range) && !series.any(is_hidden) {
            return RangeMeasure {
                series: RangeSeries::All,
                protobuf_length: facts.protobuf_length,
            };
        }
        let mut bits = [0; RANGE as usize / 64];
        let mut protobuf_length = 0;
        for ((index, slot), &value) in slots.enumerate().zip(&values) {
            if table.start(slot).and_then(|start| view.value(start, value)).is_some() {
                bits[index / 64] |= 1 << (index % 64);
                protobuf_length += table.protobuf_length(slot);
            }
        }
        RangeMeasure { series: RangeSeries::Some(bits), protobuf_length }
    }

    /// Visits the series of the page from slot `from` on, until `visit` breaks, but no further than to
    /// the end of the range. `series` are the series that the page contains, if they have been decided.
    pub fn visit_range(
        &self,
        from: u32,
        series: Option<&RangeSeries>,
        visit: &mut impl FnMut(Series<'_>) -> ControlFlow<()>,
    ) -> RangeVisit {
        let state = self.counter().state();
        let State { series: table, shards, .. } = &*state;
        let range = from / RANGE;
        let end = (range + 1) * RANGE;
        let slots = from..table.slots().min(end);
        let values = shards.range(range);
        let view = self.record.view;
        let slots_of_walk = slots.clone();
        let last_reset = view.last_reset;
        let walk = Walk { table, slots: slots_of_walk, values: &values, last_reset };
        let is_exact = self.is_exact_in(&state, range);
        let next = match series {
            // In an exact range, the starts need not be read.
            None | Some(RangeSeries::All) if is_exact => {
                walk.run(|_, value| (value != 0.0).then_some(value), visit)
            }
            None => walk.run(
                |slot, value| table.start(slot).and_then(|start| view.value(start, value)),
                visit,
            ),
            Some(series) => walk.run(
                |slot, value| {
                    let start = table.start(slot).filter(|&start| start <= view.horizon)?;
                    let is_member = series.contains((slot % RANGE) as usize);
                    is_member.then(|| view.value(start, value).unwrap_or(0.0))
                },
                visit,
            ),
        };
        let visited = slots.start % RANGE..next.unwrap_or(slots.end) - range * RANGE;
        let mut version = shards.empty_version(range);
        version.add(&values[visited.start as usize..visited.end as usize]);
        let next = next.filter(|&next| next < slots.end).or((end < table.slots()).then_some(end));
        RangeVisit { next, version, is_exact }
    }
}

/// The result of [`PageReader::visit_range`].
#[derive(Clone, Copy, Debug)]
pub struct RangeVisit {
    /// The slot to continue from; `None` at the end.
    pub next: Option<u32>,
    /// The version of the slots that were visited.
    pub version: RangeVersion,
    /// `true` if all series of the range are shown with their values.
    pub is_exact: bool,
}
