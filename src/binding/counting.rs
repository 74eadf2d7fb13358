//! The counter, as `lib/trace` calls it for label sets that it has not cached. Runs on the JavaScript
//! thread.

use std::{ptr::NonNull, sync::Arc};

use napi::{
    Env, Error, Result,
    bindgen_prelude::{Float64ArraySlice, Function},
};
use napi_derive::napi;

use super::{
    exporter::{Exporter, Inner},
    packing::unpack,
    reading::SeriesReading,
};
use crate::counter::{CELLS, CellBlock, DefinedLabelSet, Interned, Reading, ScraperId};

#[napi]
impl Exporter {
    /// Sets the function that is called when the bound shortens a label set for the first time.
    #[napi(catch_unwind)]
    pub fn on_bound(&mut self, callback: Function<'_, (), ()>) -> Result<()> {
        self.on_bound = Some(callback.create_ref()?);
        Ok(())
    }

    /// Returns the slot of a label set. `values` has a value for each name of `Schema::names`, packed as
    /// [`packing`](super::packing) describes.
    #[napi(catch_unwind)]
    pub fn intern(&mut self, env: &Env, values: String) -> u32 {
        let values = unpack(&values);
        let interned = self.inner.gatherer.counter().intern(values.iter().map(AsRef::as_ref));
        self.slot_of(env, interned)
    }

    /// Returns the slot of a label set, as `intern` does, by the numbers that this thread has defined: a call
    /// site, the ids of object and parent (`null` if the id is not a label), and a property set (`null` if
    /// there is none). Returns `null` if a number is not defined.
    #[napi(catch_unwind)]
    pub fn intern_defined(
        &mut self,
        env: &Env,
        site: u32,
        object: Option<u32>,
        parent: Option<u32>,
        props: Option<u32>,
    ) -> Option<u32> {
        let label_set = DefinedLabelSet { site, object, parent, props };
        let Inner { gatherer, thread, .. } = &*self.inner;
        let interned = gatherer.counter().intern_defined(thread.shard, &label_set)?;
        Some(self.slot_of(env, interned))
    }

    /// Defines a call site by number, for this thread. `values` has a value for each of the first names of
    /// `Schema::names`.
    #[napi(catch_unwind)]
    pub fn define_site(&self, number: u32, values: String) {
        let Inner { gatherer, thread, .. } = &*self.inner;
        let values = unpack(&values);
        gatherer.counter().define_site(thread.shard, number, values.iter().map(AsRef::as_ref));
    }

    /// Defines a property set by number, for this thread. `values` has a value for each of the last names of
    /// `Schema::names`.
    #[napi(catch_unwind)]
    pub fn define_props(&self, number: u32, values: String) {
        let Inner { gatherer, thread, .. } = &*self.inner;
        let values = unpack(&values);
        gatherer.counter().define_props(thread.shard, number, values.iter().map(AsRef::as_ref));
    }

    /// Drops all definitions of this thread. The thread calls this when it drops its cache.
    #[napi(catch_unwind)]
    pub fn clear_definitions(&self) {
        self.inner.gatherer.counter().clear_definitions(self.inner.thread.shard);
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
            return Err(Error::from_reason("no slot can be in this cell block"));
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

    /// Starts a reading of all series. `reader` is the number of a metric producer of this thread: no series
    /// expires before this producer has read its last value.
    #[napi(catch_unwind)]
    pub fn read_series(&self, reader: Option<u32>) -> SeriesReading {
        let Inner { gatherer, thread, .. } = &*self.inner;
        let reader = reader.map(|number| ScraperId::of_reader(thread.shard, number));
        SeriesReading::new(Reading::new(Arc::clone(gatherer.counter()), reader))
    }

    /// Sets every series to 0.
    #[napi(catch_unwind)]
    pub fn reset(&self) {
        self.inner.gatherer.counter().reset();
    }
}

impl Exporter {
    fn slot_of(&mut self, env: &Env, interned: Interned) -> u32 {
        if interned.shortened
            && let Some(callback) = self.on_bound.take()
        {
            // A warning that fails must not fail the call that is counted.
            let _ = callback.borrow_back(env).and_then(|callback| callback.call(()));
        }
        interned.slot
    }
}
