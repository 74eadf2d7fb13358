//! Servers that the JavaScript threads of this process share.
//!
//! The thread that opens a port starts a server. Other threads of the process that open the same port
//! join that server, so that one page shows the whole process. The list of open servers is the only
//! state here that belongs to the process.
//!
//! # Invariants
//!
//! - A port is opened and joined under the lock of the list: of two threads that open a port at the
//!   same time, one starts the server and the other joins it.
//! - The thread that started a server closes it with `stop`; otherwise the last thread to leave does.
//! - If the end of a thread closes a port, the port is free when the lock is released, so that the next
//!   thread can open it. The only exception is a server thread that ends after the limit of
//!   [`SharedServer::end`].
//! - No slow operation runs under the lock, because a thread that ends waits for the lock. Host names are
//!   resolved before. The server thread never acquires the lock.
//! - The server requests no sample from a thread that has left. The counts of this thread stay on the page.

use std::{error::Error, time::Duration};

pub use crate::cluster::SharedOptions;

use crate::{
    cluster::{self, ClusterOptions, ClusterSource, EnterError, Hub, NETWORK},
    gather::{Gatherer, GathererSource, JsThread},
    server::{
        Limits, Server, Setup, Source,
        access::{AccessPolicy, Credentials},
        listen::{BindError, Target},
        tls::SecureContext,
    },
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

/// The address to listen on, and the options of the thread that opens it.
#[derive(Clone, Debug)]
pub struct ListenConfig {
    /// The host as the user wrote it.
    pub host: String,
    /// The port. With 0 the system chooses one, and no thread joins.
    pub port: u16,
    /// The `threadId` of a worker thread; `None` on the main thread.
    pub worker: Option<u32>,
    /// The options that must be equal in a thread that joins.
    pub shared_options: SharedOptions,
    /// The access policy. A thread that joins has the same policy or none.
    pub access: AccessPolicy,
    /// The option that prevents this thread from joining any server.
    pub join_blocker: Option<String>,
    /// `true` if other processes may share the port.
    pub cluster: bool,
}

/// An open server and the gatherer of its page.
pub struct SharedServer {
    /// The gatherer of the page.
    pub gatherer: Arc<Gatherer>,
    server: Server,
    config: ListenConfig,
    closed: AtomicBool,
}

static OPEN_SERVERS: LazyLock<Mutex<ServerList>> = LazyLock::new(Mutex::default);

/// Held while a thread opens or joins a port that processes share, so that no other thread of this process
/// does so at the same time. This may take seconds if an opener is about to end. Acquired before
/// [`OPEN_SERVERS`].
static ENTERING: Mutex<()> = Mutex::new(());

type ServerList = Vec<Weak<SharedServer>>;

/// The objects that a new server needs for its page.
pub struct Served {
    /// The gatherer of the page.
    pub gatherer: Arc<Gatherer>,
    /// The calling thread.
    pub thread: Arc<JsThread>,
    /// The source of the page.
    pub source: Arc<dyn Source>,
}

/// The result of opening a port.
pub enum Opened {
    /// The calling thread has started a server.
    Started(Arc<SharedServer>, Arc<JsThread>),
    /// Another thread of this process serves the port, and the calling thread has joined.
    Joined(Arc<SharedServer>, Arc<JsThread>),
    /// Another thread or process serves the port, and this option prevents the calling thread from joining.
    Differs(Difference),
}

/// An option that prevents a thread from joining a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The name of the option.
    pub option: String,
    /// Its value in the thread that started the server, in the canonical form; `None` if the value is
    /// secret or not the cause.
    pub expected: Option<String>,
    /// `true` if the server is in another process.
    pub is_of_process: bool,
}

impl Difference {
    fn of(option: impl Into<String>) -> Self {
        Self { option: option.into(), expected: None, is_of_process: false }
    }
}

/// The reason why a port was not opened.
#[derive(Debug)]
pub enum OpenError {
    /// The address cannot be listened on.
    Bind(BindError),
    /// The server thread was not started.
    Thread(std::io::Error),
    /// The page was not created.
    Page(Box<dyn Error + Send + Sync>),
    /// There is no folder in which processes can find each other.
    Folder(std::io::Error),
}

