//! Access control: allowed hosts, credentials and the throttle of failed logins.
//!
//! - A request is routed first (`route`, pure); its response is made only after
//!   [`AccessControl::admit`], for every path and method alike.
//! - A request of a browser must name a host that is this server's own ([`hosts`]): this is against
//!   DNS rebinding. Other clients may use any name.
//! - With [`Credentials`], each request must carry them.
//! - The response to wrong credentials is delayed, by network ([`throttle`]). Right credentials are
//!   accepted at once, unless many responses to the same network are delayed at that moment; a
//!   connection that was authorized before is exempt from that.
//!
//! Secrets are stored as digests. Runs on the server thread; an [`AccessPolicy`] is made on any.

use std::{
    cell::{Cell, RefCell},
    net::IpAddr,
    time::Instant,
};

use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue};
use tokio::sync::watch;

mod credentials;
mod hosts;
mod throttle;

pub use self::{
    credentials::Credentials,
    hosts::{is_loopback, is_own_name},
    throttle::delay,
};

use self::throttle::LoginThrottle;
use super::{
    shutdown::{Phase, until},
    tls::SecureContext,
};

/// The access rules of a server. The default allows every request.
#[derive(Clone, Debug, Default)]
pub struct AccessPolicy {
    /// The credentials that each request must carry.
    pub credentials: Option<Credentials>,
    /// The names, besides those of the loopback, that browsers may use for this server.
    pub allowed_hosts: Vec<String>,
    /// The first certificate of the server; without one it speaks plain HTTP.
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
    /// A request of this connection carried the right credentials.
    is_authorized: Cell<bool>,
    phase: watch::Receiver<Phase>,
}

impl Peer {
    pub(crate) fn new(address: IpAddr, phase: watch::Receiver<Phase>) -> Self {
        Self { address, is_authorized: Cell::new(false), phase }
    }

    /// Returns the address of the peer.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }
}

/// The reason why a request is rejected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Rejection {
    /// The request is a browser's and names a host that is not this server's.
    Host,
    /// The credentials are missing or wrong. Holds the challenge of the response.
    Credentials(HeaderValue),
    /// Too many responses to the client's network are delayed. The credentials were not checked.
    Throttled,
}

/// The access policy of a server and its record of failed logins.
pub(crate) struct AccessControl {
    policy: AccessPolicy,
    throttle: RefCell<LoginThrottle>,
}

impl AccessControl {
    /// Applies `policy` to a server with at most `connections` connections.
    pub(crate) fn new(policy: AccessPolicy, connections: usize) -> Self {
        Self { policy, throttle: RefCell::new(LoginThrottle::new(connections)) }
    }

    /// Decides on a request with these headers. A rejection of wrong credentials is delayed.
    pub(crate) async fn admit(&self, headers: &HeaderMap, peer: &Peer) -> Result<(), Rejection> {
        let names = headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
        if is_from_browser(headers) && !is_own_name(names, &self.policy.allowed_hosts) {
            return Err(Rejection::Host);
        }
        let Some(credentials) = &self.policy.credentials else { return Ok(()) };
        if !headers.contains_key(AUTHORIZATION) {
            // Not a failed login: clients ask without credentials first, then meet the challenge.
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

/// Returns whether a browser sent the request: it sets these headers itself, and no page can.
fn is_from_browser(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("sec-fetch-"))
}
