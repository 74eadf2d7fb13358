//! The page: the counter first, chunk by chunk, then the small families.

use std::{mem, ops::ControlFlow, sync::Arc};

use super::{CHUNK_BYTES, Render, Stretch, write_header};
use crate::counter::{RANGE, Reading, Series, Stamp, TraceCounter};

/// A page in the course of being written: the counter's header, its series in the order of their
/// coming, and a tail that is ready.
///
/// The counter is read as the page is taken, so a page needs the memory of one chunk. Series that
/// come while it is written stand at its end; none is written twice.
pub struct Page {
    reading: Reading,
    at: At,
    /// Of the stretch that is being written.
    stamp: Option<Stamp>,
    tail: Vec<u8>,
}

enum At {
    Header,
    Series(u32),
    Tail,
}

impl Page {
    /// A page of this counter, closed by `tail`: whole families in the text format.
    #[must_use]
    pub fn new(counter: Arc<TraceCounter>, tail: Vec<u8>) -> Self {
        Self { reading: Reading::new(counter), at: At::Header, stamp: None, tail }
    }

    fn write_header(&mut self, out: &mut Vec<u8>) {
        let counter = self.reading.counter();
        write_header(out, counter.name(), counter.help(), "counter");
        self.at = At::Series(0);
    }

    /// Writes what is left of the page.
    #[must_use]
    pub fn into_bytes(mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while self.render(&mut out) {}
        out
    }
}

impl Render for Page {
    fn render(&mut self, out: &mut Vec<u8>) -> bool {
        let full = out.len() + CHUNK_BYTES;
        if let At::Header = self.at {
            self.write_header(out);
        }
        if let At::Series(from) = self.at {
            let name = self.reading.counter().name().as_bytes();
            let next = self.reading.visit(from, |series| {
                write_series(out, name, &series);
                if out.len() < full { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            self.at = next.map_or(At::Tail, At::Series);
            if next.is_some() {
                return true;
            }
        }
        out.append(&mut mem::take(&mut self.tail));
        false
    }

    /// A stretch is a range of the counter's slots; header and tail are none.
    fn render_stretch(
        &mut self,
        kept: &dyn Fn(u32) -> Option<Stamp>,
        out: &mut Vec<u8>,
    ) -> Stretch {
        let from = match self.at {
            At::Header => {
                self.write_header(out);
                return Stretch::Loose { more: true };
            }
            At::Series(from) => from,
            At::Tail => {
                out.append(&mut mem::take(&mut self.tail));
                return Stretch::Loose { more: false };
            }
        };
        let number = from / RANGE;
        let begins = self.stamp.is_none();
        if begins && kept(number).is_some_and(|stamp| self.reading.pass(number, stamp)) {
            let next = number + 1;
            let is_last = next >= self.reading.ranges();
            self.at = if is_last { At::Tail } else { At::Series(next * RANGE) };
            return Stretch::Stands(number);
        }
        let full = out.len() + CHUNK_BYTES;
        let name = self.reading.counter().name().as_bytes();
        let next = self.reading.visit_range(from, &mut self.stamp, |series| {
            write_series(out, name, &series);
            if out.len() < full { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        self.at = next.map_or(At::Tail, At::Series);
        let ended = next.is_none_or(|next| next % RANGE == 0);
        Stretch::Written { number, end: if ended { self.stamp.take() } else { None } }
    }
}

/// A page that somebody else has written, handed on chunk by chunk.
pub struct WrittenPage {
    page: Vec<u8>,
    sent: usize,
}

impl WrittenPage {
    /// A page of this text.
    #[must_use]
    pub fn new(page: Vec<u8>) -> Self {
        Self { page, sent: 0 }
    }
}

impl Render for WrittenPage {
    fn render(&mut self, out: &mut Vec<u8>) -> bool {
        let end = self.page.len().min(self.sent + CHUNK_BYTES);
        out.extend_from_slice(&self.page[self.sent..end]);
        self.sent = end;
        end < self.page.len()
    }
}

/// Appends a series' line. Its labels come each led by a comma: the first comma makes room for the
/// brace.
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

/// Appends a count, which is whole, as JavaScript prints it.
fn write_count(out: &mut Vec<u8>, count: f64) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a sum of increments by one: whole, and exact below 2^53"
    )]
    let whole = count as u64;
    out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
}