/// Starts a server for a port, or joins the server of another thread. `create` is called if a server
/// is started.
///
/// # Errors
///
/// If the port cannot be opened, also when the calling thread itself serves it. Nothing stays open.
pub fn open<E: Into<Box<dyn Error + Send + Sync>>>(
    config: ListenConfig,
    create: impl FnOnce() -> Result<Served, E>,
) -> Result<Opened, OpenError> {
    if config.cluster {
        return enter(config, create);
    }
    if let Some(joined) = join(&open_servers(), &config) {
        return Ok(joined);
    }
    let target = Target::resolve(&config.host, config.port).map_err(OpenError::Bind)?;
    let mut open = open_servers();
    if let Some(joined) = join(&open, &config) {
        return Ok(joined);
    }
    let listeners = match target.bind() {
        Ok(listeners) => listeners,
        Err(error) if error.code == "EADDRINUSE" && others(&open, config.port).next().is_some() => {
            return Ok(Opened::Differs(Difference::of("host")));
        }
        Err(error) => return Err(OpenError::Bind(error)),
    };
    let Served { gatherer, thread, source } =
        create().map_err(|error| OpenError::Page(error.into()))?;
    let server =
        Server::start_with_access(config.access.clone(), listeners, source, Limits::default())
            .map_err(OpenError::Thread)?;
    let server = SharedServer::add(&mut open, gatherer, server, config);
    Ok(Opened::Started(server, thread))
}

/// Does the same as [`open`], for a port that processes share.
fn enter<E: Into<Box<dyn Error + Send + Sync>>>(
    config: ListenConfig,
    create: impl FnOnce() -> Result<Served, E>,
) -> Result<Opened, OpenError> {
    let target = Target::resolve(&config.host, config.port).map_err(OpenError::Bind)?;
    let _entering = ENTERING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(joined) = join(&open_servers(), &config) {
        return Ok(joined);
    }
    if is_at(&open_servers(), config.port) {
        return Err(OpenError::Bind(target.in_use()));
    }
    let Served { gatherer, thread, .. } =
        create().map_err(|error| OpenError::Page(error.into()))?;
    let runtime = Server::runtime().map_err(OpenError::Thread)?;
    let mut options = ClusterOptions {
        target,
        port: config.port,
        shared: process_options(&config),
        max_series: gatherer.counter().stats().limit,
        folders: Vec::new(),
    };
    let role = match cluster::enter(&runtime, &mut options) {
        Ok(role) => role,
        Err(EnterError::Bind(error)) => return Err(OpenError::Bind(error)),
        Err(EnterError::Folder(error)) => return Err(OpenError::Folder(error)),
        Err(EnterError::Differs(option, value)) => {
            let expected = (!SECRET.contains(&option.as_str())).then_some(value);
            return Ok(Opened::Differs(Difference { option, expected, is_of_process: true }));
        }
    };
    let hub = Arc::<Hub>::default();
    let alone = Arc::new(GathererSource(Arc::clone(&gatherer)));
    let source = Arc::new(ClusterSource::new(Arc::clone(&gatherer), Arc::clone(&hub)));
    let addresses = vec![target.address(options.port)];
    let background = cluster::background(role, options, Arc::clone(&gatherer), alone, hub);
    let server = Server::start_with(Setup {
        runtime,
        policy: config.access.clone(),
        listeners: Vec::new(),
        addresses,
        source,
        limits: Limits::default(),
        background: Some(background),
    })
    .map_err(OpenError::Thread)?;
    let server = SharedServer::add(&mut open_servers(), gatherer, server, config);
    Ok(Opened::Started(server, thread))
}

/// The shared options whose values are not shown.
const SECRET: [&str; 3] = ["auth", "tls", NETWORK];

/// Returns the options that must be equal in all processes of a port. Each process may become the opener.
fn process_options(config: &ListenConfig) -> SharedOptions {
    let mut options = config.shared_options.clone();
    let mut add = |name: &str, value: String| options.push((name.to_owned(), value));
    add("host", format!("{:?}", config.host.to_ascii_lowercase()));
    add("allowedHosts", format!("{:?}", config.access.allowed_hosts));
    add(
        "auth",
        config.access.credentials.as_ref().map(Credentials::fingerprint).unwrap_or_default(),
    );
    // Certificates are not compared, because a process that starts later may have a newer one.
    add("tls", format!("{:?}", config.access.tls.as_ref().map(SecureContext::requirements)));
    // Two containers may share a folder but not the port.
    let network = std::fs::read_link("/proc/self/ns/net").unwrap_or_default();
    add(NETWORK, network.to_string_lossy().into_owned());
    options
}

