//! Endpoints: a port that this process serves, and the JavaScript threads that share it.
//!
//! The thread that opens a port makes an server; other threads of the process that ask for the same
//! port join it, so that one page shows the whole process. The list of open endpoints is the one
//! thing here that is the process's.
//!
//! # Invariants
//!
//! - A port is opened and joined under the list's lock: of two threads that ask at once, one opens
//!   and the other joins.
//! - The thread that opened an server closes it by stopping; else the last one out does.
//! - A port that the end of a thread closes is free when the lock is: whoever asks next gets it.
//! - Nothing slow happens under the lock (a name is looked up before), as the ends of threads wait
//!   for it. The server's thread never takes it.
//! - A thread that has left is not asked for its figures any more, but what it counted stays.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    gather::{Gatherer, JsThread},
    server::{
        Limits, Server, Source,
        access::AccessPolicy,
        listen::{BindError, Target},
    },
};

/// The options that threads of one server have to share: names and values in some fixed form.
pub type SharedOptions = Vec<(String, String)>;

/// Where to listen, and with which options.
#[derive(Clone, Debug)]
pub struct ListenConfig {
    /// The host as it was given.
    pub host: String,
    /// The port; 0 for any, which nobody joins by that number.
    pub port: u16,
    /// What a thread that joins must have the same.
    pub shared_options: SharedOptions,
    /// Who is let in. A thread that joins has the same, or leaves it to the one that opened the port.
    pub door: AccessPolicy,
    /// The option that keeps this thread from joining any other.
    pub join_blocker: Option<String>,
}

/// A port that is served, and those who count for its page.
pub struct SharedServer {
    /// What the page is made of.
    pub gatherer: Arc<Gatherer>,
    server: Server,
    config: ListenConfig,
    closed: AtomicBool,
}

static OPEN: Mutex<Open> = Mutex::new(Vec::new());

/// What came of asking for a port.
pub enum Opened {
    /// This thread serves it.
    Served(Arc<SharedServer>),
    /// Another thread of this process serves it, and this one has joined.
    Joined(Arc<SharedServer>, Arc<JsThread>),
    /// Another thread serves it, and this option keeps the calling one from joining.
    Differs(String),
}

/// Opens a port for this gatherer, or joins the server of another thread that has it; `worker` is
/// the number that Node.js gives a worker thread.
///
/// # Errors
///
/// If the port cannot be had: also when this very thread has it.
pub fn open(
    config: ListenConfig,
    worker: Option<u32>,
    gatherer: &Arc<Gatherer>,
    source: impl FnOnce() -> Arc<dyn Source>,
) -> Result<Opened, OpenError> {
    if let Some(joined) = join(&open_servers(), &config, worker) {
        return Ok(joined);
    }
    let target = Target::resolve(&config.host, config.port).map_err(OpenError::Bind)?;
    let mut open = open_servers();
    if let Some(joined) = join(&open, &config, worker) {
        return Ok(joined);
    }
    let listeners = match target.bind() {
        Ok(listeners) => listeners,
        Err(error) if error.code == "EADDRINUSE" && others(&open, config.port).next().is_some() => {
            return Ok(Opened::Differs("host".to_owned()));
        }
        Err(error) => return Err(OpenError::Bind(error)),
    };
    let server =
        Server::start_with_access(config.door.clone(), listeners, source(), Limits::default())
            .map_err(OpenError::Thread)?;
    let server = Arc::new(SharedServer {
        gatherer: Arc::clone(gatherer),
        server,
        config,
        closed: AtomicBool::new(false),
    });
    open.retain(|known| known.strong_count() > 0);
    open.push(Arc::downgrade(&server));
    Ok(Opened::Served(server))
}

type Open = Vec<Weak<SharedServer>>;

fn join(open: &Open, config: &ListenConfig, worker: Option<u32>) -> Option<Opened> {
    let at = |other: &Arc<SharedServer>| other.config.host.eq_ignore_ascii_case(&config.host);
    let server = others(open, config.port).find(at)?;
    let differing = config.join_blocker.clone().or_else(|| server.differing(config));
    if let Some(option) = differing {
        return Some(Opened::Differs(option));
    }
    let thread = server.gatherer.join(worker);
    Some(Opened::Joined(server, thread))
}

/// The open endpoints at a port that the calling thread has no part in.
fn others(open: &Open, port: u16) -> impl Iterator<Item = Arc<SharedServer>> {
    open.iter().filter_map(Weak::upgrade).filter(move |server| {
        !server.is_closed()
            && server.has_port(port)
            && !server.gatherer.threads().include_this_thread()
    })
}

/// Why a port could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// It could not be listened at.
    Bind(BindError),
    /// The server's thread could not be started.
    Thread(std::io::Error),
}

/// The first option of these that is not the same.
fn differing(ours: &SharedOptions, theirs: &SharedOptions) -> Option<String> {
    let differs = |(name, value): &&(String, String)| {
        theirs.iter().find(|(other, _)| other == name).is_none_or(|(_, other)| other != value)
    };
    ours.iter().find(differs).map(|(name, _)| name.clone())
}

impl SharedServer {
    /// The server.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Whether it has been closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Takes a thread out that stops: the one that opened the port closes it, any other only leaves.
    /// `on_left` runs when that is done.
    pub fn stop(
        &self,
        thread: &Arc<JsThread>,
        opened: bool,
        on_left: impl FnOnce() + Send + 'static,
    ) {
        if self.leave(thread, opened, &open_servers()) {
            self.server.stop(on_left);
        } else {
            on_left();
        }
    }

    /// Takes a thread out that ends, keeps what it counted, and closes the port after the last one:
    /// then for at most `limit`. Runs on that thread.
    pub fn end(&self, thread: &Arc<JsThread>, limit: Duration) {
        let open = open_servers();
        if self.leave(thread, false, &open) {
            // A thread that does not make it is left to the end of the process.
            let _ = self.server.stop_within(limit);
        }
        drop(open);
        self.gatherer.counter().close_shard(thread.shard);
    }

    /// Takes a thread out, and tells whether the port is to be closed now. With the list locked, so
    /// that nobody joins an server that is about to close.
    fn leave(&self, thread: &Arc<JsThread>, closes: bool, _open: &MutexGuard<'_, Open>) -> bool {
        let is_last = !self.gatherer.leave(thread);
        let closes = closes || is_last;
        if closes {
            self.closed.store(true, Ordering::SeqCst);
        }
        closes
    }

    /// The first option that a thread which asks for this config has otherwise.
    fn differing(&self, config: &ListenConfig) -> Option<String> {
        differing(&self.config.shared_options, &config.shared_options).or_else(|| {
            let first = &self.config.door;
            // The certificate may have been changed: the first and the newest are both right.
            let now = AccessPolicy { tls: self.server.secure_context(), ..first.clone() };
            first.differing(&config.door).and(now.differing(&config.door)).map(str::to_owned)
        })
    }

    fn has_port(&self, port: u16) -> bool {
        let own = self.server.addresses().first().map(std::net::SocketAddr::port);
        port != 0 && own == Some(port)
    }
}

fn open_servers() -> MutexGuard<'static, Open> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
