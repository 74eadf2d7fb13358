//! Series in deflated blocks. A member compresses its own series and caches the blocks by range, and the
//! opener passes the bytes on. So a scrape in gzip compresses only what has changed, and all processes
//! compress at the same time.
//!
//! A block begins and ends at a full flush, and contains whole series. The number of its range and its length,
//! 4 bytes each, precede it. The opener inflates a block to check it ([`SeriesCheck`]), unless the block is
//! equal to the last block of its range.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    rc::Rc,
};

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::series_check::{Invalid, SeriesCheck};
use crate::{
    exposition::{CounterSeries, Step},
    server::{
        gzip::{DeflateCache, DeflatedRange, Member},
        panics::Panicked,
    },
};

/// The range number of a block that is not the whole text of a range.
const NO_RANGE: u32 = u32::MAX;

/// The approximate length of a chunk's text, in bytes. The opener checks a chunk without a pause.
const CHUNK_TEXT: usize = 512 * 1024;

/// The approximate length of a chunk, in bytes.
const CHUNK_BYTES: usize = 48 * 1024;

/// The approximate maximum length of a block's text, in bytes. A range with longer text has several blocks.
const BLOCK_TEXT: usize = 256 * 1024;

/// The maximum length of a block's text, in bytes. A single series may be longer than [`BLOCK_TEXT`].
const MAX_BLOCK_TEXT: usize = 16 * 1024 * 1024;

/// Writes the series of one page in blocks.
pub struct BlockWriter {
    cache: Rc<DeflateCache>,
    /// `true` if a range begins at the start of the next block.
    is_at_range: bool,
}

impl BlockWriter {
    /// Creates a writer. `cache` has the blocks of ranges that have not changed.
    #[must_use]
    pub fn new(cache: Rc<DeflateCache>) -> Self {
        Self { cache, is_at_range: true }
    }

    /// Writes the next chunk.
    ///
    /// # Errors
    ///
    /// If the compressor fails, which no input causes.
    pub fn chunk(&mut self, series: &mut CounterSeries) -> Result<Vec<u8>, Panicked> {
        let cache = Rc::clone(&self.cache);
        let mut chunk = Chunk { bytes: Vec::with_capacity(CHUNK_BYTES), text: 0 };
        let mut member = Member::blocks();
        member.begin_chunk(&cache);
        let mut text = Vec::new();
        let mut block = DeflatedRange::new();
        while !series.is_finished() {
            text.clear();
            let step = series.render(&|number| cache.version(number), &mut text);
            block.crc.update(&text);
            member.text(&text, &mut block.bytes)?;
            let (is_end, range) = match step {
                Step::Cached(number) => {
                    cache.with(number, |range| chunk.push(number, range)).ok_or(Panicked)?;
                    (true, None)
                }
                Step::Range { number, is_end, version } => (is_end, version.map(|it| (number, it))),
                Step::Text { .. } | Step::Deflated => (true, None),
            };
            if is_end || block.crc.amount() as usize >= BLOCK_TEXT {
                member.flush(&mut block.bytes)?;
                let block = std::mem::replace(&mut block, DeflatedRange::new());
                match range.filter(|_| self.is_at_range) {
                    Some((number, version)) => {
                        chunk.push(number, &block);
                        cache.insert(number, version, block);
                    }
                    None => chunk.push(NO_RANGE, &block),
                }
                self.is_at_range = is_end;
                if chunk.is_full() {
                    break;
                }
            }
        }
        member.end_chunk(&cache, &mut Vec::new())?;
        Ok(chunk.bytes)
    }
}

struct Chunk {
    bytes: Vec<u8>,
    text: usize,
}

impl Chunk {
    fn push(&mut self, range: u32, block: &DeflatedRange) {
        if block.crc.amount() == 0 {
            return;
        }
        let length = u32::try_from(block.bytes.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&range.to_le_bytes());
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(&block.bytes);
        self.text += block.crc.amount() as usize;
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= CHUNK_BYTES || self.text >= CHUNK_TEXT
    }
}

/// A block of a member that has been checked.
pub struct Block {
    /// The deflated text.
    pub bytes: Vec<u8>,
    /// The checksum and the length of the text.
    pub crc: Crc,
    /// The number of its series.
    pub series: usize,
}