/// Returns whether the calling thread counts for an open server of a port.
fn is_at(open: &ServerList, port: u16) -> bool {
    open.iter().filter_map(Weak::upgrade).any(|server| {
        !server.is_closed()
            && server.has_port(port)
            && server.gatherer.threads().include_this_thread()
    })
}

fn join(open: &ServerList, config: &ListenConfig) -> Option<Opened> {
    let has_host = |other: &Arc<SharedServer>| other.config.host.eq_ignore_ascii_case(&config.host);
    let server = others(open, config.port).find(has_host)?;
    let blocker = config.join_blocker.clone().map(Difference::of);
    if let Some(difference) = blocker.or_else(|| server.differing(config)) {
        return Some(Opened::Differs(difference));
    }
    let thread = server.gatherer.join(config.worker);
    Some(Opened::Joined(server, thread))
}

/// Returns the open servers of a port that the calling thread does not count for.
fn others(open: &ServerList, port: u16) -> impl Iterator<Item = Arc<SharedServer>> {
    open.iter().filter_map(Weak::upgrade).filter(move |server| {
        !server.is_closed()
            && server.has_port(port)
            && !server.gatherer.threads().include_this_thread()
    })
}

/// Returns the first option of `ours` whose value differs in `theirs`.
fn differing(ours: &SharedOptions, theirs: &SharedOptions) -> Option<Difference> {
    let (option, value) = cluster::differing(ours, theirs)?;
    Some(Difference { option, expected: Some(value), is_of_process: false })
}

impl SharedServer {
    fn add(
        open: &mut ServerList,
        gatherer: Arc<Gatherer>,
        server: Server,
        config: ListenConfig,
    ) -> Arc<Self> {
        let closed = AtomicBool::new(false);
        let server = Arc::new(Self { gatherer, server, config, closed });
        open.retain(|other| other.strong_count() > 0);
        open.push(Arc::downgrade(&server));
        server
    }

    /// Returns the server.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Returns the host as the user wrote it.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.config.host
    }

    /// Returns whether the server has been closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Removes a thread that stops. The thread that `started` the server closes it; any other thread
    /// only leaves. `on_left` runs when that is done.
    pub fn stop(
        &self,
        thread: &Arc<JsThread>,
        started: bool,
        on_left: impl FnOnce() + Send + 'static,
    ) {
        if self.leave(thread, started, &open_servers()) {
            self.server.stop(on_left);
        } else {
            on_left();
        }
    }

    /// Removes a thread that ends, keeps its counts, and closes the port after the last thread. Waits
    /// for the close for at most `limit`. Runs on that thread.
    pub fn end(&self, thread: &Arc<JsThread>, limit: Duration) {
        let open = open_servers();
        if self.leave(thread, false, &open) {
            // After the limit, the server thread ends by itself.
            let _ = self.server.stop_within(limit);
        }
        drop(open);
        self.gatherer.counter().close_shard(thread.shard);
    }

    /// Removes a thread, and returns whether the server must close now. The list is locked, so that no
    /// thread joins a server that is about to close.
    fn leave(
        &self,
        thread: &Arc<JsThread>,
        closes: bool,
        _open: &MutexGuard<'_, ServerList>,
    ) -> bool {
        let is_last = !self.gatherer.leave(thread);
        let closes = closes || is_last;
        if closes {
            self.closed.store(true, Ordering::SeqCst);
        }
        closes
    }

    /// Returns the first option whose value in `config` is not that of this server.
    fn differing(&self, config: &ListenConfig) -> Option<Difference> {
        differing(&self.config.shared_options, &config.shared_options).or_else(|| {
            let first = &self.config.access;
            // The certificate may have been replaced: the first and the current one both match.
            let now = AccessPolicy { tls: self.server.secure_context(), ..first.clone() };
            first.differing(&config.access).and(now.differing(&config.access)).map(Difference::of)
        })
    }

    fn has_port(&self, port: u16) -> bool {
        let own = self.server.addresses().first().map(std::net::SocketAddr::port);
        port != 0 && own == Some(port)
    }
}

fn open_servers() -> MutexGuard<'static, ServerList> {
    LazyLock::force(&OPEN_SERVERS).lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
