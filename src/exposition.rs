//! The text exposition format 0.0.4: pure functions and writers that stream.
//!
//! Source of the rules: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

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
}
