//! The open connections of a server, and the choice of the one that ends when there are too many.
//!
//! - At the limit of connections, a new one ends one that is silent. If none is, the new one is closed.
//!   A connection that was admitted counts as silent only after a time without a request.
//! - At the limit of TLS handshakes, a new one ends another: an honest handshake takes milliseconds.
//! - At the limit of scrapes, a new one ends one whose client does not read. If all clients read, the
//!   new one gets a 503.
//! - The clients of one network have no more than a share of the connections and the scrapes. On a server
//!   with credentials, a network without a scrape under way gets one beyond the limit.
//!
//! Of several, one that was not admitted ends first, then one of the network with the most, then the
//! oldest. So a client that opens many connections ends its own. Server thread only.

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

/// A client that has accepted no byte for this time is slow.
const MIN_STALL: Duration = Duration::from_millis(100);

/// One open connection.
pub(crate) struct Connection {
    pub(crate) peer: Peer,
    pub(crate) progress: Rc<Progress>,
    network: IpAddr,
    number: u64,
    is_admitted: Cell<bool>,
    is_in_handshake: Cell<bool>,
    scrapes: Count,
    summaries: Count,
    /// The task ends at its next turn.
    is_ending: Cell<bool>,
    task: OnceCell<AbortHandle>,
}

impl Connection {
    /// Sets the task of this connection, which is aborted to end it.
    pub(crate) fn set_task(&self, task: AbortHandle) {
        let _ = self.task.set(task);
    }

    /// Records that a request or a client certificate was accepted.
    pub(crate) fn admit(&self) {
        self.is_admitted.set(true);
    }

    /// Records that the TLS handshake is finished.
    pub(crate) fn end_handshake(&self) {
        self.is_in_handshake.set(false);
    }

    fn end(&self) {
        self.is_ending.set(true);
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

/// The open connections of a server.
pub(crate) struct Connections {
    limits: Limits,
    has_credentials: bool,
    next: Cell<u64>,
    /// In the order of acceptance.
    open: RefCell<BTreeMap<u64, Rc<Connection>>>,
}

/// Keeps a connection among the open ones until it is dropped.
pub(crate) struct OpenGuard {
    number: u64,
    connections: Rc<Connections>,
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.connections.open.borrow_mut().remove(&self.number);
    }
}

/// The number of responses of one kind that a connection has under way.
type Count = Rc<Cell<u32>>;

/// Counts a response as under way until it is dropped.
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

impl Connections {
    /// No connections yet. `has_credentials`: the server requires credentials.
    pub(crate) fn new(limits: Limits, has_credentials: bool) -> Rc<Self> {
        let (next, open) = (Cell::new(0), RefCell::default());
        Rc::new(Self { limits, has_credentials, next, open })
    }

    /// Adds a connection, and ends another one at a limit. `None`: the new one must be closed.
    pub(crate) fn open(
        self: &Rc<Self>,
        peer: Peer,
        has_handshake: bool,
    ) -> Option<(Rc<Connection>, OpenGuard)> {
        let network = network(peer.address());
        let lasting = self.lasting();
        let neighbours = lasting.iter().filter(|other| other.network == network);
        let silent_since = |other: &Connection| {
            let since = other.progress.silent_since()?;
            let is_silent = !other.is_admitted.get() || since.elapsed() >= self.limits.silence;
            is_silent.then_some(since)
        };
        let handshakes = lasting.iter().filter(|other| other.is_in_handshake.get());
        let ended = if has_handshake && handshakes.clone().count() >= self.limits.handshakes {
            first_to_end(handshakes, |other| Some(other.progress.opened()))
        } else {
            None
        };
        if let Some(other) = ended {
            other.end();
        } else if neighbours.clone().count() >= self.limits.connections_per_network {
            first_to_end(neighbours, silent_since)?.end();
        } else if lasting.len() >= self.limits.connections {
            first_to_end(lasting.iter(), silent_since)?.end();
        }
        let number = self.next.replace(self.next.get() + 1);
        let connection = Rc::new(Connection {
            network,
            peer,
            progress: Progress::new(&self.limits),
            number,
            is_admitted: Cell::new(false),
            is_in_handshake: Cell::new(has_handshake),
            scrapes: Rc::default(),
            summaries: Rc::default(),
            is_ending: Cell::new(false),
            task: OnceCell::new(),
        });
        self.open.borrow_mut().insert(number, Rc::clone(&connection));
        Some((connection, OpenGuard { number, connections: Rc::clone(self) }))
    }

    /// Permits a scrape on a connection, and ends another one's at a limit. `None`: a limit is reached.
    pub(crate) fn permit_scrape(&self, connection: &Connection) -> Option<CountGuard> {
        let mut scraping = self.lasting();
        scraping.retain(|other| other.scrapes.get() > 0);
        let is_neighbour = |other: &&Rc<Connection>| other.network == connection.network;
        let of_network = scraping.iter().filter(is_neighbour).count();
        let is_over_share = of_network >= self.limits.scrapes_per_network;
        if is_over_share || scraping.len() >= self.limits.scrapes {
            let slow = scraping.iter().filter(|other| !is_over_share || is_neighbour(other));
            if let Some(other) = first_to_end(slow, stalled_since) {
                other.end();
            } else {
                let is_first = self.has_credentials && of_network == 0;
                if !is_first || scraping.len() >= 2 * self.limits.scrapes {
                    return None;
                }
            }
        }
        Some(CountGuard::new(&connection.scrapes))
    }

    /// Counts a summary of a connection as under way.
    pub(crate) fn begin_summary(connection: &Connection) -> CountGuard {
        CountGuard::new(&connection.summaries)
    }

    /// Ends a connection whose client does not read its summary, if there is one.
    pub(crate) fn end_slow_summary(&self) {
        let lasting = self.lasting();
        let summing = lasting.iter().filter(|connection| connection.summaries.get() > 0);
        if let Some(slow) = first_to_end(summing, stalled_since) {
            slow.end();
        }
    }

    /// Returns the open connections that are not being ended.
    fn lasting(&self) -> Vec<Rc<Connection>> {
        let open = self.open.borrow();
        open.values().filter(|connection| !connection.is_ending.get()).cloned().collect()
    }
}

/// Returns the time since which the client of a connection has not read, if that is long.
fn stalled_since(connection: &Connection) -> Option<Instant> {
    connection.progress.stalled_since().filter(|since| since.elapsed() >= MIN_STALL)
}

/// Returns the connection that ends first. `since` returns the age of a connection that may end.
fn first_to_end<'a>(
    connections: impl Iterator<Item = &'a Rc<Connection>> + Clone,
    since: impl Fn(&Connection) -> Option<Instant>,
) -> Option<&'a Rc<Connection>> {
    let mut networks: HashMap<IpAddr, usize> = HashMap::new();
    for connection in connections.clone() {
        *networks.entry(connection.network).or_default() += 1;
    }
    let rank = |connection: &Connection, since: Instant| {
        let count = networks.get(&connection.network).copied().unwrap_or_default();
        (connection.is_admitted.get(), Reverse(count), since, connection.number)
    };
    connections
        .filter_map(|connection| Some((connection, since(connection)?)))
        .min_by_key(|(connection, since)| rank(connection, *since))
        .map(|(connection, _)| connection)
}
