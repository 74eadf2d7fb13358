//! A server's life: its thread, its start and its end.
//!
//! - The thread is the only owner of the listeners and connections; whoever stops it only sets a
//!   [`Shutdown`].
//! - From the moment `stop` returns no new request is answered; what is under way ends within the
//!   grace; then, and only then, the callbacks run: the ports are free.
//! - Callbacks run exactly once each, on the server's thread or, when it has ended, the caller's.

use std::{
    io,
    net::{self, SocketAddr},
    rc::Rc,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    net::TcpStream,
    runtime::{Builder, Runtime},
    sync::watch,
    task::{JoinSet, LocalSet},
};

use super::{
    Source,
    accept::Acceptor,
    access::AccessPolicy,
    connection,
    limits::Limits,
    panics,
    service::Service,
    shutdown::{Phase, Shutdown, reached, until},
    tls::{Current, Handshakes, SecureContext},
};

/// The name of a server's thread.
pub const THREAD_NAME: &str = "hypertrace-http";

type Callback = Box<dyn FnOnce() + Send>;

/// Whether the thread has ended, and whom to tell.
enum End {
    Awaited(Vec<Callback>),
    Reached,
}

struct Shared {
    signal: Shutdown,
    end: Mutex<End>,
    ended: Condvar,
}

impl Shared {
    fn end(&self) -> MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running server. Dropping it stops it, without waiting for the end.
pub struct Server {
    addresses: Vec<SocketAddr>,
    shared: Arc<Shared>,
    tls: Option<Arc<Current>>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Server {
    /// Starts to serve `source` on `listeners`, which [`bind`](super::listen::bind) gives.
    ///
    /// # Errors
    ///
    /// When the system gives no thread or no event queue, or there is no listener. Nothing is left
    /// open then.
    pub fn start(
        listeners: Vec<net::TcpListener>,
        source: Arc<dyn Source>,
        limits: Limits,
    ) -> io::Result<Self> {
        Self::start_with_access(AccessPolicy::default(), listeners, source, limits)
    }

    /// The same, with a door that not everybody passes.
    ///
    /// # Errors
    ///
    /// As of [`Server::start`].
    pub fn start_with_access(
        door: AccessPolicy,
        listeners: Vec<net::TcpListener>,
        source: Arc<dyn Source>,
        limits: Limits,
    ) -> io::Result<Self> {
        if listeners.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no listener"));
        }
        let addresses =
            listeners.iter().map(net::TcpListener::local_addr).collect::<Result<_, _>>()?;
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let acceptor = {
            let _guard = runtime.enter();
            let listeners = listeners.into_iter().map(adopt).collect::<Result<_, _>>()?;
            Acceptor::new(listeners)
        };
        let shared = Arc::new(Shared {
            signal: Shutdown::new(),
            end: Mutex::new(End::Awaited(Vec::new())),
            ended: Condvar::new(),
        });
        let tls = door.tls.clone().map(|context| Arc::new(Current::new(context)));
        let shown = tls.clone();
        let own = Arc::clone(&shared);
        let phase = shared.signal.subscribe();
        let thread = thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(move || {
            panics::keep_quiet();
            // Whatever happens in there, the end is told.
            let service = || Service::new(source, limits, door);
            let _ = panics::caught(|| run(runtime, acceptor, service, shown, &own, phase));
            finish(&own);
        })?;
        Ok(Self { addresses, shared, tls, thread: Mutex::new(Some(thread)) })
    }

    /// Where it listens; the first is the one to show.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Shows another certificate from the next handshake on. Connections that are open stay as they
    /// are. Tells whether this is a server that shows one.
    pub fn set_secure_context(&self, context: SecureContext) -> bool {
        self.tls.as_ref().map(|current| current.set(context)).is_some()
    }

    /// The certificate that is shown now.
    #[must_use]
    pub fn secure_context(&self) -> Option<SecureContext> {
        self.tls.as_ref().map(|current| current.get())
    }

