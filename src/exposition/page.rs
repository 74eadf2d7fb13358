//! The text page: the counter first, range by range, then the small families.

use std::{mem, ops::ControlFlow, sync::Arc};

use super::{CHUNK_BYTES, CachedVersions, Render, Step, render_all, write_header};
use crate::counter::{PageReader, RANGE, RangeVersion, Series, TraceCounter};

/// A page in the text format: the counter's header, its series in the order of their slots, and the
/// small families, which are rendered beforehand.
///
/// The counter is read while the page is sent, so a page takes the memory of one chunk. Series that
/// start meanwhile are at its end; no series is on it twice.
pub struct Page {
    reader: PageReader,
    position: Position,
    /// The version of the range that is being rendered.
    version: Option<RangeVersion>,
    families: Vec<u8>,
}

enum Position {
    Header,
    Series(u32),
    Families,
}

impl Page {
    /// Starts a page of this counter, followed by `families`: whole families in the text format.
    #[must_use]
    pub fn new(counter: Arc<TraceCounter>, families: Vec<u8>) -> Self {
        let reader = PageReader::new(counter);
        Self { reader, position: Position::Header, version: None, families }
    }

    /// Renders the rest of the page.
    #[must_use]
    pub fn into_bytes(mut self) -> Vec<u8> {
        render_all(&mut self)
    }

    fn render_range(&mut self, from: u32, cached: &CachedVersions<'_>, out: &mut Vec<u8>) -> Step {
        let number = from / RANGE;
        if self.version.is_none()
            && cached(number).is_some_and(|version| self.reader.is_unchanged(number, version))
        {
            let next = number + 1;
            let is_last = next >= self.reader.ranges();
            self.position =
                if is_last { Position::Families } else { Position::Series(next * RANGE) };
            return Step::Cached(number);
        }
        let name = self.reader.counter().name().as_bytes();
        let next = self.reader.visit_range(from, &mut self.version, |series| {
            write_series(out, name, &series);
            if out.len() < CHUNK_BYTES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        self.position = next.map_or(Position::Families, Position::Series);
        let is_end = next.is_none_or(|next| next % RANGE == 0);
        Step::Range { number, version: if is_end { self.version.take() } else { None } }
    }
}

impl Render for Page {
    fn render(&mut self, cached: &CachedVersions<'_>, out: &mut Vec<u8>) -> Step {
        match self.position {
            Position::Header => {
                let counter = self.reader.counter();
                write_header(out, counter.name(), counter.help(), "counter");
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
    page: Vec<u8>,
    sent: usize,
}

impl RenderedPage {
    /// Passes on this page.
    #[must_use]
    pub fn new(page: Vec<u8>) -> Self {
        Self { page, sent: 0 }
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

/// Appends the line of a series. Each label starts with a comma; the brace replaces the first one.
fn write_series(out: &mut Vec<u8>, name: &[u8], series: &Series<'_>) {
    out.extend_from_slice(name);
    let open = out.len();
    series.write_labels(out);
    if let Some(brace) = out.get_mut(open) {
        *brace = b'{';
        out.push(b'}');
    }
    out.push(b' ');
    write_count(out, series.value);
    out.push(b'\n');
}

/// Appends a count as JavaScript prints it: a whole number.
fn write_count(out: &mut Vec<u8>, count: f64) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a sum of increments by one: whole, and exact below 2^53"
    )]
    let whole = count as u64;
    out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
}
