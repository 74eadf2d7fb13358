//! Access control: allowed hosts, credentials and the throttle of failed logins.
//!
//! - A request is routed first (`route`, pure); its response is made only after it was admitted, for
//!   every path and method alike.
//! - A request must name a host of this server if it has a mark of a browser, or if it arrived on a
//!   loopback address and the server has no [`Credentials`]. This rule prevents DNS rebinding ([`hosts`]).
//! - With [`Credentials`], each request must carry them.
//! - The response to wrong credentials is delayed, depending on the failed logins of the same network
//!   ([`throttle`]). Right credentials are accepted at once, unless many responses to the same network are
//!   delayed at that moment and the connection was not authorized before.
//!
//! Secrets are stored as digests. Runs on the server thread; an [`AccessPolicy`] is made on any thread.

use std::{
    cell::{Cell, RefCell},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Instant,
};

use gethostname::gethostname;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue};
use tokio::{net::TcpStream, sync::watch};

mod browser;
mod credentials;
mod hosts;
mod throttle;

pub(crate) use self::throttle::network;
pub use self::{credentials::Credentials, throttle::delay};

use self::{
    browser::has_browser_mark,
    hosts::{OwnHosts, is_loopback},
    throttle::LoginThrottle,
};
use super::{
    shutdown::{Phase, until},
    tls::SecureContext,
};

/// The access rules of a server. The default allows every request.
#[derive(Clone, Debug, Default)]
pub struct AccessPolicy {
    /// The credentials that each request must carry.
    pub credentials: Option<Credentials>,
    /// Host names of this server, in addition to the names that every server has.
    pub allowed_hosts: Vec<String>,
    /// The first certificate of the server; `None` for a server without TLS.
    pub tls: Option<SecureContext>,
}

impl AccessPolicy {
    /// Returns the first option whose value in `other` differs. An option that `other` leaves out
    /// never differs.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Option<&'static str> {
        let is_same = |theirs| self.credentials.as_ref().is_some_and(|ours| ours.is_same(theirs));
        if other.credentials.as_ref().is_some_and(|theirs| !is_same(theirs)) {
            return Some("auth");
        }
        let is_same = |theirs| self.tls.as_ref().is_some_and(|ours| ours.is_same(theirs));
        if other.tls.as_ref().is_some_and(|theirs| !is_same(theirs)) {
            return Some("tls");
        }
        let hosts = &other.allowed_hosts;
        (!hosts.is_empty() && *hosts != self.allowed_hosts).then_some("allowedHosts")
    }
}

/// The client of one connection.
pub(crate) struct Peer {
    address: IpAddr,
    /// `true` if the connection arrived on a loopback address of this machine.
    is_on_loopback: bool,
    /// `true` if a request of this connection carried the right credentials.
    is_authorized: Cell<bool>,
    phase: watch::Receiver<Phase>,
}

impl Peer {
    /// Returns the peer of a socket.
    pub(crate) fn of(
        socket: &TcpStream,
        address: SocketAddr,
        phase: watch::Receiver<Phase>,
    ) -> Self {
        // A connection that has ended has no address. The rules of the loopback are the stricter ones.
        let local = socket.local_addr().map_or(Ipv4Addr::LOCALHOST.into(), |local| local.ip());
        Self::new(address.ip(), local, phase)
    }

    /// Returns the peer of a connection from `address` to `local`.
    pub(crate) fn new(address: IpAddr, local: IpAddr, phase: watch::Receiver<Phase>) -> Self {
        let is_on_loopback = is_loopback(local);
        Self { address, is_on_loopback, is_authorized: Cell::new(false), phase }
    }

    /// Returns the address of the peer.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }
}

/// The reason why a request is rejected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Rejection {
    /// The request names a host that is not this server's. Holds the name if it is a valid host name.
    Host(Option<String>),
    /// The credentials are missing or wrong. Holds the challenge of the response.
    Credentials(HeaderValue),
    /// Too many responses to the client's network are delayed. The credentials were not checked.
    Throttled,
}

/// The access policy of a server and its record of failed logins.
pub(crate) struct AccessControl {
    credentials: Option<Credentials>,
    hosts: OwnHosts,
    throttle: RefCell<LoginThrottle>,
}

impl AccessControl {
    /// Applies `policy` to a server with at most `connections` connections.
    pub(crate) fn new(policy: AccessPolicy, connections: usize) -> Self {
        Self {
            credentials: policy.credentials,
            hosts: OwnHosts::new(policy.allowed_hosts, gethostname()),
            throttle: RefCell::new(LoginThrottle::new(connections)),
        }
    }

    /// Returns whether requests must carry credentials.
    pub(crate) fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }

    /// Checks the host name that a request with these headers uses.
    pub(crate) fn admit_host(&self, headers: &HeaderMap, peer: &Peer) -> Result<(), Rejection> {
        if (peer.is_on_loopback && self.credentials.is_none()) || has_browser_mark(headers) {
            let hosts = headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
            return self.hosts.check(hosts).map_err(Rejection::Host);
        }
        Ok(())
    }

    /// Checks the credentials of a request with these headers. The rejection of wrong credentials is delayed.
    pub(crate) async fn admit_credentials(
        &self,
        headers: &HeaderMap,
        peer: &Peer,
    ) -> Result<(), Rejection> {
        let Some(credentials) = &self.credentials else { return Ok(()) };
        if !headers.contains_key(AUTHORIZATION) {
            // This is not a failed login: clients first send a request without credentials, to get the challenge.
            return Err(Rejection::Credentials(credentials.challenge(false)));
        }
        if !peer.is_authorized.get() && self.throttle.borrow().is_full(peer.address) {
            return Err(Rejection::Throttled);
        }
        let given = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
        if credentials.admit(given) {
            peer.is_authorized.set(true);
            return Ok(());
        }
        self.delay_response(peer).await;
        Err(Rejection::Credentials(credentials.challenge(true)))
    }

    async fn delay_response(&self, peer: &Peer) {
        let delay = self.throttle.borrow_mut().record_failure(peer.address, Instant::now());
        let _delayed = Delayed { throttle: &self.throttle, address: peer.address };
        let mut phase = peer.phase.clone();
        until(&mut phase, Phase::Stopping, delay, std::future::pending::<()>()).await;
    }
}

/// A delayed response. The delay also ends when the connection closes before the response is sent.
struct Delayed<'a> {
    throttle: &'a RefCell<LoginThrottle>,
    address: IpAddr,
}

impl Drop for Delayed<'_> {
    fn drop(&mut self) {
        self.throttle.borrow_mut().end_delay(self.address);
    }
}
