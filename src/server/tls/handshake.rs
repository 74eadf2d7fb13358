//! TLS handshakes, which any client can begin without finishing. Server thread only.
//!
//! - Each has a time limit.
//! - Their number is bounded. At the bound a new handshake aborts the oldest: an honest one finishes in
//!   milliseconds, so that clients that only hold permits lose them to new ones.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
};

use rustls::ServerConfig;
use tokio::{net::TcpStream, task::AbortHandle};
use tokio_rustls::TlsAcceptor;

use super::{CurrentContext, MaybeTlsStream};
use crate::server::connection::lingering_close;

/// The handshakes under way.
pub(crate) struct Handshakes {
    context: Arc<CurrentContext>,
    limit: usize,
    next: Cell<u64>,
    /// The tasks of the handshakes, the oldest first.
    tasks: RefCell<BTreeMap<u64, AbortHandle>>,
}

/// Permits one handshake; its drop marks the handshake as finished.
pub(crate) struct HandshakePermit {
    number: u64,
    handshakes: Rc<Handshakes>,
}

impl Handshakes {
    pub(crate) fn new(context: Arc<CurrentContext>, limit: usize) -> Rc<Self> {
        let tasks = RefCell::default();
        Rc::new(Self { context, limit, next: Cell::new(0), tasks })
    }

    /// Spawns a task that begins with a handshake. At the limit, aborts the oldest handshake and
    /// returns `true`: its connection is closed once the other tasks have run.
    pub(crate) fn begin(
        self: &Rc<Self>,
        spawn: impl FnOnce(HandshakePermit) -> AbortHandle,
    ) -> bool {
        let number = self.next.replace(self.next.get() + 1);
        let task = spawn(HandshakePermit { number, handshakes: Rc::clone(self) });
        self.tasks.borrow_mut().insert(number, task);
        let oldest = {
            let mut tasks = self.tasks.borrow_mut();
            if tasks.len() > self.limit { tasks.pop_first() } else { None }
        };
        if let Some((_, oldest)) = &oldest {
            oldest.abort();
        }
        oldest.is_some()
    }
}

impl HandshakePermit {
    /// Returns the configuration of a handshake that begins now.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.handshakes.context.get().config()
    }
}

impl Drop for HandshakePermit {
    fn drop(&mut self) {
        self.handshakes.tasks.borrow_mut().remove(&self.number);
    }
}

/// Performs the server's side of a handshake. `None`: it failed, and the peer got the TLS alert.
pub(crate) async fn shake_hands(
    stream: TcpStream,
    config: Arc<ServerConfig>,
) -> Option<MaybeTlsStream> {
    match TlsAcceptor::from(config).accept(stream).into_fallible().await {
        Ok(stream) => Some(MaybeTlsStream::Tls(Box::new(stream))),
        Err((_, mut stream)) => {
            lingering_close(&mut stream).await;
            None
        }
    }
}
