//! One gzip member, assembled from ranges of text that are compressed independently.
//!
//! A compressed range begins and ends at a full flush: it refers to no text before it and closes its
//! last block at a whole byte, so that its bytes are valid in any member and at any position. The bytes are
//! used again ([`DeflateCache`]) as long as the range has the same version. The CRC-32 of the member
//! is combined from those of the ranges.
//!
//! Formats: RFC 1951 (blocks), RFC 1952 (member). Server thread only.

mod cache;
#[cfg(test)]
mod tests;

use flate2::{Compress, Crc, FlushCompress, Status};

pub(crate) use self::cache::{DeflateCache, DeflatedRange, PageCaches};
use super::panics::Panicked;

/// The maximum length of the text between two full flushes: the window of 64 KiB minus the look-ahead of the
/// compressor. With more text, the compressor moves its hash tables, which takes as long as the compression of
/// 40 KiB.
const WINDOW: usize = 65_000;

/// The header of a member: deflate, no flags, no time, fast compression, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

/// A member that is being written.
pub(crate) struct Member {
    /// Raw deflate; absent between two chunks.
    compressor: Option<Compress>,
    /// The CRC-32 of all text so far.
    crc: Crc,
    has_header: bool,
    /// `true` if the compressor may hold text or a block that is not closed.
    needs_flush: bool,
    /// The length of the text since the last full flush.
    unflushed: usize,
    /// The compressed start of a range whose end has not been rendered yet.
    range: Option<DeflatedRange>,
}

impl Member {
    /// Creates an empty member.
    pub(crate) fn new() -> Self {
        Self {
            compressor: None,
            crc: Crc::new(),
            has_header: false,
            needs_flush: false,
            unflushed: 0,
            range: None,
        }
    }

    /// Creates a member without header and end, whose bytes will be inside another member.
    pub(crate) fn blocks() -> Self {
        Self { has_header: true, ..Self::new() }
    }

    /// Moves the cache's compressor into this member, or creates one, for the next chunk.
    pub(crate) fn begin_chunk(&mut self, cache: &DeflateCache) {
        self.compressor = cache.take_compressor().or_else(|| Some(cache.new_compressor()));
    }

    /// Writes all text that the compressor holds, and returns the compressor to the cache. So all members that
    /// are being written share one compressor, however slowly their clients read.
    pub(crate) fn end_chunk(
        &mut self,
        cache: &DeflateCache,
        out: &mut Vec<u8>,
    ) -> Result<(), Panicked> {
        let start = out.len();
        self.flush(out)?;
        if let Some(range) = &mut self.range {
            range.append(out.get(start..).unwrap_or_default());
        }
        if let Some(compressor) = self.compressor.take() {
            cache.store_compressor(compressor);
        }
        Ok(())
    }

    /// Adds text outside ranges. The compressor may hold some of it until the next flush.
    pub(crate) fn text(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Panicked> {
        self.write_header(out);
        if self.unflushed + text.len() > WINDOW {
            self.flush(out)?;
        }
        self.crc.update(text);
        self.deflate(text, FlushCompress::None, out)
    }

    /// Adds the next text of a range. Returns the whole compressed range after its last text, unless
    /// it is too long for the cache.
    pub(crate) fn range(
        &mut self,
        text: &[u8],
        is_last: bool,
        out: &mut Vec<u8>,
    ) -> Result<Option<DeflatedRange>, Panicked> {
        if self.range.is_none() {
            self.flush(out)?;
        }
        let mut range = self.range.take().unwrap_or_else(DeflatedRange::new);
        let start = out.len();
        range.crc.update(text);
        self.deflate(text, FlushCompress::None, out)?;
        if is_last {
            self.flush(out)?;
        }
        range.append(out.get(start..).unwrap_or_default());
        if is_last {
            self.crc.combine(&range.crc);
            return Ok(Some(range).filter(|range| range.is_complete));
        }
        self.range = Some(range);
        Ok(None)
    }

    /// Adds a range from the cache.
    pub(crate) fn cached(
        &mut self,
        number: u32,
        cache: &DeflateCache,
        out: &mut Vec<u8>,
    ) -> Result<(), Panicked> {
        self.flush(out)?;
        let copied = cache.with(number, |range| {
            out.extend_from_slice(&range.bytes);
            self.crc.combine(&range.crc);
        });
        // The renderer has skipped this range because it was cached. Without the range the page would be wrong.
        copied.ok_or(Panicked)
    }

    /// Adds text that was deflated elsewhere, between two full flushes; `crc` is the checksum of the text.
    pub(crate) fn deflated(
        &mut self,
        bytes: &[u8],
        crc: &Crc,
        out: &mut Vec<u8>,
    ) -> Result<(), Panicked> {
        self.flush(out)?;
        out.extend_from_slice(bytes);
        self.crc.combine(crc);
        Ok(())
    }

    /// Adds the last text and ends the member.
    pub(crate) fn finish(
        mut self,
        text: &[u8],
        cache: &DeflateCache,
        out: &mut Vec<u8>,
    ) -> Result<(), Panicked> {
        self.text(text, out)?;
        self.deflate(&[], FlushCompress::Finish, out)?;
        out.extend_from_slice(&self.crc.sum().to_le_bytes());
        out.extend_from_slice(&self.crc.amount().to_le_bytes());
        if let Some(mut compressor) = self.compressor {
            compressor.reset();
            cache.store_compressor(compressor);
        }
        Ok(())
    }

    fn write_header(&mut self, out: &mut Vec<u8>) {
        if !self.has_header {
            self.has_header = true;
            out.extend_from_slice(&HEADER);
        }
    }

    /// Closes the last block at a whole byte, and resets the compressor's window.
    pub(crate) fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), Panicked> {
        self.write_header(out);
        if self.needs_flush {
            self.deflate(&[], FlushCompress::Full, out)?;
            self.needs_flush = false;
            self.unflushed = 0;
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
        let compressor = self.compressor.as_mut().ok_or(Panicked)?;
        self.needs_flush = true;
        self.unflushed += text.len();
        let start = compressor.total_in();
        loop {
            out.reserve(text.len() / 8 + 64);
            let consumed = usize::try_from(compressor.total_in() - start).unwrap_or(text.len());
            let rest = text.get(consumed..).unwrap_or_default();
            match compressor.compress_vec(rest, out, flush) {
                Ok(Status::Ok | Status::BufError) if out.len() == out.capacity() => {}
                // The output is not full, so all input was consumed and all output was written.
                Ok(_) => return Ok(()),
                Err(_) => return Err(Panicked),
            }
        }
    }
}
