//! One exporter: a shard of a counter, and the server that shows it.

use std::{ptr::NonNull, sync::Arc};

use napi::{
    Env, Error, JsString, Result, ScopedTask,
    bindgen_prelude::{AsyncTask, Float64Array},
};
use napi_derive::napi;

use super::options::ExporterOptions;
use crate::{
    counter::{CELLS, LentPage, ShardId, TraceCounter},
    exposition::Page,
};

/// What `HypertracePrometheus()` holds of Rust.
#[napi]
pub struct Exporter {
    counter: Arc<TraceCounter>,
    shard: ShardId,
    /// Keeps the pages that Rust reads alive; dropped after the shard is closed.
    pages: Vec<Float64Array>,
}

#[napi]
impl Exporter {
    /// An exporter that serves nothing yet.
    #[napi(constructor)]
    pub fn new(options: ExporterOptions) -> Result<Self> {
        let counter = Arc::new(options.counter()?);
        let shard = counter.open_shard();
        Ok(Self { counter, shard, pages: Vec::new() })
    }

    /// For each allowed property, the place of its label among its owner's: two that become the same
    /// label name have the same place.
    #[napi(getter)]
    pub fn places(&self) -> Vec<u32> {
        self.counter.schema().places().to_vec()
    }

    /// The slot of a label set; `-1 - slot` where the bound took labels away.
    ///
    /// `values` holds the values of `Schema::names`, each behind its length as one UTF-16 unit.
    #[napi]
    pub fn intern(&self, values: JsString) -> Result<i32> {
        let units = values.into_utf16()?;
        let interned = self.counter.intern(unpack(&units).iter().map(String::as_str));
        let slot = i32::try_from(interned.slot)
            .map_err(|_| Error::from_reason("there are more series than slots"))?;
        Ok(if interned.shortened { -1 - slot } else { slot })
    }

    /// Takes the page of slots `index * 4096` and up, in which JavaScript counts from now on.
    #[napi]
    pub fn lend_page(&mut self, index: u32, page: Float64Array) -> Result<()> {
        if page.len() != CELLS {
            return Err(Error::from_reason("a page has 4096 cells"));
        }
        let cells = NonNull::from(page.as_ref()).cast();
        // SAFETY: V8 keeps a typed array's memory where it is, aligned to 8 bytes; `self.pages` keeps
        // it alive until the shard is closed; its thread writes elements, whole and aligned.
        #[expect(unsafe_code, reason = "vouches for memory that JavaScript counts in")]
        let lent = unsafe { LentPage::new(cells) };
        self.counter.lend_page(self.shard, index as usize, lent);
        self.pages.push(page);
        Ok(())
    }

    /// The page, written on a thread of libuv's pool.
    #[napi(ts_return_type = "Promise<string>")]
    pub fn metrics(&self) -> AsyncTask<RenderTask> {
        AsyncTask::new(RenderTask(Some(Page::new(Arc::clone(&self.counter), Vec::new()))))
    }

    /// The value of every series, by slot.
    #[napi]
    pub fn values(&self) -> Float64Array {
        Float64Array::new(self.counter.values())
    }

    /// The labels of the series from a slot on, each as names and values in turn.
    #[napi]
    pub fn labels_from(&self, slot: u32) -> Vec<Vec<String>> {
        self.counter.labels_from(slot)
    }

    /// Sets every series to 0.
    #[napi]
    pub fn reset(&self) {
        self.counter.reset();
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.counter.close_shard(self.shard);
    }
}

/// Takes values packed into one string apart. Lone surrogates become U+FFFD.
fn unpack(mut units: &[u16]) -> Vec<String> {
    let mut values = Vec::new();
    while let Some((&length, rest)) = units.split_first() {
        let (value, rest) = rest.split_at(usize::from(length).min(rest.len()));
        values.push(String::from_utf16_lossy(value));
        units = rest;
    }
    values
}

/// Writes a page on a thread of libuv's pool.
pub struct RenderTask(Option<Page>);

impl<'task> ScopedTask<'task> for RenderTask {
    type Output = Vec<u8>;
    type JsValue = JsString<'task>;

    fn compute(&mut self) -> Result<Vec<u8>> {
        Ok(self.0.take().map(Page::into_bytes).unwrap_or_default())
    }

    /// ASCII is Latin-1 too, which V8 copies without decoding it.
    fn resolve(&mut self, env: &'task Env, page: Vec<u8>) -> Result<JsString<'task>> {
        if page.is_ascii() {
            env.create_string_latin1(page)
        } else {
            env.create_string(String::from_utf8_lossy(&page))
        }
    }
}
