//! One exporter: a shard of a counter, and the server that shows it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use napi::{
    Env, Error, Result,
    bindgen_prelude::{AsyncTask, Either, Float64Array, Null},
};
use napi_derive::napi;

use super::{
    access::{TlsOptions, UnusableTls},
    families::JsFamily,
    lifetime::{Ends, end_with_thread},
    listen::{Address, ListenOptions, Listening},
    options::{ExporterOptions, HELP},
    render_task::RenderTask,
    requests::{Asker, notice},
    sample::NodeSample,
    thread_call::NumberFunction,
};
use crate::{
    exposition::Format,
    gather::{Gatherer, GathererSource, JsThread, RegisterPage, RegisterSource, RenderRequests},
    server::{Source, tls::SecureContext},
    shared_server::{self, ListenConfig, OpenError, Opened, SharedServer},
};

/// How long the end of a JavaScript thread may wait for the server's.
const EXIT_GRACE: Duration = Duration::from_millis(100);

/// What `HypertracePrometheus()` holds of Rust.
#[napi]
pub struct Exporter {
    pub(super) inner: Arc<Inner>,
    /// Keeps the pages that Rust reads alive; dropped after the shard is closed.
    pub(super) pages: Vec<Float64Array>,
    /// The certificate to show, until there is a server that does.
    tls: Option<SecureContext>,
}

/// What the end of the JavaScript thread has to reach.
pub(super) struct Inner {
    pub(super) gatherer: Arc<Gatherer>,
    pub(super) thread: Arc<JsThread>,
    questions: Arc<RenderRequests>,
    server: Option<Arc<SharedServer>>,
    /// Whether it was opened, and not joined.
    opened: bool,
    stopped: AtomicBool,
}

