//! A page that is rendered while it is sent: the counter first, range by range, then the small
//! families.

use std::{mem, sync::Arc, time::Instant};

use super::{CHUNK_BYTES, CachedVersions, CounterSeries, Format, Render, Step, render_all};
use crate::counter::{PageRecord, ScraperId, TraceCounter};

/// A page with the series of the counter, in the order of their slots, and with small families, which are
/// encoded beforehand.
///
/// The counter is read while the page is sent, so a page needs the memory of one chunk. A page in the text
/// format for a client that does not announce itself as a scraper may contain series that start meanwhile.
/// No series is on a page twice.
pub struct Page {
    series: CounterSeries,
    position: Position,
    families: Vec<u8>,
}

enum Position {
    /// The protobuf format needs the length of the counter's family first.
    Measure,
    Header,
    Series,
    Families,
}

impl Page {
    /// Starts a page of this counter. `families` are the small families, encoded in the same format.
    /// `scraper` is the scraper that the page is for, if the client announces itself.
    #[must_use]
    pub fn new(
        counter: Arc<TraceCounter>,
        format: Format,
        scraper: Option<ScraperId>,
        families: Vec<u8>,
    ) -> Self {
        let series = CounterSeries::new(counter, format, scraper);
        let position = match format {
            Format::Text => Position::Header,
            Format::Protobuf => Position::Measure,
        };
        Self { series, position, families }
    }

    /// Starts a page in the text format that shows each series at its value.
    #[must_use]
    pub fn text(counter: Arc<TraceCounter>, families: Vec<u8>) -> Self {
        Self::new(counter, Format::Text, None, families)
    }

    /// Returns the properties that [`TraceCounter::complete`] records when the page has been sent.
    #[must_use]
    pub fn record(&self) -> PageRecord {
        self.series.record()
    }

    /// Renders the whole page for the application, and records it as complete.
    #[must_use]
    pub fn into_bytes(mut self) -> Vec<u8> {
        let page = render_all(&mut self);
        self.series.counter().complete(&self.record(), Instant::now());
        page
    }
}

impl Render for Page {
    fn render(&mut self, cached: &CachedVersions<'_>, out: &mut Vec<u8>) -> Step {
        match self.position {
            Position::Measure => {
                if !self.series.measure() {
                    self.position = Position::Header;
                }
                Step::Text { more: true }
            }
            Position::Header => {
                self.series.write_header(out, 0);
                self.position = Position::Series;
                Step::Text { more: true }
            }
            Position::Series => {
                let step = self.series.render(cached, out);
                if self.series.is_finished() {
                    self.position = Position::Families;
                }
                step
            }
            Position::Families => {
                out.append(&mut mem::take(&mut self.families));
                Step::Text { more: false }
            }
        }
    }
}

/// A page that is already rendered. It is passed on chunk by chunk.
pub struct RenderedPage {
    page: Arc<Vec<u8>>,
    sent: usize,
}

impl RenderedPage {
    /// Creates a page of these bytes, which several responses may share.
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
