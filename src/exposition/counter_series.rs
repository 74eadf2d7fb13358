//! The series of the counter on one page, without the family's header, range by range.

use std::{collections::HashMap, ops::ControlFlow, sync::Arc};

use super::{
    CHUNK_BYTES, CachedVersions, Format, Step,
    protobuf::{self, SeriesWriter},
    text,
};
use crate::counter::{
    PageReader, PageRecord, RANGE, RangeSeries, RangeVersion, ScraperId, Series, TraceCounter,
};

/// The number of ranges that are measured in one step.
const MEASURED_RANGES: u32 = 64;

/// The series of a counter on one page. In the protobuf format they are measured before they are
/// rendered.
pub struct CounterSeries {
    reader: PageReader,
    writer: Writer,
    position: Position,
    range: Option<OpenRange>,
}

enum Position {
    Measure(u32),
    Series(u32),
    End,
}

/// The range that is being rendered.
struct OpenRange {
    /// `true` if the text of the range is the same on every page on which the range has the same version.
    is_exact: bool,
    version: Option<RangeVersion>,
}

enum Writer {
    Text,
    Protobuf {
        /// The length of all series.
        length: u64,
        /// The series on the page, for each range of which the page does not contain all series.
        partial: HashMap<u32, RangeSeries>,
        series: SeriesWriter,
    },
}

impl CounterSeries {
    /// Starts a page of this counter. `scraper` is the scraper that the page is for, if the client announces
    /// itself.
    #[must_use]
    pub fn new(counter: Arc<TraceCounter>, format: Format, scraper: Option<ScraperId>) -> Self {
        let reader = PageReader::new(counter, scraper);
        let (reader, writer, position) = match format {
            Format::Text => (reader, Writer::Text, Position::Series(0)),
            Format::Protobuf => {
                let partial = HashMap::new();
                let writer = Writer::Protobuf { length: 0, partial, series: SeriesWriter::new() };
                (reader.with_horizon(), writer, Position::Measure(0))
            }
        };
        Self { reader, writer, position, range: None }
    }

    /// Returns the counter.
    #[must_use]
    pub fn counter(&self) -> &Arc<TraceCounter> {
        self.reader.counter()
    }

    /// Returns the properties that [`TraceCounter::complete`] records when the page has been sent.
    #[must_use]
    pub fn record(&self) -> PageRecord {
        self.reader.record()
    }

    /// Measures the next ranges. Returns whether more are left.
    pub fn measure(&mut self) -> bool {
        let (Position::Measure(from), Writer::Protobuf { length, partial, .. }) =
            (&self.position, &mut self.writer)
        else {
            return false;
        };
        let ranges = self.reader.ranges();
        let end = ranges.min(from + MEASURED_RANGES);
        for range in *from..end {
            let measure = self.reader.measure(range);
            *length += measure.protobuf_length;
            if measure.series != RangeSeries::All {
                partial.insert(range, measure.series);
            }
        }
        let more = end < ranges;
        self.position = if more { Position::Measure(end) } else { Position::Series(0) };
        more
    }

    /// Returns the length in the protobuf format of all series that have been measured.
    #[must_use]
    pub fn protobuf_length(&self) -> u64 {
        match self.writer {
            Writer::Text => 0,
            Writer::Protobuf { length, .. } => length,
        }
    }

    /// Appends the start of the counter's family. In the protobuf format, this start contains the length of the
    /// family, which includes all series and `more` bytes of other series that the caller adds.
    pub fn write_header(&self, out: &mut Vec<u8>, more: u64) {
        let counter = self.reader.counter();
        match &self.writer {
            Writer::Text => text::write_header(out, counter.name(), counter.help(), "counter"),
            Writer::Protobuf { length, .. } => {
                let length = length + more;
                protobuf::write_counter_header(out, counter.name(), counter.help(), length);
            }
        }
    }

    /// Returns whether all series are rendered.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.position, Position::End)
    }

    /// Renders the next series, as [`Render::render`](super::Render::render) does.
    pub fn render(&mut self, cached: &CachedVersions<'_>, out: &mut Vec<u8>) -> Step {
        match self.position {
            Position::Measure(_) => {
                self.measure();
                Step::Text { more: true }
            }
            Position::Series(from) => self.render_range(from, cached, out),
            Position::End => Step::Text { more: false },
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
            self.position = if is_last { Position::End } else { Position::Series(next * RANGE) };
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
        self.position = visit.next.map_or(Position::End, Position::Series);
        let is_end = visit.next.is_none_or(|next| next % RANGE == 0);
        // If a series started while the range was rendered, the text has no version.
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
