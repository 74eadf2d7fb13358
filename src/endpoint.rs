//! Endpoints: a port that this process serves, and the JavaScript threads that share it.
//!
//! The thread that opens a port makes an endpoint; other threads of the process that ask for the same
//! port join it, so that one page shows the whole process. The list of open endpoints is the one
//! thing here that is the process's.
//!
//! # Invariants
//!
//! - A port is opened and joined under the list's lock: of two threads that ask at once, one opens
//!   and the other joins.
//! - The thread that opened an endpoint closes it by stopping; else the last one out does.
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
    scrape::{Member, Scraper},
    server::{
        Limits, Server, Source,
        door::Door,
        listen::{BindError, Target},
    },
};

/// The options that threads of one endpoint have to share: names and values in some fixed form.
pub type Shape = Vec<(String, String)>;

/// Where to listen, and with which options.
#[derive(Clone, Debug)]
pub struct Place {
    /// The host as it was given.
    pub host: String,
    /// The port; 0 for any, which nobody joins by that number.
    pub port: u16,
    /// What a thread that joins must have the same.
    pub shape: Shape,
    /// Who is let in. A thread that joins has the same, or leaves it to the one that opened the port.
    pub door: Door,
    /// The option that keeps this thread from joining any other.
    pub alone: Option<String>,
}

/// A port that is served, and those who count for its page.
pub struct Endpoint {
    /// What the page is made of.
    pub scraper: Arc<Scraper>,
    server: Server,
    place: Place,
    closed: AtomicBool,
}

static OPEN: Mutex<Open> = Mutex::new(Vec::new());

/// What came of asking for a port.
pub enum Opened {
    /// This thread serves it.
    Served(Arc<Endpoint>),
    /// Another thread of this process serves it, and this one has joined.
    Joined(Arc<Endpoint>, Arc<Member>),
    /// Another thread serves it, and this option keeps the calling one from joining.
    Differs(String),
}

/// Opens a port for this scraper, or joins the endpoint of another thread that has it; `worker` is
/// the number that Node.js gives a worker thread.
///
/// # Errors
///
/// If the port cannot be had: also when this very thread has it.
pub fn open(
    place: Place,
    worker: Option<u32>,
    scraper: &Arc<Scraper>,
    source: impl FnOnce() -> Arc<dyn Source>,
) -> Result<Opened, OpenError> {
    if let Some(joined) = join(&open_endpoints(), &place, worker) {
        return Ok(joined);
    }
    let target = Target::find(&place.host, place.port).map_err(OpenError::Bind)?;
    let mut open = open_endpoints();
    if let Some(joined) = join(&open, &place, worker) {
        return Ok(joined);
    }
    let listeners = match target.bind() {
        Ok(listeners) => listeners,
        Err(error) if error.code == "EADDRINUSE" && others(&open, place.port).next().is_some() => {
            return Ok(Opened::Differs("host".to_owned()));
        }
        Err(error) => return Err(OpenError::Bind(error)),
    };
    let server = Server::start_behind(place.door.clone(), listeners, source(), Limits::default())
        .map_err(OpenError::Thread)?;
    let endpoint = Arc::new(Endpoint {
        scraper: Arc::clone(scraper),
        server,
        place,
        closed: AtomicBool::new(false),
    });
    open.retain(|known| known.strong_count() > 0);
    open.push(Arc::downgrade(&endpoint));
    Ok(Opened::Served(endpoint))
}

type Open = Vec<Weak<Endpoint>>;

fn join(open: &Open, place: &Place, worker: Option<u32>) -> Option<Opened> {
    let at = |other: &Arc<Endpoint>| other.place.host.eq_ignore_ascii_case(&place.host);
    let endpoint = others(open, place.port).find(at)?;
    let differing = place.alone.clone().or_else(|| endpoint.differing(place));
    if let Some(option) = differing {
        return Some(Opened::Differs(option));
    }
    let member = endpoint.scraper.join(worker);
    Some(Opened::Joined(endpoint, member))
}

/// The open endpoints at a port that the calling thread has no part in.
fn others(open: &Open, port: u16) -> impl Iterator<Item = Arc<Endpoint>> {
    open.iter().filter_map(Weak::upgrade).filter(move |endpoint| {
        !endpoint.is_closed()
            && endpoint.has_port(port)
            && !endpoint.scraper.members().include_this_thread()
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
fn differing(ours: &Shape, theirs: &Shape) -> Option<String> {
    let differs = |(name, value): &&(String, String)| {
        theirs.iter().find(|(other, _)| other == name).is_none_or(|(_, other)| other != value)
    };
    ours.iter().find(differs).map(|(name, _)| name.clone())
}

impl Endpoint {
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
        member: &Arc<Member>,
        opened: bool,
        on_left: impl FnOnce() + Send + 'static,
    ) {
        if self.leave(member, opened, &open_endpoints()) {
            self.server.stop(on_left);
        } else {
            on_left();
        }
    }

    /// Takes a thread out that ends, keeps what it counted, and closes the port after the last one:
    /// then for at most `limit`. Runs on that thread.
    pub fn end(&self, member: &Arc<Member>, limit: Duration) {
        let open = open_endpoints();
        if self.leave(member, false, &open) {
            // A thread that does not make it is left to the end of the process.
            let _ = self.server.stop_within(limit);
        }
        drop(open);
        self.scraper.counter().close_shard(member.shard);
    }

    /// Takes a thread out, and tells whether the port is to be closed now. With the list locked, so
    /// that nobody joins an endpoint that is about to close.
    fn leave(&self, member: &Arc<Member>, closes: bool, _open: &MutexGuard<'_, Open>) -> bool {
        let is_last = !self.scraper.leave(member);
        let closes = closes || is_last;
        if closes {
            self.closed.store(true, Ordering::SeqCst);
        }
        closes
    }

    /// The first option that a thread which asks for this place has otherwise.
    fn differing(&self, place: &Place) -> Option<String> {
        differing(&self.place.shape, &place.shape).or_else(|| {
            let first = &self.place.door;
            // The certificate may have been changed: the first and the newest are both right.
            let now = Door { tls: self.server.secure_context(), ..first.clone() };
            first.differing(&place.door).and(now.differing(&place.door)).map(str::to_owned)
        })
    }

    fn has_port(&self, port: u16) -> bool {
        let own = self.server.addresses().first().map(std::net::SocketAddr::port);
        port != 0 && own == Some(port)
    }
}

fn open_endpoints() -> MutexGuard<'static, Open> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
