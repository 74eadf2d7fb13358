//! Memory that a JavaScript thread counts in and this crate reads: the only `unsafe` of the crate's
//! core.
//!
//! # Invariants
//!
//! - A page is [`CELLS`] 8-byte aligned `f64` cells. Its thread is the only writer; it writes whole
//!   cells with plain 8-byte stores.
//! - Here a cell is only ever read, as a relaxed 8-byte atomic: a count may be a moment old, never
//!   torn.
//! - Whoever lends a page keeps it alive until its shard is closed ([`Shards::close`]), which reads
//!   the cells a last time.

use std::{
    fmt,
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

/// How many series one page has room for.
pub const CELLS: usize = 4096;

/// How many slots a range has: what is read, stamped and kept together. A range lies within a page.
/// 256: about 64 KiB of text. In gzip, ranges of 128 take 16 % more bytes, of 512 8 % fewer, and one
/// count costs a whole range.
pub const RANGE: u32 = 256;

/// What a range of slots held when it was read. A value grows, or is taken back; so a range that has
/// the same stamp again holds the same value in each slot, and reads the same.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RangeVersion {
    /// How often a value of the range has been taken back.
    taken_back: u64,
    /// The sum of its values: whole numbers, exact below 2^53.
    sum: f64,
}

impl RangeVersion {
    /// Takes one more value in.
    pub fn add(&mut self, value: f64) {
        self.sum += value;
    }
}

/// The address of a page that JavaScript owns.
#[derive(Debug)]
pub struct CellBlock(NonNull<AtomicU64>);

// SAFETY: the address is read from any thread, and only through atomic loads; `CellBlock::new`'s
// caller vouches for the memory.
#[expect(unsafe_code, reason = "the address of memory that JavaScript lends")]
unsafe impl Send for CellBlock {}

impl CellBlock {
    /// A page at this address.
    ///
    /// # Safety
    ///
    /// `cells` must be aligned to 8 bytes, be readable for [`CELLS`] cells until the shard that it
    /// is lent to is closed, and be written in that time by plain 8-byte stores only.
    #[expect(unsafe_code, reason = "the caller vouches for the address")]
    #[must_use]
    pub unsafe fn new(cells: NonNull<f64>) -> Self {
        Self(cells.cast())
    }

    /// The count in a cell; 0 past the end.
    #[inline]
    fn read(&self, cell: usize) -> f64 {
        if cell >= CELLS {
            return 0.0;
        }
        #[expect(unsafe_code, reason = "the one read of lent memory")]
        // SAFETY: within the page (checked above), which `new`'s caller keeps readable and aligned;
        // an atomic load never races with the owner's stores into undefined behaviour in the
        // machine's memory model, which is what JavaScript's own shared stores rely on.
        let bits = unsafe { self.0.add(cell).as_ref().load(Ordering::Relaxed) };
        f64::from_bits(bits)
    }
}

/// The values of one range.
pub type RangeValues = [f64; RANGE as usize];

/// Names a shard: the pages of one JavaScript thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardId(u64);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard-{}", self.0)
    }
}

/// The pages of one thread.
#[derive(Debug)]
struct Shard {
    id: ShardId,
    pages: Vec<Option<CellBlock>>,
    /// Whether the thread's cache may hold slots, so that it has to be asked to drop it.
    remembers: bool,
}

/// The pages of every thread that counts, and what ended threads left behind.
#[derive(Debug, Default)]
pub struct Shards {
    open: Vec<Shard>,
    opened: u64,
    /// By slot: what closed shards counted, less what was reset. Shorter than the slots where the
    /// rest is 0.
    settled: Vec<f64>,
    /// By range: how often a value has been taken back. Shorter than the ranges where the rest is 0.
    taken_back: Vec<u64>,
}

impl Shards {
    /// A shard for one more thread.
    pub fn open(&mut self) -> ShardId {
        let id = ShardId(self.opened);
        self.opened += 1;
        self.open.push(Shard { id, pages: Vec::new(), remembers: true });
        id
    }

    /// Whether a shard has been opened and not closed.
    #[must_use]
    pub fn is_open(&self, id: ShardId) -> bool {
        self.open.iter().any(|open| open.id == id)
    }

    /// The open shards whose threads' caches may hold slots.
    #[must_use]
    pub fn remembering(&self) -> Vec<ShardId> {
        self.open.iter().filter(|shard| shard.remembers).map(|shard| shard.id).collect()
    }

    /// A shard's thread has dropped its cache and fills it no more.
    pub fn remembers_no_more(&mut self, id: ShardId) {
        if let Some(shard) = self.open.iter_mut().find(|shard| shard.id == id) {
            shard.remembers = false;
        }
    }

    /// Takes a page into a shard as its `index`th. Pages of a closed shard are refused (`false`).
    pub fn lend(&mut self, id: ShardId, index: usize, page: CellBlock) -> bool {
        let Some(Shard { pages, .. }) = self.open.iter_mut().find(|open| open.id == id) else {
            return false;
        };
        if pages.len() <= index {
            pages.resize_with(index + 1, || None);
        }
        pages[index] = Some(page);
        true
    }

