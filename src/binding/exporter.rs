//! One exporter: a JavaScript thread that counts, and the server that serves its page.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, UNIX_EPOCH},
};

use napi::{
    Env, Error, Result,
    bindgen_prelude::{Float64Array, FunctionRef},
};
use napi_derive::napi;

use super::{
    access::{TlsOptions, TlsRenewal, UnusableTls},
    families::JsFamily,
    lifetime::{Ends, end_with_thread},
    listen::{Address, Failure, ListenOptions, Listening},
    options::ExporterOptions,
    renderer::Renderer,
    requests::{
        PageRequests, QuestionCallback, Questions, RenderCallback, SampleCallback, SampleRequests,
        notice,
    },
    sample::{NodeAnswer, NodeSample},
    thread_call::{Callback, ThreadCall},
};
use crate::{
    exposition::Format,
    gather::{Gatherer, GathererSource, JsThread, RegisterPage, RegisterSource, RenderRequests},
    server::{Source, tls::SecureContext},
    shared_server::{self, OpenError, Opened, Served, SharedServer},
};

/// The longest interval between two sweeps of a thread. A sweep reads every series.
const LONGEST_SWEEP: Duration = Duration::from_secs(60);

/// The longest time that the end of a JavaScript thread may wait for the end of the server thread.
const EXIT_GRACE: Duration = Duration::from_millis(100);

/// The Rust side of one `HypertracePrometheus()`.
#[napi]
pub struct Exporter {
    pub(super) inner: Arc<Inner>,
    /// Keeps the process alive while this thread's server is open. A threadsafe function is the only handle
    /// that every runtime can reference and that no fake clock of a test replaces.
    keep_alive: Option<ThreadCall<bool>>,
    renderer: Renderer,
    /// Called when the bound shortens a label set for the first time.
    pub(super) on_bound: Option<FunctionRef<(), ()>>,
    /// The cell blocks that Rust reads, by index. Dropped after the shard is closed.
    pub(super) cell_blocks: HashMap<usize, Float64Array>,
}

/// The state that must end with the JavaScript thread.
pub(super) struct Inner {
    pub(super) gatherer: Arc<Gatherer>,
    pub(super) thread: Arc<JsThread>,
    render_requests: Arc<RenderRequests>,
    server: Option<Arc<SharedServer>>,
    /// `true` if this thread started the server.
    started: bool,
    stopped: AtomicBool,
    sweeps: Sweeps,
}

/// The sweeps of one thread, which expire idle series. They run when a page is made. No timer is needed,
/// because a series expires only after a page has shown its last value.
struct Sweeps {
    /// The minimum time between two sweeps; `None` if series do not expire.
    interval: Option<Duration>,
    last: Mutex<Option<Instant>>,
}

impl Sweeps {
    fn new(options: &ExporterOptions) -> Self {
        let interval = options.idle_timeout().map(|timeout| timeout.min(LONGEST_SWEEP * 4) / 4);
        Self { interval, last: Mutex::default() }
    }

    /// Returns whether a sweep is due, and if so, records that it has begun.
    fn are_due(&self, now: Instant) -> bool {
        let Some(interval) = self.interval else { return false };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| now.saturating_duration_since(last) >= interval);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

#[napi]
impl Exporter {
    /// Creates an exporter without a server.
    ///
    /// # Errors
    ///
    /// If the options do not describe a counter, or the environment is ending.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, options: ExporterOptions) -> Result<Self> {
        let gatherer = Arc::new(options.gatherer().map_err(reason)?);
        let thread = gatherer.join(options.worker);
        let inner = Inner {
            gatherer,
            thread,
            render_requests: Arc::default(),
            server: None,
            started: false,
            stopped: AtomicBool::default(),
            sweeps: Sweeps::new(&options),
        };
        Self::with(&env, inner, None)
    }

