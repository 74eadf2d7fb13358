//! Where a server listens, or why it does not, as JavaScript knows it from Node's own servers.

use std::net::SocketAddr;

use napi_derive::napi;

use crate::server::listen::BindError;

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
