//! The options, the result and the errors of listening. The errors have the form of those of Node.js' servers.

use std::{io, net::SocketAddr};

use napi_derive::napi;

use super::{
    access::{Auth, TlsOptions, UnusableTls},
    exporter::Exporter,
};
use crate::{
    server::{
        access::AccessPolicy,
        listen::BindError,
        tls::{SecureContext, Unusable},
    },
    shared_server::{Difference, ListenConfig},
};

/// The address to serve the page on, and the access to it.
#[napi(object, object_to_js = false)]
pub struct ListenOptions {
    /// A host name or address.
    pub host: String,
    /// The port; 0 for any free one.
    pub port: u16,
    /// Options that must be equal in all threads of one port: names, and values in a canonical form.
    #[napi(ts_type = "[name: string, value: string][]")]
    pub shared_options: Vec<Vec<String>>,
    /// The option that prevents this thread from joining any server.
    pub join_blocker: Option<String>,
    /// The credentials that each request must have.
    pub auth: Option<Auth>,
    /// The certificate of the server; left out for a server without TLS.
    pub tls: Option<TlsOptions>,
    /// Host names that requests may have, besides those of this server.
    pub allowed_hosts: Vec<String>,
    /// `true` if other processes may share the port.
    pub cluster: bool,
}

impl ListenOptions {
    /// Converts the options.
    ///
    /// # Errors
    ///
    /// If certificate, key or authorities cannot be used.
    pub fn into_config(self, worker: Option<u32>) -> Result<ListenConfig, Unusable> {
        let pair = |option: Vec<String>| <[String; 2]>::try_from(option).ok();
        let shared_options =
            self.shared_options.into_iter().filter_map(pair).map(Into::into).collect();
        let access = AccessPolicy {
            credentials: self.auth.map(Into::into),
            allowed_hosts: self.allowed_hosts,
            tls: self.tls.as_ref().map(SecureContext::try_from).transpose()?,
        };
        Ok(ListenConfig {
            host: self.host,
            port: self.port,
            worker,
            shared_options,
            join_blocker: self.join_blocker,
            access,
            cluster: self.cluster,
        })
    }
}

/// The result of listening: an exporter, or one of the reasons why there is none.
#[derive(Default)]
#[napi(object, object_from_js = false)]
pub struct Listening {
    /// The exporter, which serves the port or has joined the thread that serves it.
    pub exporter: Option<Exporter>,
    /// `true` if another thread serves the port, and the exporter has joined it.
    pub joined: bool,
    /// The TLS option that cannot be used.
    pub unusable_tls: Option<UnusableTls>,
    /// The option that prevents this thread from joining the one that serves the port.
    pub differs: Option<Differing>,
    /// The error of the system.
    pub failure: Option<Failure>,
}

/// An option that prevents a thread from joining another.
#[napi(object, object_from_js = false)]
pub struct Differing {
    /// The name of the option.
    pub option: String,
    /// Its value in the other thread, as in `sharedOptions`; `undefined` if it is secret or not the cause.
    pub expected: Option<String>,
    /// `true` if the other thread is in another process.
    pub is_of_process: bool,
}

impl From<Difference> for Differing {
    fn from(Difference { option, expected, is_of_process }: Difference) -> Self {
        Self { option, expected, is_of_process }
    }
}

/// An address in the form of Node.js' `server.address()`.
#[napi(object, object_from_js = false)]
pub struct Address {
    /// The IP address.
    pub address: String,
    /// `IPv4` or `IPv6`.
    #[napi(ts_type = "'IPv4' | 'IPv6'")]
    pub family: &'static str,
    /// The port.
    pub port: u16,
}

impl Address {
    /// Creates the address of a socket that was opened for `host`. A link-local address keeps the zone of the
    /// host (`fe80::1%eth0`), without which no client can use it.
    pub fn new(address: &SocketAddr, host: &str) -> Self {
        let zone = match address {
            SocketAddr::V6(address) if address.scope_id() != 0 => host.split_once('%'),
            _ => None,
        };
        let zone = zone.map_or_else(String::new, |(_, zone)| format!("%{zone}"));
        Self {
            address: format!("{}{zone}", address.ip()),
            family: if address.is_ipv4() { "IPv4" } else { "IPv6" },
            port: address.port(),
        }
    }
}

/// The message and the fields of a system error in Node.js.
#[napi(object, object_from_js = false)]
pub struct Failure {
    /// The whole message.
    pub message: String,
    /// The error's name, such as `EADDRINUSE`.
    pub code: &'static str,
    /// The error's number, negative as in Node.js.
    pub errno: i32,
    /// The call that failed.
    pub syscall: &'static str,
    /// The address or host name of the option; `undefined` if the error does not concern the address.
    pub address: Option<String>,
    /// The port of the option, unless it is 0.
    pub port: Option<u16>,
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        let message = error.to_string();
        let BindError { code, errno, syscall, address, port, .. } = error;
        Self { message, code, errno, syscall, address: Some(address), port }
    }
}

impl Failure {
    /// Creates the failure that there is no folder in which processes can find each other.
    pub fn folder(error: &io::Error) -> Self {
        let BindError { code, errno, .. } = BindError::listen(error, SocketAddr::from(([0; 4], 0)));
        let message = format!(
            "there is no folder for the socket that the processes of the port share: {error}. Set \
             XDG_RUNTIME_DIR or TMPDIR to a folder that only this user can write"
        );
        Self { message, code, errno, syscall: "bind", address: None, port: None }
    }

    /// Creates the failure that the server thread could not be started.
    pub fn thread(error: &io::Error) -> Self {
        // The fields of Node.js, without an address.
        let BindError { code, errno, .. } = BindError::listen(error, SocketAddr::from(([0; 4], 0)));
        let message = format!(
            "the server's thread could not be started, {code}: {error}. The limits of threads (ulimit \
             -u, pids.max of a container) and of open files (ulimit -n) may be reached"
        );
        Self { message, code, errno, syscall: "pthread_create", address: None, port: None }
    }
}
