//! One exporter: a shard of a counter, and the server that shows it.

use std::{
    ptr::NonNull,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use napi::{
    Env, Error, JsString, Result,
    bindgen_prelude::{AsyncTask, Either, Float64Array, Float64ArraySlice, Null},
};
use napi_derive::napi;

use super::{
    families::JsFamily,
    lifetime::{Ends, end_with_thread},
    listening::{Address, Failure},
    options::{ExporterOptions, HELP},
    questions::{Asker, notice},
    render_task::RenderTask,
    sample::NodeSample,
    thread_call::NumberFunction,
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
    server: Mutex<Option<Server>>,
    stopped: AtomicBool,
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
            stopped: AtomicBool::default(),
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
        ask_sample: NumberFunction<'_>,
        ask_page: Either<NumberFunction<'_>, Null>,
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
        *self.inner.server() = Some(server);
        Ok(Either::B(Null))
    }

    /// Where the server listens.
    #[napi]
    pub fn address(&self) -> Option<Address> {
        if self.inner.stopped.load(Ordering::Relaxed) {
            return None;
        }
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

    /// The value of every series, by slot. Copied into V8's own memory: Electron takes no other.
    #[napi(catch_unwind, ts_return_type = "Float64Array")]
    pub fn values<'env>(&self, env: &'env Env) -> Result<Float64ArraySlice<'env>> {
        Float64ArraySlice::copy_from(env, self.inner.scraper.counter().values())
    }

    /// The labels of the series from a slot on, each as names and values in turn.
    #[napi(catch_unwind)]
    pub fn labels_from(&self, slot: u32) -> Vec<Vec<String>> {
        self.inner.scraper.counter().labels_from(slot)
    }

    /// How often a slot has been given to another series: labels by slot that were read before may
    /// be others' now.
    #[napi(getter)]
    pub fn reused_slots(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
        let reused = self.inner.scraper.counter().reused_slots() as f64;
        reused
    }

    /// Lets idle series go; `true`: drop the cache before the next count.
    #[napi(catch_unwind)]
    pub fn sweep(&self) -> bool {
        self.inner.scraper.counter().sweep(self.inner.shard, Instant::now())
    }

    /// Sets every series to 0.
    #[napi(catch_unwind)]
    pub fn reset(&self) {
        self.inner.scraper.counter().reset();
    }

    /// Stops the server, then calls `done`, when the port is free. To be called once.
    ///
    /// Not a promise of napi's: its deferred takes a cleanup hook back when it is done, which ends
    /// Bare with a fatal error.
    #[napi(catch_unwind)]
    pub fn stop(&self, done: NumberFunction<'_>) -> Result<()> {
        self.inner.scraper.node().stop();
        self.inner.stopped.store(true, Ordering::Relaxed);
        // The server stays known: the end of the thread may have to cut what is under way.
        match &*self.inner.server() {
            Some(server) => server.stop(notice(&done)?),
            None => {
                done.call(0)?;
            }
        }
        Ok(())
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.inner.end();
    }
}

impl Inner {
    fn server(&self) -> MutexGuard<'_, Option<Server>> {
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