    /// Creates an exporter that serves a port, or counts for the page of the thread of this process that
    /// serves the port.
    ///
    /// Each scrape calls `request_sample`, which responds with `deliver` or `decline`. The argument of
    /// `request_sample` is true if the window of event-loop delay must not end. `request_page`, which
    /// only a registry needs, receives a number and responds with `deliverPage`. `answer_question`, which
    /// only the recorder needs, responds with `answer`.
    ///
    /// # Errors
    ///
    /// If the options do not describe a counter, or the environment is ending.
    #[napi(
        catch_unwind,
        ts_args_type = "options: ExporterOptions, listen: ListenOptions, requestSample: (keepsWindow: boolean) => void, requestPage: ((request: number) => void) | null, answerQuestion: (() => void) | null"
    )]
    pub fn listen(
        env: Env,
        options: ExporterOptions,
        listen: ListenOptions,
        request_sample: SampleCallback<'_>,
        request_page: Option<RenderCallback<'_>>,
        answer_question: Option<QuestionCallback<'_>>,
    ) -> Result<Listening> {
        let config = match listen.into_config(options.worker) {
            Ok(config) => config,
            Err(unusable) => {
                let unusable_tls = Some(unusable.into());
                return Ok(Listening { unusable_tls, ..Listening::default() });
            }
        };
        let samples = Arc::new(SampleRequests::new(&request_sample)?);
        let keep_alive = ThreadCall::new(&request_sample, true)?;
        let pages = request_page.as_ref().map(PageRequests::new).transpose()?.map(Arc::new);
        let questions = answer_question.as_ref().map(Questions::new).transpose()?;
        let render_requests = Arc::<RenderRequests>::default();
        let create = || {
            let gatherer = Arc::new(options.gatherer()?.with_recorder(options.history));
            let thread = gatherer.join(options.worker);
            let source: Arc<dyn Source> = match pages {
                Some(pages) => Arc::new(RegisterSource {
                    gatherer: Arc::clone(&gatherer),
                    requester: pages,
                    requests: Arc::clone(&render_requests),
                }),
                None => Arc::new(GathererSource(Arc::clone(&gatherer))),
            };
            Ok::<_, prometheus::Error>(Served { gatherer, thread, source })
        };
        let (server, thread, started) = match shared_server::open(config, create) {
            Ok(Opened::Started(server, thread)) => (server, thread, true),
            Ok(Opened::Joined(server, thread)) => (server, thread, false),
            Ok(Opened::Differs(difference)) => {
                let differs = Some(difference.into());
                return Ok(Listening { differs, ..Listening::default() });
            }
            Err(OpenError::Bind(error)) => {
                return Ok(Listening { failure: Some(error.into()), ..Listening::default() });
            }
            Err(OpenError::Thread(error)) => {
                let failure = Some(Failure::thread(&error));
                return Ok(Listening { failure, ..Listening::default() });
            }
            Err(OpenError::Folder(error)) => {
                let failure = Some(Failure::folder(&error));
                return Ok(Listening { failure, ..Listening::default() });
            }
            Err(OpenError::Page(error)) => return Err(reason(error)),
        };
        thread.node.set_requester(samples);
        if let Some(questions) = questions {
            thread.watch.set_questioner(Arc::new(questions));
        }
        let inner = Inner {
            gatherer: Arc::clone(&server.gatherer),
            thread,
            render_requests,
            server: Some(server),
            started,
            stopped: AtomicBool::default(),
            sweeps: Sweeps::new(&options),
        };
        let exporter = Some(Self::with(&env, inner, started.then_some(keep_alive))?);
        Ok(Listening { exporter, joined: !started, ..Listening::default() })
    }

    fn with(env: &Env, inner: Inner, keep_alive: Option<ThreadCall<bool>>) -> Result<Self> {
        let inner = Arc::new(inner);
        end_with_thread(env, &inner)?;
        Ok(Self {
            inner,
            keep_alive,
            renderer: Renderer::default(),
            on_bound: None,
            cell_blocks: HashMap::new(),
        })
    }

    /// Sets whether the open server keeps the process alive.
    #[napi]
    pub fn set_keeps_alive(&self, env: Env, keeps_alive: bool) {
        if let Some(keep_alive) = &self.keep_alive {
            keep_alive.set_keeps_alive(&env, keeps_alive);
        }
    }

    /// Returns the column of each allowed property: the index of its label among the labels of its owner.
    /// Properties that become the same label name have the same column.
    #[napi(getter)]
    pub fn prop_columns(&self) -> Vec<u32> {
        self.inner.gatherer.counter().schema().columns().to_vec()
    }

    /// Returns the time at which the counts of the page began, in seconds since the Unix epoch and nanoseconds.
    #[napi(getter, ts_return_type = "[seconds: number, nanoseconds: number]")]
    pub fn opened(&self) -> Vec<f64> {
        let opened = self.inner.gatherer.opened().duration_since(UNIX_EPOCH).unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
        let seconds = opened.as_secs() as f64;
        vec![seconds, opened.subsec_nanos().into()]
    }

    /// Returns the TLS option that cannot be used; `null` if all can be used.
    #[napi(catch_unwind)]
    pub fn check_tls(options: TlsOptions) -> Option<UnusableTls> {
        SecureContext::try_from(&options).err().map(Into::into)
    }

    /// Renews the certificate of the server, from the next handshake on. If an option cannot be used, returns
    /// it and changes nothing.
    #[napi(catch_unwind)]
    pub fn set_secure_context(&self, renewal: TlsRenewal) -> Option<UnusableTls> {
        let server = self.inner.server.as_ref()?.server();
        match renewal.renew(&server.secure_context()?) {
            Ok(context) => {
                server.set_secure_context(context);
                None
            }
            Err(unusable) => Some(unusable.into()),
        }
    }

    /// Returns the address that the page is served on; `null` without a server and after `stop`.
    #[napi]
    pub fn address(&self) -> Option<Address> {
        let server = self.inner.server.as_ref().filter(|server| !server.is_closed())?;
        if self.inner.stopped.load(Ordering::Relaxed) {
            return None;
        }
        let address = server.server().addresses().first()?;
        Some(Address::new(address, server.host()))
    }

    /// Stores a sample of this thread, and sweeps if a sweep is due. Returns `true` if the trace path must drop
    /// its cache before it counts again.
    #[napi(catch_unwind)]
    pub fn deliver(&self, sample: NodeSample) -> bool {
        let drop_cache = self.sweep();
        self.inner.thread.node.deliver(sample.into());
        drop_cache
    }

    /// Expires idle series if a sweep is due. Returns `true` if the trace path must drop its cache before it
    /// counts again.
    #[napi(catch_unwind)]
    pub fn sweep(&self) -> bool {
        let Inner { gatherer, thread, stopped, sweeps, .. } = &*self.inner;
        let now = Instant::now();
        !stopped.load(Ordering::Relaxed)
            && sweeps.are_due(now)
            && gatherer.counter().sweep(thread.shard, now)
    }

    /// Ends a request for a sample without a sample.
    #[napi]
    pub fn decline(&self) {
        self.inner.thread.node.decline();
    }

    /// Answers a question of the recorder, with the figures that take little time to read.
    #[napi(catch_unwind)]
    pub fn answer(&self, figures: NodeAnswer) {
        self.inner.thread.watch.answer(figures.into());
    }

    /// Begins to render the page of the registry for a request. Returns `false` if no scrape waits for it any
    /// more.
    #[napi(catch_unwind)]
    pub fn begin_page(&self, request: u32) -> bool {
        self.inner.render_requests.begin(request)
    }

    /// Answers a request for the page of the registry; `null` if it could not be rendered.
    #[napi(catch_unwind)]
    pub fn deliver_page(&self, request: u32, page: Option<JsPage>) {
        let page = page.map(|JsPage { text, content_type }| RegisterPage { text, content_type });
        self.inner.render_requests.respond(request, page);
    }

    /// Returns the default families as they are now.
    #[napi(catch_unwind)]
    pub fn families(&self) -> Vec<JsFamily> {
        self.inner.gatherer.families().iter().map(Into::into).collect()
    }

    /// Renders the page on another thread, and passes it to `done`; `undefined` if it is too long for a string.
    ///
    /// # Errors
    ///
    /// If the environment is ending.
    #[napi(catch_unwind, ts_args_type = "done: (page: string | undefined) => void")]
    pub fn render(&self, done: Callback<'_, String>) -> Result<()> {
        let page = self.inner.gatherer.page(Format::Text, None);
        self.renderer.render(page, ThreadCall::new(&done, true)?);
        Ok(())
    }

    /// Stops the server or leaves it, then calls `done`. If this thread started the server, its port
    /// is free by then. Called once, after the trace path has dropped its cache and stopped caching.
    ///
    /// It returns no promise: napi's deferred removes a cleanup hook, which ends Bare with a fatal
    /// error.
    ///
    /// # Errors
    ///
    /// If the environment is ending.
    #[napi(catch_unwind, ts_args_type = "done: () => void")]
    pub fn stop(&mut self, done: Callback<'_, ()>) -> Result<()> {
        self.keep_alive = None;
        self.inner.stopped.store(true, Ordering::Relaxed);
        self.inner.gatherer.counter().end_cache(self.inner.thread.shard);
        if let Some(server) = &self.inner.server {
            server.stop(&self.inner.thread, self.inner.started, notice(&done)?);
        } else {
            self.inner.thread.node.stop();
            self.inner.thread.watch.leave();
            done.call(())?;
        }
        Ok(())
    }

    /// Ends the exporter and waits for the end of its server, for at most 100 ms. Called if the creation of an
    /// exporter has failed.
    #[napi(catch_unwind)]
    pub fn abort(&mut self) {
        self.keep_alive = None;
        self.inner.stopped.store(true, Ordering::Relaxed);
        self.inner.end();
    }
}

/// A page as a registry rendered it.
#[napi(object, object_to_js = false)]
pub struct JsPage {
    /// The page.
    pub text: String,
    /// The content type of the registry.
    pub content_type: String,
}

fn reason(error: impl std::fmt::Display) -> Error {
    Error::from_reason(error.to_string())
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.inner.end();
    }
}

impl Ends for Inner {
    fn end(&self) {
        if let Some(server) = &self.server {
            server.end(&self.thread, EXIT_GRACE);
        } else {
            self.gatherer.leave(&self.thread);
            self.gatherer.counter().close_shard(self.thread.shard);
        }
    }
}
