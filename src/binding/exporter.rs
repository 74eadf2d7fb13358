//! One exporter: a shard of a counter, and the server that shows it.

use std::{
    ptr::NonNull,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use napi::{
    Env, Error, JsString, Result,
    bindgen_prelude::{AsyncTask, Either, Float64Array, Null, Object},
};
use napi_derive::napi;

use super::{
    families::JsFamily,
    lifetime::{Ends, end_with_thread},
    listening::{Address, Failure},
    options::{ExporterOptions, HELP},
    questions::{AskFunction, Asker},
    render_task::RenderTask,
    sample::NodeSample,
};
use crate::{
    counter::{CELLS, LentPage, ShardId},
    exposition::CONTENT_TYPE,
    scrape::{OwnPages, PageQuestions, RegisterPage, RegisterPages, Scraper},
    server::{Limits, Server, Source, listen},
};

/// How long the end of a JavaScript thread may wait for the server's.
const EXIT_GRACE: Duration = Duration::from_millis(100);

/// What `HypertracePrometheus()` holds of Rust.
#[napi]
pub struct Exporter {
    inner: Arc<Inner>,
    /// Keeps the pages that Rust reads alive; dropped after the shard is closed.
    pages: Vec<Float64Array>,
}

/// What the end of the JavaScript thread has to reach.
struct Inner {
    scraper: Arc<Scraper>,
    shard: ShardId,
    questions: Arc<PageQuestions>,
    server: Mutex<Option<Arc<Server>>>,
}

#[napi]
impl Exporter {
    /// An exporter that serves nothing yet.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, options: ExporterOptions) -> Result<Self> {
        let scraper = Scraper::new(Arc::new(options.counter()?), options.dress());
        let shard = scraper.counter().open_shard();
        let inner = Arc::new(Inner {
            scraper: Arc::new(scraper),
            shard,
            questions: Arc::default(),
            server: Mutex::default(),
        });
        end_with_thread(&env, &inner)?;
        Ok(Self { inner, pages: Vec::new() })
    }

    /// The trace counter's name.
    #[napi(getter)]
    pub fn metric_name(&self) -> String {
        self.inner.scraper.counter().name().to_owned()
    }

    /// The trace counter's help text.
    #[napi(getter)]
    pub fn help(&self) -> &str {
        HELP
    }

    /// The content type of the page.
    #[napi(getter)]
    pub fn content_type(&self) -> &str {
        CONTENT_TYPE
    }

    /// For each allowed property, the place of its label among its owner's: two that become the same
    /// label name have the same place.
    #[napi(getter)]
    pub fn places(&self) -> Vec<u32> {
        self.inner.scraper.counter().schema().places().to_vec()
    }

    /// The slot of a label set; `-1 - slot` where the bound took labels away.
    ///
    /// `values` holds the values of `Schema::names`, each behind its length as one UTF-16 unit.
    #[napi(catch_unwind)]
    pub fn intern(&self, values: JsString) -> Result<i32> {
        let units = values.into_utf16()?;
        let counter = self.inner.scraper.counter();
        let interned = counter.intern(unpack(&units).iter().map(String::as_str));
        let slot = i32::try_from(interned.slot)
            .map_err(|_| Error::from_reason("there are more series than slots"))?;
        Ok(if interned.shortened { -1 - slot } else { slot })
    }

    /// Takes the page of slots `index * 4096` and up, in which JavaScript counts from now on.
    #[napi(catch_unwind)]
    pub fn lend_page(&mut self, index: u32, page: Float64Array) -> Result<()> {
        if page.len() != CELLS {
            return Err(Error::from_reason("a page has 4096 cells"));
        }
        let cells = NonNull::from(page.as_ref()).cast();
        // SAFETY: V8 keeps a typed array's memory where it is, aligned to 8 bytes; `self.pages` keeps
        // it alive until the shard is closed; its thread writes elements, whole and aligned.
        #[expect(unsafe_code, reason = "vouches for memory that JavaScript counts in")]
        let lent = unsafe { LentPage::new(cells) };
        self.inner.scraper.counter().lend_page(self.inner.shard, index as usize, lent);
        self.pages.push(page);
        Ok(())
    }

    /// Starts the server, or says why not.
    ///
    /// `ask_sample` is called for each scrape and answers with `deliver` or `decline`; `ask_page`, if
    /// there is one, gets a number and answers with `deliverPage`.
    #[napi(catch_unwind)]
    pub fn listen(
        &self,
        host: String,
        port: u16,
        ask_sample: AskFunction<'_>,
        ask_page: Either<AskFunction<'_>, Null>,
    ) -> Result<Either<Failure, Null>> {
        let listeners = match listen::bind(&host, port) {
            Ok(listeners) => listeners,
            Err(error) => return Ok(Either::A(error.into())),
        };
        let scraper = Arc::clone(&self.inner.scraper);
        let source: Arc<dyn Source> = match ask_page {
            Either::A(ask) => Arc::new(RegisterPages {
                scraper: Arc::clone(&scraper),
                asker: Arc::new(Asker::new(&ask)?),
                questions: Arc::clone(&self.inner.questions),
            }),
            Either::B(Null) => Arc::new(OwnPages(Arc::clone(&scraper))),
        };
        scraper.node().set_sampler(Arc::new(Asker::new(&ask_sample)?));
        let server = Server::start(listeners, source, Limits::default())
            .map_err(|error| Error::from_reason(format!("the server thread: {error}")))?;
        *self.inner.server() = Some(Arc::new(server));
        Ok(Either::B(Null))
    }

    /// Where the server listens.
    #[napi]
    pub fn address(&self) -> Option<Address> {
        let server = self.inner.server();
        server.as_ref().and_then(|server| server.addresses().first()).map(Into::into)
    }

    /// Takes a sample of the JavaScript thread's figures.
    #[napi(catch_unwind)]
    pub fn deliver(&self, sample: NodeSample) {
        self.inner.scraper.node().deliver(sample.into());
    }

    /// Answers a question for a sample without one.
    #[napi]
    pub fn decline(&self) {
        self.inner.scraper.node().decline();
    }

    /// Answers a question for the register's page; `null` where that could not be rendered.
    #[napi(catch_unwind)]
    pub fn deliver_page(&self, question: u32, text: Option<String>, content_type: String) {
        let page = text.map(|text| RegisterPage { text, content_type });
        self.inner.questions.answer(question, page);
    }

    /// The default families as they are now.
    #[napi(catch_unwind)]
    pub fn families(&self) -> Vec<JsFamily> {
        self.inner.scraper.families().iter().map(Into::into).collect()
    }

    /// The page, written on a thread of libuv's pool.
    #[napi(catch_unwind, ts_return_type = "Promise<string>")]
    pub fn metrics(&self) -> AsyncTask<RenderTask> {
        AsyncTask::new(RenderTask::new(self.inner.scraper.page()))
    }

    /// The value of every series, by slot.
    #[napi(catch_unwind)]
    pub fn values(&self) -> Float64Array {
        Float64Array::new(self.inner.scraper.counter().values())
    }

    /// The labels of the series from a slot on, each as names and values in turn.
    #[napi(catch_unwind)]
    pub fn labels_from(&self, slot: u32) -> Vec<Vec<String>> {
        self.inner.scraper.counter().labels_from(slot)
    }

    /// Sets every series to 0.
    #[napi(catch_unwind)]
    pub fn reset(&self) {
        self.inner.scraper.counter().reset();
    }

    /// Stops the server; resolves when the port is free. To be called once.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn stop<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let (deferred, promise) = env.create_deferred()?;
        self.inner.scraper.node().stop();
        let settle = move || deferred.resolve(|_| Ok(()));
        match self.inner.server().take() {
            Some(server) => server.stop(settle),
            None => settle(),
        }
        Ok(promise)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.inner.end();
    }
}

impl Inner {
    fn server(&self) -> MutexGuard<'_, Option<Arc<Server>>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ends for Inner {
    fn end(&self) {
        self.scraper.node().stop();
        if let Some(server) = self.server().take() {
            // A thread that does not make it is left to the end of the process.
            let _ = server.stop_within(EXIT_GRACE);
        }
        self.scraper.counter().close_shard(self.shard);
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