    /// Stops the server and returns at once. From then on no new request is answered. Scrapes under
    /// way may go on for [`Limits::stop_grace`]; `on_stopped` is called when nothing of the server is
    /// left, in particular its ports are free: on the server's thread, or at once and here if that
    /// has ended already. May be called any number of times.
    pub fn stop(&self, on_stopped: impl FnOnce() + Send + 'static) {
        let mut end = self.shared.end();
        if let End::Awaited(callbacks) = &mut *end {
            callbacks.push(Box::new(on_stopped));
            self.shared.signal.advance(Phase::Stopping);
        } else {
            drop(end);
            on_stopped();
        }
    }

    /// Ends the server without grace and waits for that, for `limit` at most: for the end of a
    /// process. Tells whether the end was reached. Not to be called from a callback of `stop`.
    pub fn stop_within(&self, limit: Duration) -> bool {
        self.shared.signal.advance(Phase::Cut);
        let until = Instant::now() + limit;
        let mut end = self.shared.end();
        while matches!(*end, End::Awaited(_)) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.shared.ended.wait_timeout(end, left);
            end = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(end);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // After `Reached` the thread has nothing left to do.
        thread.is_none_or(|thread| thread.join().is_ok())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.signal.advance(Phase::Stopping);
    }
}

/// Runs the callbacks, those too that come while they run, and then declares the end.
fn finish(shared: &Shared) {
    loop {
        let callbacks = match &mut *shared.end() {
            End::Awaited(callbacks) => std::mem::take(callbacks),
            End::Reached => return,
        };
        for callback in callbacks {
            let _ = panics::caught(callback);
        }
        let mut end = shared.end();
        if matches!(&*end, End::Awaited(callbacks) if callbacks.is_empty()) {
            *end = End::Reached;
            shared.ended.notify_all();
            return;
        }
    }
}

fn adopt(listener: net::TcpListener) -> io::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}

/// The server's thread. When it returns nothing is open any more.
fn run(
    runtime: Runtime,
    acceptor: Acceptor,
    service: impl FnOnce() -> Service,
    tls: Option<Arc<Current>>,
    shared: &Shared,
    phase: watch::Receiver<Phase>,
) {
    let service = Rc::new(service());
    let handshakes = tls.map(|current| Handshakes::new(current, service.limits.handshakes));
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, serve(acceptor, service, handshakes, shared, phase));
    drop(tasks);
    drop(runtime);
}

async fn serve(
    mut acceptor: Acceptor,
    service: Rc<Service>,
    handshakes: Option<Rc<Handshakes>>,
    shared: &Shared,
    mut phase: watch::Receiver<Phase>,
) {
    let limits = service.limits.clone();
    let stopping = shared.signal.stopping();
    let mut connections = JoinSet::new();
    let forever = async {
        loop {
            let (stream, peer) = acceptor.accept().await;
            // The ends of connections wait in the set until somebody looks.
            while connections.try_join_next().is_some() {}
            if connections.len() >= limits.connections || stopping.is_set() {
                continue;
            }
            prepare(&stream, &limits);
            let (service, stopping) = (Rc::clone(&service), stopping.clone());
            let phase = shared.signal.subscribe();
            let spawn = |place| {
                let ip = peer.ip();
                connections
                    .spawn_local(connection::accept(stream, ip, service, stopping, phase, place))
            };
            let Some(handshakes) = &handshakes else {
                spawn(None);
                continue;
            };
            if handshakes.begin(|place| spawn(Some(place))) {
                // The one that was ended counts among the connections until then.
                tokio::task::yield_now().await;
            }
        }
    };
    until_reached(&mut phase, Phase::Stopping, forever).await;
    drop(acceptor);

    let all = async { while connections.join_next().await.is_some() {} };
    until(&mut phase, Phase::Cut, limits.stop_grace, all).await;
    connections.shutdown().await;
}

/// Awaits `work`, which does not end, until `phase` is reached.
async fn until_reached(receiver: &mut watch::Receiver<Phase>, phase: Phase, work: impl Future) {
    use std::{pin::pin, task::Poll};
    let (mut work, mut end) = (pin!(work), pin!(reached(receiver, phase)));
    std::future::poll_fn(|cx| {
        if end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        work.as_mut().poll(cx).map(|_| ())
    })
    .await;
}

/// Sets the options of a connection. A peer that is gone already shows at the first read.
fn prepare(stream: &TcpStream, limits: &Limits) {
    let _ = stream.set_nodelay(true);
    let _ = socket2::SockRef::from(stream).set_send_buffer_size(limits.send_buffer);
}
