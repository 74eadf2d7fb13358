//! Accepts connections, and pauses when that fails. Server thread only.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::pin,
    rc::Rc,
    task::Poll,
    time::{Duration, Instant},
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
};

/// The pause after a failure. Without it, retries would use all CPU time of a process without free
/// descriptors or memory; connections wait in the kernel meanwhile.
const PAUSE: Duration = Duration::from_millis(100);

/// The number of consecutive failures of single connections after which the acceptor pauses for such
/// failures too.
const MAX_ACCEPT_FAILURES: u32 = 64;

/// The minimum time between two log lines about failures.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// The listeners of a server, to which others can be added.
#[derive(Default)]
pub(crate) struct Listeners {
    pub(crate) all: RefCell<Vec<TcpListener>>,
    added: Notify,
}

impl Listeners {
    pub(crate) fn new(listeners: Vec<TcpListener>) -> Self {
        Self { all: RefCell::new(listeners), added: Notify::new() }
    }

    pub(crate) fn add(&self, listeners: Vec<TcpListener>) {
        self.all.borrow_mut().extend(listeners);
        self.added.notify_one();
    }
}

/// Polls the listeners of a server in turn.
pub(crate) struct Acceptor {
    listeners: Rc<Listeners>,
    next: usize,
    failures: u32,
    logged: Option<Instant>,
}

impl Acceptor {
    pub(crate) fn new(listeners: Rc<Listeners>) -> Self {
        Self { listeners, next: 0, failures: 0, logged: None }
    }

    /// Waits for the next connection and returns it with its peer's address. Pauses after failures.
    pub(crate) async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.accept_once().await {
                Ok(accepted) => {
                    self.failures = 0;
                    return accepted;
                }
                Err(error) => {
                    self.failures += 1;
                    if !is_of_one_connection(error.kind()) || self.failures > MAX_ACCEPT_FAILURES {
                        self.log(&error);
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        }
    }

    /// Closes the listeners.
    pub(crate) fn close(&mut self) {
        self.listeners.all.borrow_mut().clear();
    }

    async fn accept_once(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let mut added = pin!(self.listeners.added.notified());
        poll_fn(|cx| {
            // Listeners that are added later must be polled too.
            while added.as_mut().poll(cx).is_ready() {
                added.set(self.listeners.added.notified());
            }
            let listeners = self.listeners.all.borrow();
            let count = listeners.len();
            for turn in 0..count {
                let index = (self.next + turn) % count;
                if let Poll::Ready(accepted) = listeners[index].poll_accept(cx) {
                    self.next = index + 1;
                    return Poll::Ready(accepted);
                }
            }
            Poll::Pending
        })
        .await
    }

    fn log(&mut self, error: &io::Error) {
        let now = Instant::now();
        if self.logged.is_none_or(|logged| now - logged >= LOG_INTERVAL) {
            self.logged = Some(now);
            super::log(&format!("connections cannot be accepted at present: {error}"));
        }
    }
}

/// Returns whether a failure is that of one connection, which ended before it was accepted.
fn is_of_one_connection(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(kind, ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