    /// Ends a shard: its counts become this crate's own and its addresses are forgotten.
    pub fn close(&mut self, id: ShardId) {
        let Some(at) = self.open.iter().position(|open| open.id == id) else {
            return;
        };
        let Shard { pages, .. } = self.open.swap_remove(at);
        for (index, page) in pages.iter().enumerate() {
            let Some(page) = page else { continue };
            for cell in 0..CELLS {
                let count = page.read(cell);
                if count != 0.0 {
                    self.settle(index * CELLS + cell, count);
                }
            }
        }
    }

    /// A slot's value: the sum over all shards.
    #[inline]
    #[must_use]
    pub fn value(&self, slot: usize) -> f64 {
        let settled = self.settled.get(slot).copied().unwrap_or(0.0);
        let (index, cell) = (slot / CELLS, slot % CELLS);
        self.open.iter().fold(settled, |sum, shard| match shard.pages.get(index) {
            Some(Some(page)) => sum + page.read(cell),
            _ => sum,
        })
    }

    /// The values of a range, one after the other.
    #[must_use]
    pub fn range(&self, range: u32) -> RangeValues {
        let from = range as usize * RANGE as usize;
        let mut values = [0.0; RANGE as usize];
        for (value, settled) in values.iter_mut().zip(self.settled.iter().skip(from)) {
            *value = *settled;
        }
        for shard in &self.open {
            let Some(Some(page)) = shard.pages.get(from / CELLS) else { continue };
            for (cell, value) in (from % CELLS..).zip(&mut values) {
                *value += page.read(cell);
            }
        }
        values
    }

    /// The stamp of a range that nothing has been read of yet.
    #[must_use]
    pub fn stamp(&self, range: u32) -> RangeVersion {
        RangeVersion {
            taken_back: self.taken_back.get(range as usize).copied().unwrap_or(0),
            sum: 0.0,
        }
    }

    /// Makes a slot's value 0 without writing to pages, which are their threads' own.
    pub fn zero(&mut self, slot: usize) {
        let value = self.value(slot);
        if value != 0.0 {
            self.settle(slot, -value);
            let range = slot / RANGE as usize;
            if self.taken_back.len() <= range {
                self.taken_back.resize(range + 1, 0);
            }
            self.taken_back[range] += 1;
        }
    }

    fn settle(&mut self, slot: usize, count: f64) {
        if self.settled.len() <= slot {
            self.settled.resize(slot + 1, 0.0);
        }
        self.settled[slot] += count;
    }
}

#[cfg(test)]
#[expect(unsafe_code, reason = "tests lend memory of their own")]
mod tests {
    use super::*;

    fn page(counts: &mut Vec<f64>) -> CellBlock {
        counts.resize(CELLS, 0.0);
        // SAFETY: the vector outlives the shards in every test here and is not written meanwhile.
        unsafe { CellBlock::new(NonNull::new(counts.as_mut_ptr()).expect("a vector's memory")) }
    }

    #[test]
    fn a_value_is_the_sum_over_the_shards() {
        let (mut a, mut b) = (vec![1.0, 2.0], vec![10.0]);
        let mut shards = Shards::default();
        let (first, second) = (shards.open(), shards.open());
        assert!(shards.lend(first, 0, page(&mut a)));
        assert!(shards.lend(second, 0, page(&mut b)));
        assert_eq!([shards.value(0), shards.value(1), shards.value(2)], [11.0, 2.0, 0.0]);
    }

    #[test]
    fn a_closed_shard_leaves_its_counts() {
        let mut counts = vec![0.0, 7.0];
        let mut shards = Shards::default();
        let id = shards.open();
        shards.lend(id, 1, page(&mut counts));
        shards.close(id);
        drop(counts);
        assert_eq!([shards.value(CELLS), shards.value(CELLS + 1)], [0.0, 7.0]);
    }

    #[test]
    fn a_closed_shard_takes_no_page() {
        let mut counts = vec![1.0];
        let mut shards = Shards::default();
        let id = shards.open();
        shards.close(id);
        assert!(!shards.lend(id, 0, page(&mut counts)));
        assert_eq!(shards.value(0), 0.0);
    }

    #[test]
    fn zeroing_counts_on_from_nothing() {
        let mut counts = vec![5.0];
        let mut shards = Shards::default();
        let id = shards.open();
        let lent = page(&mut counts);
        shards.lend(id, 0, lent);
        shards.zero(0);
        assert_eq!(shards.value(0), 0.0);
        counts[0] += 2.0;
        assert_eq!(shards.value(0), 2.0);
        shards.close(id);
        assert_eq!(shards.value(0), 2.0);
    }

    #[test]
    fn a_page_may_be_missing_between_others() {
        let mut counts = vec![3.0];
        let mut shards = Shards::default();
        let id = shards.open();
        shards.lend(id, 2, page(&mut counts));
        assert_eq!([shards.value(0), shards.value(2 * CELLS)], [0.0, 3.0]);
    }
}
