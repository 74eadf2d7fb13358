//! The start and the end of a server, and its thread.
//!
//! - The thread is the only owner of the listeners and connections; other threads only set a
//!   [`Shutdown`].
//! - After `stop` has returned, the server responds to no new request. Responses under way end within
//!   the grace. The callbacks run after that, when the ports are free.

use std::{
    future::pending,
    io,
    mem::{ManuallyDrop, forget},
    net::{self, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use futures_util::future::LocalBoxFuture;
use tokio::{
    net::TcpStream,
    runtime::{Builder, Runtime},
    sync::{Notify, watch},
    task::{JoinSet, LocalSet},
};

use super::{
    Source,
    accept::{Acceptor, Listeners},
    access::{AccessPolicy, Peer},
    connection,
    end::End,
    limits::Limits,
    panics,
    service::Service,
    shutdown::{Phase, Shutdown, reached, until},
    tls::{CurrentContext, SecureContext},
};

/// The name of a server's thread.
pub const THREAD_NAME: &str = "hypertrace-http";

/// The longest wait for a connection that wakes the server thread.
const WAKE_TIMEOUT: Duration = Duration::from_millis(50);

/// The components of a server.
pub struct Setup {
    /// The runtime of the server thread.
    pub runtime: Runtime,
    /// The access rules.
    pub policy: AccessPolicy,
    /// The listeners, the result of [`bind`](super::listen::bind).
    pub listeners: Vec<net::TcpListener>,
    /// The addresses to report.
    pub addresses: Vec<SocketAddr>,
    /// The source of the pages.
    pub source: Arc<dyn Source>,
    /// The limits.
    pub limits: Limits,
    /// Additional work of the server thread.
    pub background: Option<Background>,
}

/// Work that runs on the server thread beside the connections. It receives the listeners of the server. When
/// the server stops ([`ListenerSet::closed`]), it has the same grace as responses to end by itself.
pub type Background = Box<dyn FnOnce(ListenerSet) -> LocalBoxFuture<'static, ()> + Send>;

/// The listeners of a server, for its [`Background`].
pub struct ListenerSet {
    listeners: Rc<Listeners>,
    closed: Rc<Notify>,
}

impl ListenerSet {
    /// Accepts connections of more listeners.
    ///
    /// # Errors
    ///
    /// If the system has no resources for them.
    pub fn add(&self, listeners: Vec<net::TcpListener>) -> io::Result<()> {
        let adopted: io::Result<Vec<_>> = listeners.into_iter().map(adopt).collect();
        self.listeners.add(adopted?);
        Ok(())
    }

    /// Waits until the server stops and all its listeners are closed.
    pub async fn closed(&self) {
        self.closed.notified().await;
    }
}

struct Shared {
    shutdown: Shutdown,
    end: End,
}

/// A running server. When this value is dropped, the server stops; the drop does not wait for its end.
pub struct Server {
    addresses: Vec<SocketAddr>,
    shared: Arc<Shared>,
    tls: Option<Arc<CurrentContext>>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Server {
    /// Serves `source` on `listeners`, the result of [`bind`](super::listen::bind).
    ///
    /// # Errors
    ///
    /// If the system has no thread or no event queue left, or `listeners` is empty. Nothing is left open
    /// then.
    pub fn start(
        listeners: Vec<net::TcpListener>,
        source: Arc<dyn Source>,
        limits: Limits,
    ) -> io::Result<Self> {
        Self::start_with_access(AccessPolicy::default(), listeners, source, limits)
    }

    /// Serves `source` as [`Server::start`] does, with access control.
    ///
    /// # Errors
    ///
    /// As for [`Server::start`].
    pub fn start_with_access(
        policy: AccessPolicy,
        listeners: Vec<net::TcpListener>,
        source: Arc<dyn Source>,
        limits: Limits,
    ) -> io::Result<Self> {
        if listeners.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no listener"));
        }
        let addresses =
            listeners.iter().map(net::TcpListener::local_addr).collect::<Result<_, _>>()?;
        let runtime = Self::runtime()?;
        Self::start_with(Setup {
            runtime,
            policy,
            listeners,
            addresses,
            source,
            limits,
            background: None,
        })
    }

    /// Creates the runtime of a server thread.
    ///
    /// # Errors
    ///
    /// If the system has no event queue left.
    pub fn runtime() -> io::Result<Runtime> {
        Builder::new_current_thread().enable_io().enable_time().build()
    }

    /// Starts a server of these components. The server may have no listener yet.
    ///
    /// # Errors
    ///
    /// As for [`Server::start`].
    pub fn start_with(setup: Setup) -> io::Result<Self> {
        let Setup { runtime, policy, listeners, addresses, source, limits, background } = setup;
        let listeners: Vec<_> = {
            let _guard = runtime.enter();
            listeners.into_iter().map(adopt).collect::<Result<_, _>>()?
        };
        let shared = Arc::new(Shared { shutdown: Shutdown::new(), end: End::new() });
        let tls = policy.tls.clone().map(|context| Arc::new(CurrentContext::new(context)));
        let context = tls.clone();
        let own = Arc::clone(&shared);
        let phase = shared.shutdown.subscribe();
        let thread = thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(move || {
            let _ = panics::log_once_on_this_thread();
            let service = || Service::new(source, limits, policy);
            // The end must be reached after a panic too, or `stop` would wait for ever.
            let _ = panics::caught(|| {
                run(runtime, listeners, service, context, background, &own, phase);
            });
            own.end.reach();
        })?;
        Ok(Self { addresses, shared, tls, thread: Mutex::new(Some(thread)) })
    }

    /// Returns the addresses of the listeners. The first one is the address to report.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Replaces the certificate from the next handshake on; open connections stay open. Returns `false`
    /// if this server has no TLS.
    pub fn set_secure_context(&self, context: SecureContext) -> bool {
        self.tls.as_ref().map(|current| current.set(context)).is_some()
    }

    /// Returns the current certificate.
    #[must_use]
    pub fn secure_context(&self) -> Option<SecureContext> {
        self.tls.as_ref().map(|current| current.get())
    }

    /// Stops the server and returns at once. The server responds to no new request; responses under
    /// way may continue for [`Limits::stop_grace`]. When nothing of the server is left and its ports are
    /// free, calls `on_stopped`: on the server thread, or at once on the calling thread if the server has
    /// ended before. May be called any number of times.
    pub fn stop(&self, on_stopped: impl FnOnce() + Send + 'static) {
        if self.shared.end.on_reached(on_stopped) {
            self.advance(Phase::Stopping);
        }
    }

    /// Ends the server without grace and waits for its end, for at most `limit`. Returns whether the
    /// server has ended. Must not be called from a callback of `stop`.
    pub fn stop_within(&self, limit: Duration) -> bool {
        self.advance(Phase::Cut);
        if !self.shared.end.wait(limit) {
            return false;
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // After its end the thread returns at once, so that the join is short.
        thread.is_none_or(|thread| thread.join().is_ok())
    }

    /// Advances the shutdown. If the application has closed descriptors of the server, as programs that become
    /// daemons do, a connection wakes the server thread. If there is no listener either, the server counts as
    /// ended, although its thread still waits.
    fn advance(&self, phase: Phase) {
        if self.shared.shutdown.advance(phase) || self.addresses.iter().any(connects) {
            return;
        }
        drop(self.thread.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.shared.end.reach();
    }
}

/// Connects to a listener of this process and closes the connection.
fn connects(address: &SocketAddr) -> bool {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let mut address = *address;
    address.set_ip(ip);
    net::TcpStream::connect_timeout(&address, WAKE_TIMEOUT).is_ok()
}

impl Drop for Server {
    fn drop(&mut self) {
        self.advance(Phase::Stopping);
    }
}

fn adopt(listener: net::TcpListener) -> io::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}

/// Runs the server thread. When it returns, all sockets are closed.
fn run(
    runtime: Runtime,
    listeners: Vec<tokio::net::TcpListener>,
    service: impl FnOnce() -> Service,
    tls: Option<Arc<CurrentContext>>,
    background: Option<Background>,
    shared: &Shared,
    phase: watch::Receiver<Phase>,
) {
    let service = Rc::new(service());
    let addresses = addresses_of(&listeners);
    let listeners = Rc::new(Listeners::new(listeners));
    let tasks = LocalSet::new();
    let work = Box::pin(serve(Rc::clone(&listeners), service, tls, background, shared, phase));
    // tokio panics if the application has closed the descriptors of tokio. The panic must not drop `work`: the
    // drop would wake tasks and panic again, and a second panic aborts the process.
    let mut work = ManuallyDrop::new(work);
    if panics::caught(|| tasks.block_on(&runtime, work.as_mut())).is_ok() {
        drop((ManuallyDrop::into_inner(work), tasks, runtime));
        return;
    }
    super::log("the server has ended: its event queue does not work");
    // A drop of the runtime would panic twice, which aborts the process.
    forget(runtime);
    let now = addresses_of(&listeners.all.borrow());
    if now == addresses {
        let _ = panics::caught(|| drop(tasks));
        let _ = panics::caught(|| drop(ManuallyDrop::into_inner(work)));
        let _ = panics::caught(|| drop(listeners));
    } else {
        // The application has closed all descriptors, whose numbers may be those of other files by now.
        forget((tasks, listeners));
    }
}

/// Returns the addresses of listeners, except those that are closed.
fn addresses_of(listeners: &[tokio::net::TcpListener]) -> Vec<SocketAddr> {
    listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
}

async fn serve(
    listeners: Rc<Listeners>,
    service: Rc<Service>,
    tls: Option<Arc<CurrentContext>>,
    background: Option<Background>,
    shared: &Shared,
    mut phase: watch::Receiver<Phase>,
) {
    let limits = service.limits.clone();
    let stopping = shared.shutdown.stopping();
    let mut tasks = JoinSet::new();
    let closed = Rc::new(Notify::new());
    if let Some(background) = background {
        let set = ListenerSet { listeners: Rc::clone(&listeners), closed: Rc::clone(&closed) };
        tasks.spawn_local(async move { background(set).await });
    }
    let mut acceptor = Acceptor::new(listeners);
    let accept_all = async {
        loop {
            let (stream, peer) = acceptor.accept().await;
            // The set keeps the results of finished connections until they are taken.
            while tasks.try_join_next().is_some() {}
            // This check also ends the task if the change of the phase could not wake it.
            if stopping.is_set() {
                return;
            }
            let phase = shared.shutdown.subscribe();
            let peer = Peer::of(&stream, peer, phase.clone());
            let Some((connection, guard)) = service.connections.open(peer, tls.is_some()) else {
                continue;
            };
            prepare(&stream, &limits);
            let tls = tls.as_ref().map(|context| context.get());
            let (service, stopping) = (Rc::clone(&service), stopping.clone());
            let accepted = Rc::clone(&connection);
            connection.set_task(tasks.spawn_local(async move {
                let _guard = guard;
                connection::accept(stream, accepted, service, stopping, phase, tls).await;
            }));
            // Lets ended connections close their sockets, also while many connections arrive.
            tokio::task::yield_now().await;
        }
    };
    let source = async {
        // If the source's own work ends or panics, the server continues.
        let _ = panics::caught_async(service.source.run()).await;
        pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = reached(&mut phase, Phase::Stopping) => {}
        () = accept_all => {}
        () = source => {}
    }
    acceptor.close();
    closed.notify_one();

    let all = async { while tasks.join_next().await.is_some() {} };
    until(&mut phase, Phase::Cut, limits.stop_grace, all).await;
    tasks.shutdown().await;
}

/// Sets the options of a connection's socket. Errors are ignored, because the first read returns them too.
fn prepare(stream: &TcpStream, limits: &Limits) {
    let _ = stream.set_nodelay(true);
    let _ = socket2::SockRef::from(stream).set_send_buffer_size(limits.send_buffer);
}
