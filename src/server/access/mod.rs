//! Who is let in: decided before a request is routed, for every path.
//!
//! - A browser's own request is for a name that this server is known by, against DNS rebinding
//!   ([`hosts`]). Other clients are never asked for that.
//! - With [`Credentials`], a request has to carry them.
//! - Wrong ones are answered late, by address ([`js_timeout`]). Right ones are not, unless their address
//!   has many wrong ones waiting: a scraper is not held up by a stranger, and keeps its connection.
//!
//! What is secret is kept as a digest. Server thread, but for the making of a [`AccessPolicy`].

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

/// What a server asks of those who come. The default lets everybody in.
#[derive(Clone, Debug, Default)]
pub struct AccessPolicy {
    /// What each request has to carry.
    pub credentials: Option<Credentials>,
    /// Names, beyond those of the loopback, that browsers may know this server by.
    pub allowed_hosts: Vec<String>,
    /// The certificate that the server shows at first; without one it speaks plain HTTP.
    pub tls: Option<SecureContext>,
}

impl AccessPolicy {
    /// The first option that `others` has otherwise. What it leaves out it takes as it is here.
    #[must_use]
    pub fn differing(&self, others: &Self) -> Option<&'static str> {
        let is_same = |theirs| self.credentials.as_ref().is_some_and(|ours| ours.are(theirs));
        if others.credentials.as_ref().is_some_and(|theirs| !is_same(theirs)) {
            return Some("auth");
        }
        let is_same = |theirs| self.tls.as_ref().is_some_and(|ours| ours.is(theirs));
        if others.tls.as_ref().is_some_and(|theirs| !is_same(theirs)) {
            return Some("tls");
        }
        let hosts = &others.allowed_hosts;
        (!hosts.is_empty() && *hosts != self.allowed_hosts).then_some("allowedHosts")
    }
}

/// A connection, as the door sees it.
pub(crate) struct Peer {
    address: IpAddr,
    /// It has shown the right credentials before, and so waits for nobody.
    known: Cell<bool>,
    phase: watch::Receiver<Phase>,
}

impl Peer {
    pub(crate) fn new(address: IpAddr, phase: watch::Receiver<Phase>) -> Self {
        Self { address, known: Cell::new(false), phase }
    }
}

/// Why a request is not let in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Rejection {
    /// It is a browser's, for a name that is not known here.
    Host,
    /// It has no credentials, or wrong ones: with the challenge to answer.
    Credentials(HeaderValue),
    /// Its address has too many wrong ones waiting: these were not looked at.
    LoginThrottle,
}

/// A door and its memory of who knocked. One for each server.
pub(crate) struct AccessControl {
    door: AccessPolicy,
    attempts: RefCell<LoginThrottle>,
}

impl AccessControl {
    /// `visitors`: how many there can be at once.
    pub(crate) fn new(door: AccessPolicy, visitors: usize) -> Self {
        Self { door, attempts: RefCell::new(LoginThrottle::new(visitors)) }
    }

    /// Whether a request with these headers may come in. The answer to a wrong guess takes its time.
    pub(crate) async fn admit(&self, headers: &HeaderMap, peer: &Peer) -> Result<(), Rejection> {
        let names = headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
        if is_from_browser(headers) && !is_own_name(names, &self.door.allowed_hosts) {
            return Err(Rejection::Host);
        }
        let Some(credentials) = &self.door.credentials else { return Ok(()) };
        if !headers.contains_key(AUTHORIZATION) {
            // No guess: clients ask without first, and answer the challenge.
            return Err(Rejection::Credentials(credentials.challenge(false)));
        }
        if !peer.known.get() && self.attempts.borrow().is_crowded(peer.address) {
            return Err(Rejection::LoginThrottle);
        }
        let given = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
        if credentials.admit(given) {
            peer.known.set(true);
            return Ok(());
        }
        self.delay_response(peer).await;
        Err(Rejection::Credentials(credentials.challenge(true)))
    }

    async fn delay_response(&self, peer: &Peer) {
        let delay = self.attempts.borrow_mut().failed(peer.address, Instant::now());
        let _waiting = Waiting { attempts: &self.attempts, address: peer.address };
        let mut phase = peer.phase.clone();
        until(&mut phase, Phase::Stopping, delay, std::future::pending::<()>()).await;
    }
}

/// An attempt that waits for its answer. It may be dropped before it gets one.
struct Waiting<'a> {
    attempts: &'a RefCell<LoginThrottle>,
    address: IpAddr,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.attempts.borrow_mut().answered(self.address);
    }
}

/// Whether a browser says that this is a request of a page's: it lets no page set these itself.
fn is_from_browser(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("sec-fetch-"))
}