/// Checks the blocks of one member in one format.
pub struct BlockCheck {
    /// The last block of each range, by the number of the range.
    ranges: HashMap<u32, Checked>,
    limit: u32,
    hasher: RandomState,
    decompress: Decompress,
}

struct Checked {
    /// A keyed hash of the deflated bytes, so that no member can make another block with the same hash.
    hash: u64,
    crc: Crc,
    series: usize,
}

impl BlockCheck {
    /// Creates a check without results. It stores the results of at most `ranges` ranges.
    #[must_use]
    pub fn new(ranges: u32) -> Self {
        Self {
            ranges: HashMap::new(),
            limit: ranges,
            hasher: RandomState::new(),
            decompress: Decompress::new(false),
        }
    }

    /// Checks the blocks of a chunk.
    ///
    /// # Errors
    ///
    /// If the bytes are not blocks, or their text is not series of the member.
    pub fn check(
        &mut self,
        mut chunk: &[u8],
        series: &mut SeriesCheck,
    ) -> Result<Vec<Block>, Invalid> {
        let mut blocks = Vec::new();
        while !chunk.is_empty() {
            let (head, rest) = chunk.split_first_chunk::<8>().ok_or(Invalid)?;
            let [a, b, c, d, lengths @ ..] = *head;
            let range = u32::from_le_bytes([a, b, c, d]);
            let length = u32::from_le_bytes(lengths) as usize;
            let (bytes, rest) = rest.split_at_checked(length).ok_or(Invalid)?;
            chunk = rest;
            blocks.push(self.block(range, bytes, series)?);
        }
        Ok(blocks)
    }

    fn block(
        &mut self,
        range: u32,
        bytes: &[u8],
        check: &mut SeriesCheck,
    ) -> Result<Block, Invalid> {
        let hash = self.hasher.hash_one(bytes);
        let checked = match self.ranges.get(&range).filter(|checked| checked.hash == hash) {
            Some(checked) => Checked { hash, crc: copy(&checked.crc), series: checked.series },
            None => self.inflate(hash, bytes, check)?,
        };
        let block =
            Block { bytes: bytes.to_vec(), crc: copy(&checked.crc), series: checked.series };
        if range < self.limit {
            self.ranges.insert(range, checked);
        }
        Ok(block)
    }

    fn inflate(
        &mut self,
        hash: u64,
        bytes: &[u8],
        check: &mut SeriesCheck,
    ) -> Result<Checked, Invalid> {
        self.decompress.reset(false);
        let mut checked = Checked { hash, crc: Crc::new(), series: 0 };
        let mut text = vec![0; 64 * 1024];
        loop {
            let (read, written) = (self.total_in(), self.decompress.total_out());
            let rest = bytes.get(read..).unwrap_or_default();
            let status = self.decompress.decompress(rest, &mut text, FlushDecompress::Sync);
            let length = usize::try_from(self.decompress.total_out() - written).unwrap_or(0);
            checked.crc.update(&text[..length]);
            checked.series += check.push(&text[..length])?;
            let is_valid = matches!(status, Ok(Status::Ok | Status::BufError));
            if !is_valid || checked.crc.amount() as usize > MAX_BLOCK_TEXT {
                return Err(Invalid);
            }
            // If the buffer is not full, all text of the input has been written.
            if length < text.len() && (self.total_in() == bytes.len() || length == 0) {
                break;
            }
        }
        let is_whole = self.total_in() == bytes.len() && check.is_at_end() && checked.series > 0;
        if is_whole && self.ends_at_block(bytes) { Ok(checked) } else { Err(Invalid) }
    }

    /// Returns whether the deflated bytes end where another block can begin: after an empty stored block.
    fn ends_at_block(&mut self, bytes: &[u8]) -> bool {
        const EMPTY: [u8; 4] = [0, 0, 0xff, 0xff];
        const LAST_EMPTY: [u8; 5] = [1, 0, 0, 0xff, 0xff];
        let end = self.decompress.decompress(&LAST_EMPTY, &mut [0; 16], FlushDecompress::Finish);
        bytes.ends_with(&EMPTY)
            && matches!(end, Ok(Status::StreamEnd))
            && self.total_in() == bytes.len() + LAST_EMPTY.len()
    }

    fn total_in(&self) -> usize {
        usize::try_from(self.decompress.total_in()).unwrap_or(usize::MAX)
    }
}

fn copy(crc: &Crc) -> Crc {
    let mut copy = Crc::new();
    copy.combine(crc);
    copy
}
