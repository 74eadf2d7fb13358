//! A page that is rendered while it is sent: the counter first, range by range, then the small
//! families.

use std::{collections::HashMap, mem, ops::ControlFlow, sync::Arc, time::Instant};

use super::{
    CHUNK_BYTES, CachedVersions, Format, Render, Step,
    protobuf::{self, SeriesWriter},
    render_all, text,
};
use crate::counter::{
    PageReader, PageRecord, RANGE, RangeSeries, RangeVersion, ScraperId, Series, TraceCounter,
};

/// The number of ranges that are measured in one step.
const MEASURED_RANGES: u32 = 64;

/// A page with the series of the counter, in the order of their slots, and with small families, which are
/// encoded beforehand.
///
/// The counter is read while the page is sent, so a page needs the memory of one chunk. In the text
/// format, and for a client that does not announce itself as a scraper, series that start meanwhile
/// are at its end. No series is on it twice.
pub struct Page {
    reader: PageReader,
    writer: Writer,
    position: Position,
    range: Option<OpenRange>,
    families: Vec<u8>,
}

enum Position {
    /// The protobuf format needs the length of the counter's family first.
    Measure(u32),
    Header,
    Series(u32),
    Families,
}

/// The range that is being rendered.
struct OpenRange {
    /// Its text is the same on every page with its version.
    is_exact: bool,
    version: Option<RangeVersion>,
}

enum Writer {
    Text,
    Protobuf {
        /// The length of all series.
        length: u64,
        /// The series of each range of which not all are on the page.
        partial: HashMap<u32, RangeSeries>,
        series: SeriesWriter,
    },
}

impl Page {
    /// Starts a page of this counter. `families` are the small families, encoded in the same format.
    /// `scraper` is the scraper that the page is for, if that announces itself.
    #[must_use]
    pub fn new(
        counter: Arc<TraceCounter>,
        format: Format,
        scraper: Option<ScraperId>,
        families: Vec<u8>,
    ) -> Self {
        let reader = PageReader::new(counter, scraper);
        let (reader, writer, position) = match format {
            Format::Text => (reader, Writer::Text, Position::Header),
            Format::Protobuf => {
                let partial = HashMap::new();
                let writer = Writer::Protobuf { length: 0, partial, series: SeriesWriter::new() };
                (reader.with_horizon(), writer, Position::Measure(0))
            }
        };
        Self { reader, writer, position, range: None, families }
    }

    /// Starts a page in the text format that shows each series at its value.
    #[must_use]
    pub fn text(counter: Arc<TraceCounter>, families: Vec<u8>) -> Self {
        Self::new(counter, Format::Text, None, families)
    }

    /// Returns what [`TraceCounter::complete`] records when the page has been sent.
    #[must_use]
    pub fn record(&self) -> PageRecord {
        self.reader.record()
    }

    /// Renders the whole page for the application, to which it counts as complete.
    #[must_use]
    pub fn into_bytes(mut self) -> Vec<u8> {
        let page = render_all(&mut self);
        self.reader.counter().complete(&self.record(), Instant::now());
        page
    }

    fn measure(&mut self, from: u32) -> Position {
        let Writer::Protobuf { length, partial, .. } = &mut self.writer else {
            return Position::Header;
        };
        let ranges = self.reader.ranges();
        let end = ranges.min(from + MEASURED_RANGES);
        for range in from..end {
            let measure = self.reader.measure(range);
            *length += measure.protobuf_length;
            if measure.series != RangeSeries::All {
                partial.insert(range, measure.series);
            }
        }
        if end < ranges { Position::Measure(end) } else { Position::Header }
    }

    fn write_header(&self, out: &mut Vec<u8>) {
        let counter = self.reader.counter();
        match &self.writer {
            Writer::Text => text::write_header(out, counter.name(), counter.help(), "counter"),
            Writer::Protobuf { length, .. } => {
                protobuf::write_counter_header(out, counter.name(), counter.help(), *length);
            }
        }
    }

    fn render_range(&mut self, from: u32, cached: &CachedVersions<'_>, out: &mut Vec<u8>) -> Step {
        let number = from / RANGE;
        let partial = match &self.writer {
            Writer::Text => None,
            Writer::Protobuf { partial, .. } => partial.get(&number),
        };
        let mut range = self.range.take().unwrap_or_else(|| OpenRange {
            is_exact: partial.is_none() && self.reader.is_exact(number),
            version: None,
        });
        if range.is_exact
            && range.version.is_none()
            && cached(number).is_some_and(|version| self.reader.is_unchanged(number, version))
        {
            let next = number + 1;
            let is_last = next >= self.reader.ranges();
            self.position =
                if is_last { Position::Families } else { Position::Series(next * RANGE) };
            return Step::Cached(number);
        }
        let name = self.reader.counter().name().as_bytes();
        let has_room = |out: &Vec<u8>| {
            if out.len() < CHUNK_BYTES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let visit = match &mut self.writer {
            Writer::Text => self.reader.visit_range(from, None, &mut |series: Series<'_>| {
                text::write_series(out, name, &series);
                has_room(out)
            }),
            Writer::Protobuf { partial, series: writer, .. } => {
                let series = partial.get(&number).unwrap_or(&RangeSeries::All);
                self.reader.visit_range(from, Some(series), &mut |series: Series<'_>| {
                    writer.write(out, &series);
                    has_room(out)
                })
            }
        };
        self.position = visit.next.map_or(Position::Families, Position::Series);
        let is_end = visit.next.is_none_or(|next| next % RANGE == 0);
        // If a series started while the range was rendered, the text is that of no version.
        let version = if visit.is_exact { visit.version } else { RangeVersion::NONE };
        let version = range.version.map_or(version, |before| before.followed_by(version));
        let is_exact = range.is_exact;
        if !is_end {
            range.version = Some(version);
            self.range = Some(range);
        }
        if is_exact {
            let is_cacheable = is_end && version != RangeVersion::NONE;
            Step::Range { number, is_end, version: is_cacheable.then_some(version) }
        } else {
            Step::Text { more: true }
        }
    }
}

impl Render for Page {
    fn render(&mut self, cached: &CachedVersions<'_>, out: &mut Vec<u8>) -> Step {
        match self.position {
            Position::Measure(from) => {
                self.position = self.measure(from);
                Step::Text { more: true }
            }
            Position::Header => {
                self.write_header(out);
                self.position = Position::Series(0);
                Step::Text { more: true }
            }
            Position::Series(from) => self.render_range(from, cached, out),
            Position::Families => {
                out.append(&mut mem::take(&mut self.families));
                Step::Text { more: false }
            }
        }
    }
}

/// A page that was rendered elsewhere, passed on chunk by chunk.
pub struct RenderedPage {
    page: Arc<Vec<u8>>,
    sent: usize,
}

impl RenderedPage {
    /// Passes on this page, which several responses may share.
    #[must_use]
    pub fn new(page: impl Into<Arc<Vec<u8>>>) -> Self {
        Self { page: page.into(), sent: 0 }
    }
}

impl Render for RenderedPage {
    fn render(&mut self, _: &CachedVersions<'_>, out: &mut Vec<u8>) -> Step {
        let length = CHUNK_BYTES.saturating_sub(out.len()).max(1);
        let end = self.page.len().min(self.sent + length);
        out.extend_from_slice(&self.page[self.sent..end]);
        self.sent = end;
        Step::Text { more: end < self.page.len() }
    }
}
