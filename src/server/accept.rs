//! Takes connections, and waits when that fails. Server thread only.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    task::Poll,
    time::{Duration, Instant},
};

use tokio::net::{TcpListener, TcpStream};

/// How long nothing is accepted after a failure. A process that is out of descriptors or memory is
/// not helped by one that asks again at once; connections wait in the kernel meanwhile.
const PAUSE: Duration = Duration::from_millis(100);

/// Failures in a row that are taken for peers' own, before they count as the machine's.
const MAX_ACCEPT_FAILURES: u32 = 64;

/// Least time between two lines about failures.
const QUIET: Duration = Duration::from_secs(1);

/// The listeners of a server, one after the other.
pub(crate) struct Acceptor {
    listeners: Vec<TcpListener>,
    next: usize,
    failures: u32,
    told: Option<Instant>,
}

impl Acceptor {
    pub(crate) fn new(listeners: Vec<TcpListener>) -> Self {
        Self { listeners, next: 0, failures: 0, told: None }
    }

    /// Waits for the next connection, and tells whose it is. Pauses after failures, and never fails
    /// itself.
    pub(crate) async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.accept_once().await {
                Ok(accepted) => {
                    self.failures = 0;
                    return accepted;
                }
                Err(error) => {
                    self.failures += 1;
                    if !is_the_peers(error.kind()) || self.failures > MAX_ACCEPT_FAILURES {
                        self.tell(&error);
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        }
    }

    async fn accept_once(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| {
            let count = self.listeners.len();
            for turn in 0..count {
                let index = (self.next + turn) % count;
                if let Poll::Ready(accepted) = self.listeners[index].poll_accept(cx) {
                    self.next = index + 1;
                    return Poll::Ready(accepted);
                }
            }
            Poll::Pending
        })
        .await
    }

    fn tell(&mut self, error: &io::Error) {
        let now = Instant::now();
        if self.told.is_none_or(|told| now - told >= QUIET) {
            self.told = Some(now);
            super::log(&format!("no connection can be accepted for now: {error}"));
        }
    }
}

/// Whether a failure is that of one connection, gone before it was accepted.
fn is_the_peers(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(kind, ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
