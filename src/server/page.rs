//! A page in the course of being written, compressed if the scraper takes that.
//!
//! Panics of the page's owner end here. Server thread only.

use std::rc::Rc;

use bytes::Bytes;

use super::{
    gzip::{Kept, Member},
    negotiate::Coding,
    panics::{Panicked, caught},
};
use crate::exposition::{CHUNK_BYTES, Render, Stretch};

/// Room for the last line that a part is allowed to end with.
const SLACK: usize = 4 * 1024;

/// The next part of a page.
pub(crate) struct Part {
    /// May be empty although there is more.
    pub(crate) bytes: Bytes,
    /// Whether another part follows.
    pub(crate) more: bool,
}

/// A page that is being written, part by part.
pub(crate) struct Page {
    render: Box<dyn Render>,
    gzip: Option<Gzip>,
    /// What the last part was written to before it was compressed.
    plain: Vec<u8>,
    /// Nothing has been written yet.
    empty: bool,
}

struct Gzip {
    member: Member,
    kept: Rc<Kept>,
}

impl Page {
    /// A page in this coding; `kept` is what is known of the same source's pages in gzip.
    pub(crate) fn new(render: Box<dyn Render>, coding: Coding, kept: &Rc<Kept>) -> Self {
        let gzip = (coding == Coding::Gzip)
            .then(|| Gzip { member: Member::new(kept), kept: Rc::clone(kept) });
        Self { render, gzip, plain: Vec::new(), empty: true }
    }

    /// Whether nothing has been written so far; a compressed nothing has a length.
    pub(crate) fn is_empty(&self) -> bool {
        self.empty
    }

    /// Writes the next part. Not to be called again after a failure or the last part.
    pub(crate) fn part(&mut self) -> Result<Part, Panicked> {
        self.plain.clear();
        self.plain.reserve(CHUNK_BYTES + SLACK);
        if self.gzip.is_some() {
            return self.packed_part();
        }
        let more = caught(|| self.render.render(&mut self.plain))?;
        self.empty &= self.plain.is_empty();
        Ok(Part { bytes: std::mem::take(&mut self.plain).into(), more })
    }

    /// Goes on until about a chunk of text is compressed, or about a chunk is there to send.
    fn packed_part(&mut self) -> Result<Part, Panicked> {
        let Some(Gzip { member, kept }) = &mut self.gzip else { return Err(Panicked) };
        let mut packed = Vec::with_capacity(CHUNK_BYTES / 4);
        let mut compressed = 0;
        while compressed < CHUNK_BYTES && packed.len() < CHUNK_BYTES {
            self.plain.clear();
            let known = |number| kept.stamp(number);
            let stretch = caught(|| self.render.render_stretch(&known, &mut self.plain))?;
            self.empty &= self.plain.is_empty() && !matches!(stretch, Stretch::Stands(_));
            compressed += self.plain.len();
            match stretch {
                Stretch::Loose { more: true } => member.loose(&self.plain, &mut packed)?,
                Stretch::Loose { more: false } => {
                    let Some(Gzip { member, kept }) = self.gzip.take() else {
                        return Err(Panicked);
                    };
                    member.finish(&self.plain, &kept, &mut packed)?;
                    return Ok(Part { bytes: packed.into(), more: false });
                }
                Stretch::Written { number, end } => {
                    let done = member.stretch(&self.plain, end.is_some(), &mut packed)?;
                    if let (Some(stretch), Some(stamp)) = (done, end) {
                        kept.keep(number, stamp, stretch);
                    }
                }
                Stretch::Stands(number) => member.repeat(number, kept, &mut packed)?,
            }
            // A page that has nothing for now lets the others have their turn.
            if self.plain.is_empty() && matches!(stretch, Stretch::Loose { .. }) {
                break;
            }
        }
        Ok(Part { bytes: packed.into(), more: true })
    }
}
