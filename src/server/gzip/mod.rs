//! One gzip member, put together from stretches of text that are compressed each for itself.
//!
//! A stretch begins and ends at a full flush: it refers to nothing before it and closes its last
//! block at a whole byte, so that its deflated bytes may stand in any member, at any place. What was
//! made of it for one scrape serves the next ([`DeflateCache`]) as long as its text is the same. The members'
//! CRC-32 is combined from those of the stretches.
//!
//! Formats: RFC 1951 (blocks), RFC 1952 (member). Server thread only.

mod cache;
#[cfg(test)]
mod tests;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

pub(crate) use self::cache::{DeflateCache, DeflatedRange};
use super::panics::Panicked;

/// On hypercore's series in stretches of 256, level 1 leaves 6.3 %, level 2 takes 1.3 times its
/// instructions and leaves 3.7 %, level 3 1.8 times and 3.3 %. What is left is kept and sent at each
/// scrape, while only what changed is compressed.
const LEVEL: u32 = 2;

/// A stretch is kept up to this many bytes, 30 times what one of hypercore's series takes: memory that
/// each scrape under way may need besides.
const LONGEST: usize = 128 * 1024;

/// Deflate, no flags, no time, compressed for speed, by no known system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

/// A member in the course of being written.
pub(crate) struct Member {
    /// Raw deflate.
    state: Compress,
    /// Of all text so far.
    crc: Crc,
    /// The header is written.
    begun: bool,
    /// There may be text in the compressor, or a block that is not closed.
    open: bool,
    /// A stretch whose end is still to come: what is there of it.
    stretch: Option<DeflatedRange>,
}

impl Member {
    /// A member of no text yet, with a compressor that is kept if there is one.
    pub(crate) fn new(kept: &DeflateCache) -> Self {
        let new = || Compress::new(Compression::new(LEVEL), false);
        let state = kept.compressor().unwrap_or_else(new);
        Self { state, crc: Crc::new(), begun: false, open: false, stretch: None }
    }

    /// Takes in text that is not kept; some of it may stay in the compressor.
    pub(crate) fn text(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Panicked> {
        self.begin(out);
        self.crc.update(text);
        self.deflate(text, FlushCompress::None, out)
    }

    /// Takes in the next part of a stretch, and gives all of the stretch after its last part, unless
    /// it is too long to be kept.
    pub(crate) fn range(
        &mut self,
        text: &[u8],
        ends: bool,
        out: &mut Vec<u8>,
    ) -> Result<Option<DeflatedRange>, Panicked> {
        if self.stretch.is_none() {
            self.flush(out)?;
        }
        let mut stretch = self.stretch.take().unwrap_or_else(DeflatedRange::new);
        let start = out.len();
        stretch.crc.update(text);
        self.deflate(text, FlushCompress::None, out)?;
        if ends {
            self.flush(out)?;
        }
        let written = out.get(start..).unwrap_or_default();
        stretch.is_whole &= stretch.bytes.len() + written.len() <= LONGEST;
        if stretch.is_whole {
            stretch.bytes.extend_from_slice(written);
        }
        if ends {
            self.crc.combine(&stretch.crc);
            return Ok(Some(stretch).filter(|stretch| stretch.is_whole));
        }
        self.stretch = Some(stretch);
        Ok(None)
    }

    /// Puts in a stretch that is kept.
    pub(crate) fn cached(
        &mut self,
        number: u32,
        kept: &DeflateCache,
        out: &mut Vec<u8>,
    ) -> Result<(), Panicked> {
        self.flush(out)?;
        let copied = kept.with(number, |stretch| {
            out.extend_from_slice(&stretch.bytes);
            self.crc.combine(&stretch.crc);
        });
        // It was there a moment ago; a page without it would be wrong.
        copied.ok_or(Panicked)
    }

    /// Takes in the last text and closes the member.
    pub(crate) fn finish(
        mut self,
        text: &[u8],
        kept: &DeflateCache,
        out: &mut Vec<u8>,
    ) -> Result<(), Panicked> {
        self.text(text, out)?;
        self.deflate(&[], FlushCompress::Finish, out)?;
        out.extend_from_slice(&self.crc.sum().to_le_bytes());
        out.extend_from_slice(&self.crc.amount().to_le_bytes());
        kept.keep_compressor(self.state);
        Ok(())
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !self.begun {
            self.begun = true;
            out.extend_from_slice(&HEADER);
        }
    }

    /// Closes the last block at a whole byte, and has the compressor forget the text before it.
    fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), Panicked> {
        self.begin(out);
        if self.open {
            self.deflate(&[], FlushCompress::Full, out)?;
            self.open = false;
        }
        Ok(())
    }

    fn deflate(
        &mut self,
        text: &[u8],
        flush: FlushCompress,
        out: &mut Vec<u8>,
    ) -> Result<(), Panicked> {
        if text.is_empty() && flush == FlushCompress::None {
            return Ok(());
        }
        self.open = true;
        let start = self.state.total_in();
        loop {
            out.reserve(text.len() / 8 + 64);
            let taken = usize::try_from(self.state.total_in() - start).unwrap_or(text.len());
            let rest = text.get(taken..).unwrap_or_default();
            match self.state.compress_vec(rest, out, flush) {
                Ok(Status::Ok | Status::BufError) if out.len() == out.capacity() => {}
                // It has taken all and given all that it wants to give.
                Ok(_) => return Ok(()),
                Err(_) => return Err(Panicked),
            }
        }
    }
}
