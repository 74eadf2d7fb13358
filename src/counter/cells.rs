//! Cell blocks: memory that JavaScript threads count in and this crate reads. This file has the only `unsafe`
//! code of the crate's core.
//!
//! # Invariants
//!
//! - A cell block is [`CELLS`] 8-byte aligned `f64` cells. Its thread is the only writer and writes
//!   whole cells with plain 8-byte stores.
//! - This crate only reads cells, as relaxed 8-byte atomics. So it may read a slightly old count, but never
//!   bytes of two different counts.
//! - The lender of a cell block keeps it alive until its shard is closed ([`Shards::close`]), which
//!   reads the cells for the last time.

use std::{fmt, ptr::NonNull};

use crate::sync::atomic::{AtomicU64, Ordering};

/// The number of cells, one for each series, of a cell block.
pub const CELLS: usize = 4096;

/// The number of slots of a range, whose text has one version and is cached as a whole. A range lies
/// within a cell block. 256 slots are about 64 KiB of text. In gzip, ranges of 128 slots take 16 % more bytes,
/// and ranges of 512 slots 8 % fewer. But one count invalidates a whole range.
pub const RANGE: u32 = 256;

/// The version of a range's values. A value only grows, or is set back to 0; so a range that has
/// the same version again has the same value in each slot, and the same text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RangeVersion {
    /// The number of times that a value of the range was set back.
    set_back: u64,
    /// The sum of its values: whole numbers, exact below 2^53.
    sum: f64,
}

impl RangeVersion {
    /// A version that no range has.
    pub const NONE: Self = Self { set_back: u64::MAX, sum: 0.0 };

    /// Returns the version of these slots together with the slots that follow.
    #[must_use]
    pub fn followed_by(self, next: Self) -> Self {
        if self.set_back == next.set_back {
            return Self { set_back: next.set_back, sum: self.sum + next.sum };
        }
        // A value was set back between the two readings.
        Self::NONE
    }

    /// Adds values. The sum of whole numbers does not depend on their order, so eight sums are added in
    /// parallel.
    pub fn add(&mut self, values: &[f64]) {
        let mut sums = [0.0; 8];
        let chunks = values.chunks_exact(sums.len());
        self.sum += chunks.remainder().iter().sum::<f64>();
        for chunk in chunks {
            for (sum, value) in sums.iter_mut().zip(chunk) {
                *sum += value;
            }
        }
        self.sum += sums.iter().sum::<f64>();
    }
}

/// The address of a cell block that JavaScript owns.
#[derive(Debug)]
pub struct CellBlock(NonNull<AtomicU64>);

// SAFETY: any thread may read the address, only through atomic loads; the caller of `CellBlock::new`
// guarantees the memory.
#[expect(unsafe_code, reason = "the address of memory that JavaScript owns")]
unsafe impl Send for CellBlock {}

impl CellBlock {
    /// Creates a cell block at this address.
    ///
    /// # Safety
    ///
    /// `cells` must be aligned to 8 bytes, be readable for [`CELLS`] cells until the shard that it
    /// is lent to is closed, and be written in that time by plain 8-byte stores only.
    #[expect(unsafe_code, reason = "the caller guarantees the address")]
    #[must_use]
    pub unsafe fn new(cells: NonNull<f64>) -> Self {
        Self(cells.cast())
    }

    /// Returns the count in a cell; 0 beyond the end.
    #[inline]
    fn read(&self, cell: usize) -> f64 {
        if cell >= CELLS {
            return 0.0;
        }
        #[expect(unsafe_code, reason = "the one read of lent memory")]
        // SAFETY: the cell is within the block (checked above), which the caller of `new` keeps readable and
        // aligned. The owner's stores are plain 8-byte stores of machine code that V8 generates, so that an
        // atomic load returns the value before or after a store, as between threads of JavaScript.
        let bits = unsafe { self.0.add(cell).as_ref().load(Ordering::Relaxed) };
        f64::from_bits(bits)
    }
}

/// The values of one range.
pub type RangeValues = [f64; RANGE as usize];

/// Identifies a shard: the cell blocks of one JavaScript thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShardId(u64);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard-{}", self.0)
    }
}

/// The cell blocks of one thread.
#[derive(Debug)]
struct Shard {
    id: ShardId,
    blocks: Vec<Option<CellBlock>>,
    /// `true` if the thread's cache may contain slots. Then the thread must drop its cache before a slot is
    /// freed.
    has_cache: bool,
}

/// The cell blocks of all threads that count, and the counts of threads that have ended.
#[derive(Debug, Default)]
pub struct Shards {
    open: Vec<Shard>,
    opened: u64,
    /// The counts of closed shards by slot, minus the values that were set back. Missing elements are 0.
    settled: Vec<f64>,
    /// The number of times that a value was set back, by range. Missing elements are 0.
    set_back: Vec<u64>,
}

impl Shards {
    /// Opens a shard for one more thread.
    pub fn open(&mut self) -> ShardId {
        let id = ShardId(self.opened);
        self.opened += 1;
        self.open.push(Shard { id, blocks: Vec::new(), has_cache: true });
        id
    }

    /// Returns whether a shard is open.
    #[must_use]
    pub fn is_open(&self, id: ShardId) -> bool {
        self.open.iter().any(|open| open.id == id)
    }

    /// Returns the open shards whose threads' caches may contain slots.
    #[must_use]
    pub fn with_cache(&self) -> Vec<ShardId> {
        self.open.iter().filter(|shard| shard.has_cache).map(|shard| shard.id).collect()
    }

    /// Records that a shard's thread has no cache any more.
    pub fn end_cache(&mut self, id: ShardId) {
        if let Some(shard) = self.open.iter_mut().find(|shard| shard.id == id) {
            shard.has_cache = false;
        }
    }

