//! Where a server listens, or why it does not, as JavaScript knows it from Node's own servers.

use std::net::SocketAddr;

use napi_derive::napi;

use super::access::Auth;
use crate::{
    server::{access::AccessPolicy, listen::BindError},
    shared_server::ListenConfig,
};

/// Where to serve the page.
#[napi(object, object_to_js = false)]
pub struct ListenOptions {
    /// The host's name or address.
    pub host: String,
    /// The port; 0 for any.
    pub port: u16,
    /// The number of this worker thread; missing on the main thread.
    pub worker: Option<u32>,
    /// Options that threads at one port have to share: names and values in some fixed form.
    pub shared_options: Vec<Vec<String>>,
    /// An option that keeps this thread from joining any other.
    pub join_blocker: Option<String>,
    /// What each request has to carry.
    pub auth: Option<Auth>,
    /// Names that browsers may know this server by.
    pub allowed_hosts: Vec<String>,
}

impl From<ListenOptions> for ListenConfig {
    fn from(options: ListenOptions) -> Self {
        let pair = |option: Vec<String>| <[String; 2]>::try_from(option).ok();
        let shared_options =
            options.shared_options.into_iter().filter_map(pair).map(Into::into).collect();
        let door = AccessPolicy {
            credentials: options.auth.map(Into::into),
            allowed_hosts: options.allowed_hosts,
            tls: None,
        };
        Self {
            host: options.host,
            port: options.port,
            shared_options,
            join_blocker: options.join_blocker,
            door,
        }
    }
}

/// What came of it.
#[derive(Default)]
#[napi(object, object_from_js = false)]
pub struct Listening {
    /// Another thread serves the port, and this one counts for its page.
    pub joined: bool,
    /// The option that keeps this thread from joining the one at the port: nothing is served or
    /// joined.
    pub differs: Option<String>,
    /// Why nothing is served.
    pub failure: Option<Failure>,
}

impl Listening {
    /// This option keeps the thread from joining the one at the port.
    pub fn differs(option: String) -> Self {
        Self { differs: Some(option), ..Self::default() }
    }

    /// The port cannot be had.
    pub fn failed(error: BindError) -> Self {
        Self { failure: Some(error.into()), ..Self::default() }
    }
}

/// What `server.address()` of Node's gives.
#[napi(object, object_from_js = false)]
pub struct Address {
    /// The IP address.
    pub address: String,
    /// `IPv4` or `IPv6`.
    pub family: &'static str,
    /// The port.
    pub port: u16,
}

impl From<&SocketAddr> for Address {
    fn from(address: &SocketAddr) -> Self {
        Self {
            address: address.ip().to_string(),
            family: if address.is_ipv4() { "IPv4" } else { "IPv6" },
            port: address.port(),
        }
    }
}

/// The facts of an error of Node's.
#[napi(object, object_from_js = false)]
pub struct Failure {
    /// The whole message.
    pub message: String,
    /// The error's name, as `EADDRINUSE`.
    pub code: &'static str,
    /// Its number, negative as in Node.
    pub errno: i32,
    /// What failed.
    pub syscall: &'static str,
    /// The address or host name that was asked for.
    pub address: String,
    /// The port that was asked for.
    pub port: u16,
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        let message = error.to_string();
        let BindError { code, errno, syscall, address, port, .. } = error;
        Self { message, code, errno, syscall, address, port }
    }
}
