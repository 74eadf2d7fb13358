//! The text exposition format 0.0.4: pure functions and writers that stream.
//!
//! Source of the rules: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

mod families;
mod page;

pub use families::{apply_options, write_families};
pub use page::{Page, RenderedPage};

use crate::counter::RangeVersion;

/// The content type of every page this crate writes.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The size of a chunk of a page, in bytes: it bounds both the time for which a lock is held and the
/// memory that a scrape needs, whatever the number of series.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// Returns the version of a range, by number, that the caller of [`Render::render`] has cached.
pub type CachedVersions<'a> = dyn Fn(u32) -> Option<RangeVersion> + 'a;

/// A page that is rendered step by step: all that the server knows of what it serves.
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
}

/// The result of one [`Render::render`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Text outside ranges was appended. Every page ends with this step.
    Text {
        /// More steps follow.
        more: bool,
    },
    /// Text of a range was appended. The steps of one range follow one another.
    Range {
        /// The range's number.
        number: u32,
        /// The version of the whole range, if this was its last step.
        version: Option<RangeVersion>,
    },
    /// The range has the version that `cached` returned, and nothing was appended.
    Cached(u32),
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

/// Appends a family's `# HELP` and `# TYPE` lines.
pub fn write_header(out: &mut Vec<u8>, name: &str, help: &str, kind: &str) {
    out.extend_from_slice(b"# HELP ");
    out.extend_from_slice(name.as_bytes());
    out.push(b' ');
    for byte in help.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            other => out.push(other),
        }
    }
    out.extend_from_slice(b"\n# TYPE ");
    out.extend_from_slice(name.as_bytes());
    out.push(b' ');
    out.extend_from_slice(kind.as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_help_text_escapes_backslash_and_line_feed_only() {
        let mut out = Vec::new();
        write_header(&mut out, "a_total", "a \\ \"b\"\nc", "counter");
        let text = "# HELP a_total a \\\\ \"b\"\\nc\n# TYPE a_total counter\n";
        assert_eq!(String::from_utf8_lossy(&out), text);
    }
}