    /// Adds a cell block to a shard, at an index. Returns `false`, and adds nothing, if the shard is closed.
    pub fn lend(&mut self, id: ShardId, index: usize, block: CellBlock) -> bool {
        let Some(Shard { blocks, .. }) = self.open.iter_mut().find(|open| open.id == id) else {
            return false;
        };
        if blocks.len() <= index {
            blocks.resize_with(index + 1, || None);
        }
        blocks[index] = Some(block);
        true
    }

    /// Closes a shard: copies its counts and drops its addresses.
    pub fn close(&mut self, id: ShardId) {
        let Some(position) = self.open.iter().position(|open| open.id == id) else {
            return;
        };
        let Shard { blocks, .. } = self.open.swap_remove(position);
        for (index, block) in blocks.iter().enumerate() {
            let Some(block) = block else { continue };
            for cell in 0..CELLS {
                let count = block.read(cell);
                if count != 0.0 {
                    self.settle(index * CELLS + cell, count);
                }
            }
        }
    }

    /// Returns the value of a slot: the sum over all shards.
    #[inline]
    #[must_use]
    pub fn value(&self, slot: usize) -> f64 {
        let settled = self.settled.get(slot).copied().unwrap_or(0.0);
        let (index, cell) = (slot / CELLS, slot % CELLS);
        self.open.iter().fold(settled, |sum, shard| match shard.blocks.get(index) {
            Some(Some(block)) => sum + block.read(cell),
            _ => sum,
        })
    }

    /// Returns the values of a range, slot by slot.
    #[must_use]
    pub fn range(&self, range: u32) -> RangeValues {
        let from = range as usize * RANGE as usize;
        let mut values = [0.0; RANGE as usize];
        for (value, settled) in values.iter_mut().zip(self.settled.iter().skip(from)) {
            *value = *settled;
        }
        for shard in &self.open {
            let Some(Some(block)) = shard.blocks.get(from / CELLS) else { continue };
            for (cell, value) in (from % CELLS..).zip(&mut values) {
                *value += block.read(cell);
            }
        }
        values
    }

    /// Returns the counts of one open shard in a range, slot by slot. They only grow.
    #[must_use]
    pub fn thread_range(&self, id: ShardId, range: u32) -> Option<RangeValues> {
        let from = range as usize * RANGE as usize;
        let shard = self.open.iter().find(|open| open.id == id)?;
        let mut values = [0.0; RANGE as usize];
        if let Some(Some(block)) = shard.blocks.get(from / CELLS) {
            for (cell, value) in (from % CELLS..).zip(&mut values) {
                *value = block.read(cell);
            }
        }
        Some(values)
    }

    /// Returns the version of a range to which no value has been added yet.
    #[must_use]
    pub fn empty_version(&self, range: u32) -> RangeVersion {
        RangeVersion { set_back: self.set_back.get(range as usize).copied().unwrap_or(0), sum: 0.0 }
    }

    /// Sets a slot's value back to 0, and returns the previous value. Cells are not written, because only
    /// their threads write them.
    pub fn zero(&mut self, slot: usize) -> f64 {
        let value = self.value(slot);
        if value != 0.0 {
            self.settle(slot, -value);
            let range = slot / RANGE as usize;
            if self.set_back.len() <= range {
                self.set_back.resize(range + 1, 0);
            }
            self.set_back[range] += 1;
        }
        value
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

    fn block(counts: &mut Vec<f64>) -> CellBlock {
        counts.resize(CELLS, 0.0);
        // SAFETY: the vector outlives the shards in every test here and is not written meanwhile.
        unsafe { CellBlock::new(NonNull::new(counts.as_mut_ptr()).expect("a vector's memory")) }
    }

    #[test]
    fn a_value_is_the_sum_over_the_shards() {
        let (mut a, mut b) = (vec![1.0, 2.0], vec![10.0]);
        let mut shards = Shards::default();
        let (first, second) = (shards.open(), shards.open());
        assert!(shards.lend(first, 0, block(&mut a)));
        assert!(shards.lend(second, 0, block(&mut b)));
        assert_eq!([shards.value(0), shards.value(1), shards.value(2)], [11.0, 2.0, 0.0]);
    }

    #[test]
    fn the_counts_of_a_closed_shard_remain() {
        let mut counts = vec![0.0, 7.0];
        let mut shards = Shards::default();
        let id = shards.open();
        shards.lend(id, 1, block(&mut counts));
        shards.close(id);
        drop(counts);
        assert_eq!([shards.value(CELLS), shards.value(CELLS + 1)], [0.0, 7.0]);
    }

    #[test]
    fn a_closed_shard_accepts_no_cell_block() {
        let mut counts = vec![1.0];
        let mut shards = Shards::default();
        let id = shards.open();
        shards.close(id);
        assert!(!shards.lend(id, 0, block(&mut counts)));
        assert_eq!(shards.value(0), 0.0);
    }

    #[test]
    fn after_zero_the_value_is_counted_from_0() {
        let mut counts = vec![5.0];
        let mut shards = Shards::default();
        let id = shards.open();
        let lent = block(&mut counts);
        shards.lend(id, 0, lent);
        shards.zero(0);
        assert_eq!(shards.value(0), 0.0);
        counts[0] += 2.0;
        assert_eq!(shards.value(0), 2.0);
        shards.close(id);
        assert_eq!(shards.value(0), 2.0);
    }

    #[test]
    fn a_cell_block_may_be_missing_between_others() {
        let mut counts = vec![3.0];
        let mut shards = Shards::default();
        let id = shards.open();
        shards.lend(id, 2, block(&mut counts));
        assert_eq!([shards.value(0), shards.value(2 * CELLS)], [0.0, 3.0]);
    }
}
