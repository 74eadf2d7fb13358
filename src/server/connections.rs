//! The open connections of a server, and the choice of the one that ends when there are too many.
//!
//! - At the limit of connections, a new connection ends one that has no response under way. If each has
//!   one, the new connection is closed.
//! - At the limit of TLS handshakes, a new handshake ends another one, because a normal handshake takes
//!   milliseconds.
//! - At the limit of scrapes, a new scrape ends one whose client does not read. If all clients read, the
//!   new scrape gets a 503.
//! - The clients of one network have no more than a share of the connections and the scrapes. On a server
//!   with credentials, a network without a scrape under way may begin one beyond the limit.
//!
//! If several connections may end, a connection whose client has shown no credentials and no certificate ends
//! first, then one of the network with the most connections, then the one that has waited longest. So if a
//! client opens many connections, its own connections end. Server thread only.

use std::{
    cell::{Cell, OnceCell, RefCell},
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::task::AbortHandle;

use super::{
    access::{Peer, network},
    io_timeout::Progress,
    limits::Limits,
};

/// A client that has accepted no byte for this time counts as a client that does not read.
const MIN_STALL: Duration = Duration::from_millis(100);

/// A number of connections, handshakes or responses.
type Count = Rc<Cell<usize>>;

/// Adds one to a count until it is dropped.
pub(crate) struct CountGuard(Count);

impl CountGuard {
    fn new(count: &Count) -> Self {
        count.set(count.get() + 1);
        Self(Rc::clone(count))
    }
}

impl Drop for CountGuard {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// One open connection.
pub(crate) struct Connection {
    pub(crate) peer: Peer,
    pub(crate) progress: Rc<Progress>,
    number: u64,
    network: Rc<Network>,
    is_authenticated: Cell<bool>,
    /// Present while the connection is in its TLS handshake.
    handshake: RefCell<Option<CountGuard>>,
    scrapes: Count,
    summaries: Count,
    /// Dropped when the connection ends or is about to end.
    open: RefCell<Option<[CountGuard; 2]>>,
    task: OnceCell<AbortHandle>,
}

/// The clients of one network.
struct Network {
    address: IpAddr,
    connections: Count,
    scrapes: Count,
}

impl Connection {
    /// Sets the task of this connection, which is aborted to end it.
    pub(crate) fn set_task(&self, task: AbortHandle) {
        let _ = self.task.set(task);
    }

    /// Records that the client has shown the right credentials or an accepted certificate.
    pub(crate) fn authenticate(&self) {
        self.is_authenticated.set(true);
    }

    /// Records that the TLS handshake is finished.
    pub(crate) fn end_handshake(&self) {
        self.handshake.take();
    }

    /// Counts a summary as under way.
    pub(crate) fn begin_summary(&self) -> CountGuard {
        CountGuard::new(&self.summaries)
    }

    /// Ends the connection when its task runs again.
    fn end(&self) {
        self.handshake.take();
        self.open.take();
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }

    fn is_ending(&self) -> bool {
        self.open.borrow().is_none()
    }

    /// Returns the time since which no response has been under way.
    fn silent_since(&self) -> Option<Instant> {
        self.progress.silent_since()
    }

    /// Returns the time since which the client has not read, if this is at least [`MIN_STALL`] ago.
    fn stalled_since(&self) -> Option<Instant> {
        self.progress.stalled_since().filter(|since| since.elapsed() >= MIN_STALL)
    }
}

/// The open connections of a server.
pub(crate) struct Connections {
    limits: Limits,
    has_credentials: bool,
    next: Cell<u64>,
    /// In the order of acceptance.
    all: RefCell<BTreeMap<u64, Rc<Connection>>>,
    networks: RefCell<HashMap<IpAddr, Rc<Network>>>,
    open: Count,
    handshakes: Count,
    scrapes: Count,
}

/// Keeps a connection among the open ones until it is dropped.
pub(crate) struct OpenGuard {
    connection: Rc<Connection>,
    connections: Rc<Connections>,
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.connections.close(&self.connection);
    }
}

/// Permits one scrape until it is dropped.
pub(crate) struct ScrapePermit {
    _counts: [CountGuard; 3],
}

impl Connections {
    /// Creates an empty set of connections. `has_credentials`: `true` if the server requires credentials.
    pub(crate) fn new(limits: Limits, has_credentials: bool) -> Rc<Self> {
        Rc::new(Self {
            limits,
            has_credentials,
            next: Cell::new(0),
            all: RefCell::default(),
            networks: RefCell::default(),
            open: Rc::default(),
            handshakes: Rc::default(),
            scrapes: Rc::default(),
        })
    }

    /// Adds a connection. At a limit, ends another connection. Returns `None` if the new connection must be
    /// closed.
    pub(crate) fn open(
        self: &Rc<Self>,
        peer: Peer,
        has_handshake: bool,
    ) -> Option<(Rc<Connection>, OpenGuard)> {
        let network = self.network(network(peer.address()));
        if has_handshake && self.handshakes.get() >= self.limits.handshakes {
            let opened = |other: &Connection| {
                other.handshake.borrow().as_ref().map(|_| other.progress.opened())
            };
            self.end_first(None, opened);
        }
        let is_over_share = network.connections.get() >= self.limits.connections_per_network;
        if is_over_share || self.open.get() >= self.limits.connections {
            let among = is_over_share.then_some(&*network);
            if !self.end_first(among, Connection::silent_since) {
                self.forget_if_unused(&network);
                return None;
            }
        }
        let number = self.next.replace(self.next.get() + 1);
        let open = [&self.open, &network.connections].map(CountGuard::new);
        let handshake = has_handshake.then(|| CountGuard::new(&self.handshakes));
        let connection = Rc::new(Connection {
            peer,
            progress: Progress::new(&self.limits),
            number,
            network,
            is_authenticated: Cell::new(false),
            handshake: RefCell::new(handshake),
            scrapes: Rc::default(),
            summaries: Rc::default(),
            open: RefCell::new(Some(open)),
            task: OnceCell::new(),
        });
        self.all.borrow_mut().insert(number, Rc::clone(&connection));
        let guard = OpenGuard { connection: Rc::clone(&connection), connections: Rc::clone(self) };
        Some((connection, guard))
    }

    /// Permits a scrape on a connection. At a limit, ends the scrape of another connection. Returns `None` if
    /// no other scrape may end.
    pub(crate) fn permit_scrape(&self, connection: &Connection) -> Option<ScrapePermit> {
        let network = &connection.network;
        let is_over_share = network.scrapes.get() >= self.limits.scrapes_per_network;
        if is_over_share || self.scrapes.get() >= self.limits.scrapes {
            let among = is_over_share.then_some(&**network);
            let stalled_since =
                |other: &Connection| (other.scrapes.get() > 0).then(|| other.stalled_since())?;
            if !self.end_first(among, stalled_since) {
                let is_first = self.has_credentials && network.scrapes.get() == 0;
                if !is_first || self.scrapes.get() >= 2 * self.limits.scrapes {
                    return None;
                }
            }
        }
        let counts = [&self.scrapes, &network.scrapes, &connection.scrapes];
        Some(ScrapePermit { _counts: counts.map(CountGuard::new) })
    }

    /// Returns whether a scrape is under way.
    pub(crate) fn is_scraping(&self) -> bool {
        self.scrapes.get() > 0
    }

    /// Ends a connection whose client does not read its summary, if there is one.
    pub(crate) fn end_slow_summary(&self) {
        self.end_first(None, |other| (other.summaries.get() > 0).then(|| other.stalled_since())?);
    }

    /// Ends the first of the connections that may end, and returns whether there was one. `since` returns
    /// the time since which a connection has waited, if the connection may end. With `among`, only connections
    /// of this network may end.
    fn end_first(
        &self,
        among: Option<&Network>,
        since: impl Fn(&Connection) -> Option<Instant>,
    ) -> bool {
        let all = self.all.borrow();
        let rank = |connection: &Connection| {
            let is_candidate = !connection.is_ending()
                && among.is_none_or(|network| network.address == connection.network.address);
            let since = if is_candidate { since(connection)? } else { return None };
            let count = Reverse(connection.network.connections.get());
            Some((connection.is_authenticated.get(), count, since, connection.number))
        };
        let candidates = all.values().filter_map(|other| Some((rank(other)?, other)));
        let first = candidates.min_by_key(|(rank, _)| *rank).map(|(_, other)| other);
        first.inspect(|other| other.end()).is_some()
    }

    fn network(&self, address: IpAddr) -> Rc<Network> {
        let mut networks = self.networks.borrow_mut();
        let network = networks.entry(address).or_insert_with(|| {
            let (connections, scrapes) = Default::default();
            Rc::new(Network { address, connections, scrapes })
        });
        Rc::clone(network)
    }

    fn close(&self, connection: &Connection) {
        connection.open.take();
        self.all.borrow_mut().remove(&connection.number);
        self.forget_if_unused(&connection.network);
    }

    fn forget_if_unused(&self, network: &Rc<Network>) {
        // The map and the caller each hold one reference.
        if network.connections.get() == 0 && Rc::strong_count(network) <= 2 {
            self.networks.borrow_mut().remove(&network.address);
        }
    }
}
