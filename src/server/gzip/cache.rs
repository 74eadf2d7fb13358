//! A cache of compressed ranges, from one scrape to the next. Server thread only.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
    time::Duration,
};

use flate2::{Compress, Compression, Crc};
use tokio::time::Instant;

use crate::exposition::{Format, RangeVersion};

/// The compression level of text. For hypercore's series in ranges of 256, level 1 leaves 6.3 % of the
/// bytes. Level 2 takes 1.3 times the instructions of level 1 and leaves 3.7 %; level 3 takes 1.8 times and
/// leaves 3.3 %. All bytes are sent at each scrape, but only changed ranges are compressed.
const TEXT_LEVEL: u32 = 2;

/// The compression level of protobuf. Level 1 leaves 4.8 % of the bytes. Level 2 leaves 3.8 % and takes twice
/// the time. Most of this time is for the codes of each block, because binary numbers have many different
/// bytes.
const PROTOBUF_LEVEL: u32 = 1;

/// The memory of a range besides its bytes.
const OVERHEAD: usize = 128;

/// The maximum length of a compressed range that is cached: 30 times that of a range of hypercore's series.
/// Each scrape under way may need this memory in addition.
pub(super) const MAX_RANGE_BYTES: usize = 128 * 1024;

/// The compressed text of a range.
#[derive(Debug)]
pub(crate) struct DeflatedRange {
    /// Deflate blocks that end at a whole byte. No block is marked as the last one.
    pub(crate) bytes: Vec<u8>,
    /// The CRC-32 and the length of the text.
    pub(crate) crc: Crc,
    /// `true` if `bytes` is complete.
    pub(crate) is_complete: bool,
}

impl DeflatedRange {
    /// Creates a range of an empty text.
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new(), crc: Crc::new(), is_complete: true }
    }

    /// Appends compressed bytes, unless the range becomes too long for the cache.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.is_complete &= self.bytes.len() + bytes.len() <= MAX_RANGE_BYTES;
        if self.is_complete {
            self.bytes.extend_from_slice(bytes);
        } else {
            self.bytes = Vec::new();
        }
    }
}

/// The caches of one source's pages, one for each format.
pub(crate) struct PageCaches {
    text: Rc<DeflateCache>,
    protobuf: Rc<DeflateCache>,
}

impl PageCaches {
    /// Creates empty caches of at most `limit` bytes each. Few sources are scraped in both formats.
    pub(crate) fn new(limit: usize) -> Self {
        let protobuf = DeflateCache { level: PROTOBUF_LEVEL, ..DeflateCache::new(limit) };
        Self { text: Rc::new(DeflateCache::new(limit)), protobuf: Rc::new(protobuf) }
    }

    /// Returns the cache of a format.
    pub(crate) fn get(&self, format: Format) -> &Rc<DeflateCache> {
        match format {
            Format::Text => &self.text,
            Format::Protobuf => &self.protobuf,
        }
    }
}

/// The compressed ranges of one source's pages in one format. All scrapers share them. Their memory is
/// bounded; at the bound, the ranges that are cached stay, because they have the oldest series, which change
/// least.
///
/// The cache also holds the compressor (300 KiB) that all scrapers share. If each scrape created one, the
/// allocator of glibc 2.36 would use new memory for each of the first 14, and 4 MB of the thread's arena
/// would stay resident.
pub(crate) struct DeflateCache {
    limit: usize,
    level: u32,
    inner: RefCell<Inner>,
}

struct Inner {
    /// The versions and the compressed text of ranges, by number.
    ranges: Vec<Option<(RangeVersion, DeflatedRange)>>,
    bytes: usize,
    compressor: Option<Compress>,
    used: Instant,
    /// `true` if a task waits to drop the contents of the cache when it is idle.
    has_idle_task: bool,
}

impl Inner {
    fn get(&self, number: u32) -> Option<&(RangeVersion, DeflatedRange)> {
        self.ranges.get(number as usize)?.as_ref()
    }
}

impl DeflateCache {
    /// Creates an empty cache of at most `limit` bytes, for text.
    pub(crate) fn new(limit: usize) -> Self {
        let inner = Inner {
            ranges: Vec::new(),
            bytes: 0,
            compressor: None,
            used: Instant::now(),
            has_idle_task: false,
        };
        Self { limit, level: TEXT_LEVEL, inner: RefCell::new(inner) }
    }

    /// Returns the version of a range that is cached.
    pub(crate) fn version(&self, number: u32) -> Option<RangeVersion> {
        self.inner.borrow().get(number).map(|(version, _)| *version)
    }

    /// Passes a range that is cached to `read`.
    pub(crate) fn with<T>(&self, number: u32, read: impl FnOnce(&DeflatedRange) -> T) -> Option<T> {
        self.inner.borrow().get(number).map(|(_, range)| read(range))
    }

    /// Replaces a range, if the bound permits; otherwise only removes it.
    pub(crate) fn insert(&self, number: u32, version: RangeVersion, mut range: DeflatedRange) {
        let inner = &mut *self.inner.borrow_mut();
        let index = number as usize;
        if let Some((_, old)) = inner.ranges.get_mut(index).and_then(Option::take) {
            inner.bytes -= size(&old);
        }
        range.bytes.shrink_to_fit();
        if inner.bytes + size(&range) <= self.limit {
            inner.bytes += size(&range);
            let length = inner.ranges.len().max(index + 1);
            inner.ranges.resize_with(length, || None);
            inner.ranges[index] = Some((version, range));
        }
    }

    /// Removes and returns the compressor, which has no text and no unfinished block.
    pub(crate) fn take_compressor(&self) -> Option<Compress> {
        self.inner.borrow_mut().compressor.take()
    }

    /// Makes a compressor.
    pub(crate) fn new_compressor(&self) -> Compress {
        Compress::new(Compression::new(self.level), false)
    }

    /// Stores a compressor, which has no text and no unfinished block.
    pub(crate) fn store_compressor(&self, compressor: Compress) {
        self.inner.borrow_mut().compressor = Some(compressor);
    }

    /// Records a scrape that uses the cache. After the time `idle` without a scrape, the contents are dropped.
    pub(crate) fn record_use(self: &Rc<Self>, idle: Duration) {
        let inner = &mut *self.inner.borrow_mut();
        inner.used = Instant::now();
        if !inner.has_idle_task {
            inner.has_idle_task = true;
            tokio::task::spawn_local(drop_when_idle(Rc::downgrade(self), idle));
        }
    }

    /// Returns the size of all cached ranges.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.inner.borrow().bytes
    }

    /// Drops the contents if the cache has been idle; otherwise returns the time at which to check again.
    fn drop_if_idle(&self, idle: Duration) -> Option<Instant> {
        let inner = &mut *self.inner.borrow_mut();
        let due = inner.used + idle;
        if Instant::now() < due {
            return Some(due);
        }
        inner.ranges = Vec::new();
        inner.bytes = 0;
        inner.compressor = None;
        inner.has_idle_task = false;
        None
    }
}

fn size(range: &DeflatedRange) -> usize {
    range.bytes.capacity() + OVERHEAD
}

async fn drop_when_idle(cache: Weak<DeflateCache>, idle: Duration) {
    while let Some(due) = cache.upgrade().and_then(|cache| cache.drop_if_idle(idle)) {
        tokio::time::sleep_until(due).await;
    }
}
