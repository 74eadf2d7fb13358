//! An exporter as a counter: what `lib/trace.js` calls for label sets that it does not remember. Runs
//! on the JavaScript thread.

use std::ptr::NonNull;

use napi::{Env, Error, Result, bindgen_prelude::Float64ArraySlice};
use napi_derive::napi;

use super::{
    exporter::{Exporter, Inner},
    packing::unpack,
};
use crate::counter::{CELLS, CellBlock, Interned, KnownLabelSet};

#[napi]
impl Exporter {
    /// The slot of a label set; `-1 - slot` where the bound took labels away.
    ///
    /// `values` holds the values of `Schema::names`, packed as [`packing`](super::packing) tells.
    #[napi(catch_unwind)]
    pub fn intern(&self, values: String) -> Result<i32> {
        let values = unpack(&values);
        slot_of(self.inner.gatherer.counter().intern(values.iter().map(AsRef::as_ref)))
    }

    /// As `intern` for what this thread has told before: a call site, the ids of object and parent
    /// (below 0 where they are no labels), and a set of properties (0 for none); `null` where that is
    /// not known.
    #[napi(catch_unwind)]
    pub fn intern_known(
        &self,
        site: u32,
        object: i32,
        parent: i32,
        props: u32,
    ) -> Result<Option<i32>> {
        let known = KnownLabelSet {
            site,
            object: object.try_into().ok(),
            parent: parent.try_into().ok(),
            props: (props != 0).then_some(props),
        };
        let Inner { gatherer, thread, .. } = &*self.inner;
        gatherer.counter().intern_known(thread.shard, &known).map(slot_of).transpose()
    }

    /// This thread calls a call site by a number from here on: the first values of `Schema::names`.
    #[napi(catch_unwind)]
    pub fn know_site(&self, number: u32, values: String) {
        let Inner { gatherer, thread, .. } = &*self.inner;
        let values = unpack(&values);
        gatherer.counter().know_site(thread.shard, number, values.iter().map(AsRef::as_ref));
    }

    /// This thread calls a set of properties by a number from here on: the last values of
    /// `Schema::names`.
    #[napi(catch_unwind)]
    pub fn know_props(&self, number: u32, values: String) {
        let Inner { gatherer, thread, .. } = &*self.inner;
        let values = unpack(&values);
        gatherer.counter().know_props(thread.shard, number, values.iter().map(AsRef::as_ref));
    }

    /// This thread has dropped its cache, and all of its numbers.
    #[napi(catch_unwind)]
    pub fn forget(&self) {
        self.inner.gatherer.counter().forget(self.inner.thread.shard);
    }

    /// Creates the cell block of the slots from `index * 4096` on, for JavaScript to count in.
    ///
    /// The memory is created here and not taken from JavaScript, where a typed array can be shared,
    /// resizable, detached or of another length. It belongs to V8, as Electron requires.
    ///
    /// # Errors
    ///
    /// If no slot can have this index, or the block exists.
    #[napi(catch_unwind, ts_return_type = "Float64Array")]
    pub fn create_cells<'env>(
        &mut self,
        env: &'env Env,
        index: u32,
    ) -> Result<Float64ArraySlice<'env>> {
        let Inner { gatherer, thread, .. } = &*self.inner;
        let counter = gatherer.counter();
        let index = index as usize;
        if index > counter.stats().limit as usize / CELLS {
            return Err(Error::from_reason("no slot has an index of this cell block"));
        }
        if self.cell_blocks.contains_key(&index) {
            return Err(Error::from_reason("the cell block exists"));
        }
        let cells = Float64ArraySlice::copy_from(env, vec![0.0; CELLS])?;
        let block = cells.into_typed_array(env)?;
        let address = NonNull::from(block.as_ref()).cast();
        // SAFETY: V8 keeps the memory of a typed array in place, aligned to 8 bytes; `cell_blocks` keeps
        // it alive until the shard is closed; the trace path, which has the only other reference, never
        // detaches it and writes whole, aligned elements.
        #[expect(unsafe_code, reason = "passes the address of memory that JavaScript counts in")]
        let lent = unsafe { CellBlock::new(address) };
        counter.lend_cells(thread.shard, index, lent);
        self.cell_blocks.insert(index, block);
        Ok(cells)
    }

    /// The value of every series, by slot. Copied into V8's own memory: Electron takes no other.
    #[napi(catch_unwind, ts_return_type = "Float64Array")]
    pub fn values<'env>(&self, env: &'env Env) -> Result<Float64ArraySlice<'env>> {
        Float64ArraySlice::copy_from(env, self.inner.gatherer.counter().values())
    }

    /// The labels of the series from a slot on, each as names and values in turn.
    #[napi(catch_unwind)]
    pub fn labels_from(&self, slot: u32) -> Vec<Vec<String>> {
        self.inner.gatherer.counter().labels_from(slot)
    }

    /// How often a slot has been given to another series: labels by slot that were read before may
    /// be others' now.
    #[napi(getter)]
    pub fn reused_slots(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
        let reused = self.inner.gatherer.counter().reused_slots() as f64;
        reused
    }

    /// Sets every series to 0.
    #[napi(catch_unwind)]
    pub fn reset(&self) {
        self.inner.gatherer.counter().reset();
    }
}

fn slot_of(interned: Interned) -> Result<i32> {
    let slot = i32::try_from(interned.slot)
        .map_err(|_| Error::from_reason("there are more series than slots"))?;
    Ok(if interned.shortened { -1 - slot } else { slot })
}
