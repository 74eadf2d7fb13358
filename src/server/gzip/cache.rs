//! Stretches of a page that stay compressed from one scrape to the next. Server thread only.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
    time::Duration,
};

use flate2::{Compress, Crc};
use tokio::time::Instant;

use crate::counter::RangeVersion;

/// What a stretch takes beside its bytes.
const OVERHEAD: usize = 128;

/// A stretch, compressed for itself.
#[derive(Debug)]
pub(crate) struct DeflatedRange {
    /// Deflate blocks that end at a whole byte; none of them is a member's last.
    pub(crate) bytes: Vec<u8>,
    /// The CRC-32 and the length of its text.
    pub(crate) crc: Crc,
    /// The bytes are all there.
    pub(crate) is_whole: bool,
}

impl DeflatedRange {
    /// A stretch of no text yet.
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new(), crc: Crc::new(), is_whole: true }
    }
}

/// The kept stretches of one source's pages, shared by all its scrapers, up to a number of bytes.
/// Past that the first ones stay: they hold the oldest series, which change least.
///
/// Beside them it keeps one compressor, 300 KiB. A new one for each scrape takes more: glibc's
/// allocator (2.36) puts it behind the place of the last one, 14 times over, and 4 MB of the
/// thread's arena stay resident.
pub(crate) struct DeflateCache {
    limit: usize,
    inner: RefCell<Inner>,
}

struct Inner {
    /// By their numbers, which a page begins at 0 and counts on.
    stretches: Vec<Option<(RangeVersion, DeflatedRange)>>,
    bytes: usize,
    compressor: Option<Compress>,
    used: Instant,
    watched: bool,
}

impl Inner {
    fn get(&self, number: u32) -> Option<&(RangeVersion, DeflatedRange)> {
        self.stretches.get(number as usize)?.as_ref()
    }
}

impl DeflateCache {
    /// Room for this many bytes.
    pub(crate) fn new(limit: usize) -> Self {
        let inner = Inner {
            stretches: Vec::new(),
            bytes: 0,
            compressor: None,
            used: Instant::now(),
            watched: false,
        };
        Self { limit, inner: RefCell::new(inner) }
    }

    /// The stamp of a stretch that is kept.
    pub(crate) fn version(&self, number: u32) -> Option<RangeVersion> {
        self.inner.borrow().get(number).map(|(stamp, _)| *stamp)
    }

    /// Hands a stretch that is kept to `read`.
    pub(crate) fn with<T>(&self, number: u32, read: impl FnOnce(&DeflatedRange) -> T) -> Option<T> {
        self.inner.borrow().get(number).map(|(_, stretch)| read(stretch))
    }

    /// Keeps a stretch in place of what was known of it, if there is room.
    pub(crate) fn insert(&self, number: u32, stamp: RangeVersion, mut stretch: DeflatedRange) {
        let inner = &mut *self.inner.borrow_mut();
        let at = number as usize;
        if let Some((_, old)) = inner.stretches.get_mut(at).and_then(Option::take) {
            inner.bytes -= size(&old);
        }
        stretch.bytes.shrink_to_fit();
        if inner.bytes + size(&stretch) <= self.limit {
            inner.bytes += size(&stretch);
            let places = inner.stretches.len().max(at + 1);
            inner.stretches.resize_with(places, || None);
            inner.stretches[at] = Some((stamp, stretch));
        }
    }

    /// The compressor of a member that is finished, as good as new.
    pub(crate) fn compressor(&self) -> Option<Compress> {
        self.inner.borrow_mut().compressor.take()
    }

    /// Takes over a compressor, for the next member.
    pub(crate) fn keep_compressor(&self, mut compressor: Compress) {
        compressor.reset();
        self.inner.borrow_mut().compressor = Some(compressor);
    }

    /// To be called at each scrape that may use what is kept: it is dropped when there has been none
    /// for `idle`.
    pub(crate) fn used(self: &Rc<Self>, idle: Duration) {
        let inner = &mut *self.inner.borrow_mut();
        inner.used = Instant::now();
        if !inner.watched {
            inner.watched = true;
            tokio::task::spawn_local(drop_when_idle(Rc::downgrade(self), idle));
        }
    }

    /// How much is kept.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.inner.borrow().bytes
    }

    /// Drops all, if it is time; else tells when it may be.
    fn drop_unused(&self, idle: Duration) -> Option<Instant> {
        let inner = &mut *self.inner.borrow_mut();
        let due = inner.used + idle;
        if Instant::now() < due {
            return Some(due);
        }
        inner.stretches = Vec::new();
        inner.bytes = 0;
        inner.compressor = None;
        inner.watched = false;
        None
    }
}

fn size(stretch: &DeflatedRange) -> usize {
    stretch.bytes.capacity() + OVERHEAD
}

async fn drop_when_idle(kept: Weak<DeflateCache>, idle: Duration) {
    while let Some(due) = kept.upgrade().and_then(|kept| kept.drop_unused(idle)) {
        tokio::time::sleep_until(due).await;
    }
}
