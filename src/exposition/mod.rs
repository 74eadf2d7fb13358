//! The exposition formats: pure functions, and pages that are rendered step by step.

use std::task::{Context, Poll};

use flate2::Crc;

mod counter_series;
mod families;
mod page;
mod protobuf;
#[cfg(test)]
mod tests;
mod text;

pub use self::{
    counter_series::CounterSeries,
    families::{apply_options, label, merge_families, write_families},
    page::{Page, RenderedPage},
    protobuf::read_families,
};

pub use crate::counter::{RangeVersion, ScraperId};

/// A format of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The text format 0.0.4, which every scraper reads.
    #[default]
    Text,
    /// The protobuf format, which has the start timestamp of each series.
    Protobuf,
}

impl Format {
    /// Returns the content type of a page.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::Protobuf => concat!(
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; ",
                "encoding=delimited"
            ),
        }
    }
}

/// The size of a chunk of a page, in bytes: it bounds both the time for which a lock is held and the
/// memory that a scrape needs, whatever the number of series.
///
/// It is less than 64 KiB, because the server's compressor is slow with longer chunks.
pub const CHUNK_BYTES: usize = 63 * 1024;

/// Returns the version of a range, by number, that the caller of [`Render::render`] has cached.
pub type CachedVersions<'a> = dyn Fn(u32) -> Option<RangeVersion> + 'a;

/// A page that is rendered step by step. The server uses no other property of a page.
///
/// A page consists of *ranges*, whose text is often the same on the next page, and of text outside
/// ranges. On all pages of one source, a range's number and version identify one text.
pub trait Render: Send {
    /// Appends the next text of the page to `out`, until `out` holds about [`CHUNK_BYTES`].
    ///
    /// `cached` returns the version of a range, by number, that the caller can supply by itself: a
    /// range that still has this version is not rendered. Must not be called after
    /// [`Step::Text`] with `more: false`.
    ///
    /// Runs on the server thread and must not block on JavaScript.
    fn render(&mut self, cached: &CachedVersions<'_>, out: &mut Vec<u8>) -> Step;

    /// Waits until the next [`Render::render`] has something to append. A page with series of another
    /// process may have to wait for that process.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// Returns the checksum of the text that the last step appended in deflated form.
    fn checksum(&self) -> Option<&Crc> {
        None
    }
}

/// The result of one [`Render::render`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Text outside ranges was appended. Every page ends with this step.
    Text {
        /// `true` if more steps follow.
        more: bool,
    },
    /// Text of a range was appended. The steps of one range are consecutive.
    Range {
        /// The range's number.
        number: u32,
        /// `true` in the last step of the range.
        is_end: bool,
        /// In the last step of the range: its version, if its text can be cached. `None` in the other steps.
        version: Option<RangeVersion>,
    },
    /// The range has the version that `cached` returned, and nothing was appended.
    Cached(u32),
    /// Text was appended in deflated form: blocks that refer to no text before them and end at a whole
    /// byte. Only a page that was requested in gzip has such steps.
    Deflated,
}

/// Renders a page to its end.
#[must_use]
pub fn render_all(page: &mut dyn Render) -> Vec<u8> {
    let mut out = Vec::new();
    let mut chunk = Vec::new();
    loop {
        let step = page.render(&|_| None, &mut chunk);
        out.append(&mut chunk);
        if step == (Step::Text { more: false }) {
            return out;
        }
    }
}
