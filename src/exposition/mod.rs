//! The text exposition format 0.0.4: pure functions and writers that stream.
//!
//! Source of the rules: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

mod families;
mod page;

pub use families::{dress, write_families};
pub use page::{Page, WrittenPage};

use crate::counter::Stamp;

/// The content type of every page this crate writes.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How much of a page is written in one go, in bytes: what a lock is held for, and what a scrape
/// needs in memory however many series there are.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// A page in the course of being written. The only thing the server knows of what it serves.
pub trait Render: Send {
    /// Appends the next part of the page to `out`, about [`CHUNK_BYTES`], and tells whether there
    /// is more. A page is over when this returns `false`; what was appended by that call counts.
    ///
    /// Runs on the server thread and must not block on JavaScript.
    fn render(&mut self, out: &mut Vec<u8>) -> bool;

    /// As [`Render::render`], for a reader that keeps what it makes of a page's stretches: parts of
    /// it that often read the same on the next page. `kept` gives the stamp of a stretch that the
    /// reader has, by its number. A page is read by one of the two, to its end.
    ///
    /// On all pages of one source, a number and a stamp name one text.
    fn render_stretch(
        &mut self,
        kept: &dyn Fn(u32) -> Option<Stamp>,
        out: &mut Vec<u8>,
    ) -> Stretch {
        let _ = kept;
        Stretch::Loose { more: self.render(out) }
    }
}

/// What [`Render::render_stretch`] has come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stretch {
    /// Text of no stretch. Every page ends with some.
    Loose {
        /// Whether the page goes on.
        more: bool,
    },
    /// Text of this stretch. The parts of a stretch follow one another.
    Written {
        /// Its number.
        number: u32,
        /// The stamp of all its parts, if this was the last one.
        end: Option<Stamp>,
    },
    /// This stretch reads as it did at the stamp that is kept; nothing was written.
    Stands(u32),
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
