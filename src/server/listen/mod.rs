//! Binds the ports of a server: synchronously, so that a failure is the caller's.
//!
//! `localhost` means both loopbacks on one port, `::` both families. What is said about a failure is
//! what Node says about the same one. After a failure nothing is left open.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs},
};

use socket2::{Domain, Protocol, Socket, Type};

pub use super::bind_error::BindError;

/// Connections that the kernel holds until they are accepted. Node's figure.
const BACKLOG: i32 = 511;

/// How often a pair of free ports is looked for with port 0.
const PAIR_ATTEMPTS: u32 = 32;

/// Opens one listening socket: the only effect of this file, a parameter so that tests can have a
/// machine without IPv6.
type Open<'a> = &'a mut dyn FnMut(SocketAddr) -> io::Result<TcpListener>;

/// What a host and a port come to, before anything is opened there.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// Both loopbacks.
    Loopbacks {
        /// 0: a free one.
        port: u16,
    },
    /// One address.
    At(SocketAddr),
}

impl Target {
    /// Looks a host up: for a name that can take as long as the system's resolver does.
    ///
    /// # Errors
    ///
    /// When the name is not known.
    pub fn find(host: &str, port: u16) -> Result<Self, BindError> {
        if host.eq_ignore_ascii_case("localhost") {
            return Ok(Self::Loopbacks { port });
        }
        resolve(host, port).map(Self::At)
    }

    /// Listens there, at once. The first listener is the one to show.
    ///
    /// # Errors
    ///
    /// When the address cannot be had.
    pub fn bind(self) -> Result<Vec<TcpListener>, BindError> {
        bind_with(self, &mut open)
    }
}

/// Listens on `host` and `port` (0: a free one).
///
/// # Errors
///
/// When the name is not known, or the address cannot be had.
pub fn bind(host: &str, port: u16) -> Result<Vec<TcpListener>, BindError> {
    Target::find(host, port)?.bind()
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

/// `127.0.0.1` and `::1` on one port; one of them alone where the machine lacks the other.
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
            // Somebody else has that port on ::1. `v4` is closed, and the next one is tried.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && attempts > 0 => {}
            Err(error) => return Err(BindError::listen(&error, second)),
        }
    }
}

/// Whether the machine lacks the family, or the address of it that every machine has.
fn is_absent(error: &io::Error) -> bool {
    let code = BindError::code_of(error);
    matches!(code, "EAFNOSUPPORT" | "EPROTONOSUPPORT" | "EADDRNOTAVAIL" | "EINVAL")
}

/// The address of a name: the first that the system tells, as Node takes it.
fn resolve(host: &str, port: u16) -> Result<SocketAddr, BindError> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, port));
    }
    if is_no_name(host) {
        return Err(BindError::lookup(host, port, None));
    }
    match (host, port).to_socket_addrs() {
        Ok(mut addresses) => addresses.next().ok_or_else(|| BindError::lookup(host, port, None)),
        Err(error) => Err(BindError::lookup(host, port, Some(&error))),
    }
}

/// Names that no resolver can know, so that none is asked and a machine without one says the same:
/// nothing, numbers that are no address, and `.invalid` (RFC 6761).
fn is_no_name(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or_default();
    last.is_empty()
        || last.bytes().all(|byte| byte.is_ascii_digit())
        || last.eq_ignore_ascii_case("invalid")
        || host.contains(['\0', ' ', '/', '['])
}

/// A listening socket. `SO_REUSEADDR`, so that a port is free again as soon as its server has ended;
/// no `SO_REUSEPORT`, so that two processes never share a port without knowing.
fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows the option has another meaning: to take a port from its owner.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(address.ip() != Ipv6Addr::UNSPECIFIED)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests;
