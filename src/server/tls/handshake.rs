//! Handshakes, which anybody can begin and nobody has to finish. Server thread only.
//!
//! - Each has a time limit.
//! - A bounded number is under way. One more ends the oldest, and not the newest: who means it is done
//!   within a few turns, so that those who only hold places lose them to those who come.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
};

use rustls::ServerConfig;
use tokio::{net::TcpStream, task::AbortHandle};
use tokio_rustls::TlsAcceptor;

use super::{Current, MaybeTlsStream};
use crate::server::connection::part;

/// The handshakes that are under way.
pub(crate) struct Handshakes {
    current: Arc<Current>,
    most: usize,
    next: Cell<u64>,
    tasks: RefCell<BTreeMap<u64, AbortHandle>>,
}

/// A place among them; given back when it is dropped.
pub(crate) struct Place {
    number: u64,
    of: Rc<Handshakes>,
}

impl Handshakes {
    pub(crate) fn new(current: Arc<Current>, most: usize) -> Rc<Self> {
        let tasks = RefCell::default();
        Rc::new(Self { current, most, next: Cell::new(0), tasks })
    }

    /// Runs a task that begins with a handshake, and ends the oldest handshake where it is one too
    /// many: then it tells so, and that connection is gone when the other tasks have had their turn.
    pub(crate) fn begin(self: &Rc<Self>, spawn: impl FnOnce(Place) -> AbortHandle) -> bool {
        let number = self.next.replace(self.next.get() + 1);
        let task = spawn(Place { number, of: Rc::clone(self) });
        self.tasks.borrow_mut().insert(number, task);
        let oldest = {
            let mut tasks = self.tasks.borrow_mut();
            if tasks.len() > self.most { tasks.pop_first() } else { None }
        };
        if let Some((_, oldest)) = &oldest {
            oldest.abort();
        }
        oldest.is_some()
    }
}

impl Place {
    /// What is shown in a handshake that begins now.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.of.current.get().config()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.of.tasks.borrow_mut().remove(&self.number);
    }
}

/// What is behind a handshake; `None` where that fails. Then the peer is told why, if it listens.
pub(crate) async fn shake_hands(
    stream: TcpStream,
    config: Arc<ServerConfig>,
) -> Option<MaybeTlsStream> {
    match TlsAcceptor::from(config).accept(stream).into_fallible().await {
        Ok(stream) => Some(MaybeTlsStream::Secure(Box::new(stream))),
        Err((_, mut stream)) => {
            part(&mut stream).await;
            None
        }
    }
}