#[napi]
impl Exporter {
    /// An exporter that serves nothing yet.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, options: ExporterOptions) -> Result<Self> {
        let gatherer = Gatherer::new(Arc::new(options.counter()?), options.default_metrics());
        let inner = Arc::new(Inner {
            thread: gatherer.join(options.worker),
            gatherer: Arc::new(gatherer),
            questions: Arc::default(),
            server: None,
            opened: false,
            stopped: AtomicBool::default(),
        });
        end_with_thread(&env, &inner)?;
        Ok(Self { inner, pages: Vec::new(), tls: None })
    }

    /// The trace counter's name.
    #[napi(getter)]
    pub fn metric_name(&self) -> String {
        self.inner.gatherer.counter().name().to_owned()
    }

    /// The trace counter's help text.
    #[napi(getter)]
    pub fn help(&self) -> &str {
        HELP
    }

    /// The content type of the page.
    #[napi(getter)]
    pub fn content_type(&self) -> &str {
        Format::Text.content_type()
    }

    /// For each allowed property, the config of its label among its owner's: two that become the same
    /// label name have the same config.
    #[napi(getter)]
    pub fn places(&self) -> Vec<u32> {
        self.inner.gatherer.counter().schema().columns().to_vec()
    }

    /// Takes the certificate to show: for the server that `listen` starts, or from now on for the one
    /// that it has started. Gives what is wrong with it, and takes nothing then.
    #[napi(catch_unwind)]
    pub fn secure(&mut self, options: TlsOptions) -> Option<UnusableTls> {
        match (SecureContext::try_from(options), &self.inner.server) {
            (Err(unusable), _) => return Some(unusable.into()),
            (Ok(context), None) => self.tls = Some(context),
            (Ok(context), Some(server)) => {
                server.server().set_secure_context(context);
            }
        }
        None
    }

    /// Serves a port, or joins the thread of this process that does, or says why not. To be called
    /// before anything is counted.
    ///
    /// `ask_sample` is called for each scrape and answers with `deliver` or `decline`; `ask_page`, if
    /// there is one, gets a number and answers with `deliverPage`.
    #[napi(catch_unwind)]
    pub fn listen(
        &mut self,
        env: Env,
        at: ListenOptions,
        ask_sample: NumberFunction<'_>,
        ask_page: Either<NumberFunction<'_>, Null>,
    ) -> Result<Listening> {
        let Inner { gatherer, thread, questions, .. } = &*self.inner;
        let asker = match ask_page {
            Either::A(ask) => Some(Arc::new(Asker::new(&ask)?)),
            Either::B(Null) => None,
        };
        let source = || -> Arc<dyn Source> {
            match asker {
                Some(asker) => Arc::new(RegisterSource {
                    gatherer: Arc::clone(gatherer),
                    thread: Arc::clone(thread),
                    requester: asker,
                    requests: Arc::clone(questions),
                }),
                None => Arc::new(GathererSource(Arc::clone(gatherer))),
            }
        };
        let sampler = Arc::new(Asker::new(&ask_sample)?);
        let worker = at.worker;
        let mut config = ListenConfig::from(at);
        config.door.tls = self.tls.take();
        let inner = match shared_server::open(config, worker, gatherer, source) {
            Ok(Opened::Served(server)) => self.inner.at(server, None),
            Ok(Opened::Joined(server, thread)) => self.inner.at(server, Some(thread)),
            Ok(Opened::Differs(option)) => return Ok(Listening::differs(option)),
            Err(OpenError::Bind(error)) => return Ok(Listening::failed(error)),
            Err(OpenError::Thread(error)) => {
                return Err(Error::from_reason(format!("the server's thread: {error}")));
            }
        };
        inner.thread.node.set_sampler(sampler);
        let joined = !inner.opened;
        self.inner = Arc::new(inner);
        end_with_thread(&env, &self.inner)?;
        Ok(Listening { joined, ..Listening::default() })
    }

    /// Where the page is served.
    #[napi]
    pub fn address(&self) -> Option<Address> {
        let server = self.inner.server.as_ref().filter(|server| !server.is_closed())?;
        if self.inner.stopped.load(Ordering::Relaxed) {
            return None;
        }
        server.server().addresses().first().map(Into::into)
    }

    /// Takes a sample of the JavaScript thread's figures.
    #[napi(catch_unwind)]
    pub fn deliver(&self, sample: NodeSample) {
        self.inner.thread.node.deliver(sample.into());
    }

    /// Answers a question for a sample without one.
    #[napi]
    pub fn decline(&self) {
        self.inner.thread.node.decline();
    }

    /// Answers a question for the register's page; `null` where that could not be rendered.
    #[napi(catch_unwind)]
    pub fn deliver_page(&self, question: u32, text: Option<String>, content_type: String) {
        let page = text.map(|text| RegisterPage { text, content_type });
        self.inner.questions.respond(question, page);
    }

    /// The default families as they are now.
    #[napi(catch_unwind)]
    pub fn families(&self) -> Vec<JsFamily> {
        self.inner.gatherer.families().iter().map(Into::into).collect()
    }

    /// The page, written on a thread of libuv's pool.
    #[napi(catch_unwind, ts_return_type = "Promise<string>")]
    pub fn metrics(&self) -> AsyncTask<RenderTask> {
        AsyncTask::new(RenderTask::new(self.inner.gatherer.page(Format::Text, None)))
    }

    /// Stops the server or leaves it, then calls `done`: the port is free then, if this thread opened
    /// it. To be called once, where series expire after the cache was dropped for good.
    ///
    /// Not a promise of napi's: its deferred takes a cleanup hook back when it is done, which ends
    /// Bare with a fatal error.
    #[napi(catch_unwind)]
    pub fn stop(&self, done: NumberFunction<'_>) -> Result<()> {
        self.inner.stopped.store(true, Ordering::Relaxed);
        self.inner.gatherer.counter().end_cache(self.inner.thread.shard);
        if let Some(server) = &self.inner.server {
            server.stop(&self.inner.thread, self.inner.opened, notice(&done)?);
        } else {
            self.inner.thread.node.stop();
            done.call(0)?;
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
    /// The same at an server: the one that this thread has opened, or joined as this thread.
    fn at(&self, server: Arc<SharedServer>, joined: Option<Arc<JsThread>>) -> Self {
        Self {
            opened: joined.is_none(),
            thread: joined.unwrap_or_else(|| Arc::clone(&self.thread)),
            gatherer: Arc::clone(&server.gatherer),
            questions: Arc::clone(&self.questions),
            server: Some(server),
            stopped: AtomicBool::default(),
        }
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
