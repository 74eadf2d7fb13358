//! Binds the sockets of a server synchronously, so that the caller gets the error.
//!
//! `localhost` is both loopback addresses on one port; `::` is both address families. Errors are those
//! of Node.js. After an error nothing is left open.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs},
};

use socket2::{Domain, Protocol, Socket, Type};

pub use super::bind_error::BindError;

/// The number of connections that the kernel queues until they are accepted: the maximum of Linux by default.
/// For a connection beyond it, Linux drops the first packet, which the client repeats after a second. So a
/// scrape could fail while hundreds of other clients connect.
const BACKLOG: i32 = 4096;

/// With port 0: the maximum number of attempts to find a port that is free on both loopbacks.
const PAIR_ATTEMPTS: u32 = 32;

/// Opens one listening socket: the only effect of this file. It is a parameter, so that tests can simulate
/// a machine without IPv6.
type Open<'a> = &'a mut dyn FnMut(SocketAddr) -> io::Result<TcpListener>;

/// The addresses of a host and a port, before a socket is opened.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// Both loopbacks.
    Loopbacks {
        /// The port. With 0 the system chooses a free one.
        port: u16,
    },
    /// One address.
    At(SocketAddr),
}

impl Target {
    /// Resolves a host. Blocks until the system's resolver returns.
    ///
    /// # Errors
    ///
    /// If the name does not resolve.
    pub fn resolve(host: &str, port: u16) -> Result<Self, BindError> {
        if host.eq_ignore_ascii_case("localhost") {
            return Ok(Self::Loopbacks { port });
        }
        look_up(host, port).map(Self::At)
    }

    /// Returns the first address, with this port.
    #[must_use]
    pub fn address(self, port: u16) -> SocketAddr {
        let mut address = match self {
            Self::Loopbacks { .. } => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            Self::At(address) => address,
        };
        address.set_port(port);
        address
    }

    /// Returns the error of an address that this process itself listens on.
    #[must_use]
    pub fn in_use(self) -> BindError {
        let port = match self {
            Self::Loopbacks { port } => port,
            Self::At(address) => address.port(),
        };
        BindError::in_use(self.address(port))
    }

    /// Opens the listeners. The address of the first one is reported.
    ///
    /// # Errors
    ///
    /// If the address cannot be bound.
    pub fn bind(self) -> Result<Vec<TcpListener>, BindError> {
        bind_with(self, &mut open)
    }
}

/// Listens on `host` and `port` (0: any free port).
///
/// # Errors
///
/// If the name does not resolve or the address cannot be bound.
pub fn bind(host: &str, port: u16) -> Result<Vec<TcpListener>, BindError> {
    Target::resolve(host, port)?.bind()
}

fn bind_with(target: Target, open: Open<'_>) -> Result<Vec<TcpListener>, BindError> {
    let address = match target {
        Target::Loopbacks { port } => return loopbacks(port, open),
        Target::At(address) => address,
    };
    let port = address.port();
    match open(address) {
        Ok(listener) => Ok(vec![listener]),
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && is_absent(&error) => {
            one(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), open)
        }
        Err(error) => Err(BindError::listen(&error, address)),
    }
}

fn one(address: SocketAddr, open: Open<'_>) -> Result<Vec<TcpListener>, BindError> {
    match open(address) {
        Ok(listener) => Ok(vec![listener]),
        Err(error) => Err(BindError::listen(&error, address)),
    }
}

/// Listens on `127.0.0.1` and `::1` with one port, or on one of them if the machine does not have the other.
fn loopbacks(port: u16, open: Open<'_>) -> Result<Vec<TcpListener>, BindError> {
    let mut attempts = if port == 0 { PAIR_ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        let first = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let v4 = match open(first) {
            Ok(listener) => listener,
            Err(error) if is_absent(&error) => {
                return one(SocketAddr::from((Ipv6Addr::LOCALHOST, port)), open);
            }
            Err(error) => return Err(BindError::listen(&error, first)),
        };
        let chosen = v4.local_addr().map_err(|error| BindError::listen(&error, first))?.port();
        let second = SocketAddr::from((Ipv6Addr::LOCALHOST, chosen));
        match open(second) {
            Ok(v6) => return Ok(vec![v4, v6]),
            Err(error) if is_absent(&error) => return Ok(vec![v4]),
            // The port is in use on ::1. `v4` is closed, and the next free port is tried.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && attempts > 0 => {}
            Err(error) => return Err(BindError::listen(&error, second)),
        }
    }
}

/// Returns whether an error says that the machine lacks the address family.
fn is_absent(error: &io::Error) -> bool {
    let code = BindError::code_of(error);
    matches!(code, "EAFNOSUPPORT" | "EPROTONOSUPPORT" | "EADDRNOTAVAIL" | "EINVAL")
}

/// Returns the first address of a name, as Node.js does.
fn look_up(host: &str, port: u16) -> Result<SocketAddr, BindError> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, port));
    }
    if never_resolves(host) {
        return Err(BindError::lookup(host, port, None));
    }
    match (host, port).to_socket_addrs() {
        Ok(mut addresses) => addresses.next().ok_or_else(|| BindError::lookup(host, port, None)),
        Err(error) => Err(BindError::lookup(host, port, Some(&error))),
    }
}

/// Returns whether a name can never resolve: it is empty, ends in a number or in `.invalid` (RFC 6761).
/// Such names are not sent to a resolver, so that a machine without a resolver reports the same error.
fn never_resolves(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or_default();
    last.is_empty()
        || last.bytes().all(|byte| byte.is_ascii_digit())
        || last.eq_ignore_ascii_case("invalid")
        || host.contains(['\0', ' ', '/', '['])
}

/// Opens a listening socket with `SO_REUSEADDR`, so that a port is free as soon as its server has ended.
/// Does not set `SO_REUSEPORT`, so that two processes never share a port by accident.
fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows the option would let this server bind a port that another process has bound. There, a port is
    // free without it as soon as its server has ended; with SO_EXCLUSIVEADDRUSE, not before its connections have.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    if let SocketAddr::V6(address) = address {
        let ip = address.ip();
        // An IPv4 address in the form of IPv6 (`::ffff:127.0.0.1`) needs IPv4.
        socket.set_only_v6(*ip != Ipv6Addr::UNSPECIFIED && ip.to_ipv4_mapped().is_none())?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests;
