//! The host names of this server. Pure.
//!
//! DNS rebinding: a foreign site points its own name to the address of this server, so that a browser lets
//! a page of that site read the responses. The requests of the page still name the foreign host. Browsers
//! send no `Sec-Fetch-*` over plain HTTP to such a name, and a page can suppress `Referer`. Hence:
//!
//! - On a loopback address, every request must name a host of this server: a foreign name that resolves
//!   to it is a result of rebinding or needs an entry of `allowedHosts`. With credentials this rule does not
//!   apply, because a foreign page has none.
//! - A request with a mark of a browser ([`has_browser_mark`](super::browser::has_browser_mark)) must
//!   name a host of this server on any address. Programs may use any name there.
//!
//! Any IP address is accepted: a foreign page can read the responses only if its own host is this address.

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv6Addr},
};

/// Names that containers use for the machine that runs them. No public DNS resolves `.internal`.
const CONTAINER_HOSTS: [&str; 2] = ["host.docker.internal", "host.containers.internal"];

/// The host names of a server.
#[derive(Debug, Default)]
pub(crate) struct OwnHosts {
    /// The option `allowedHosts`.
    allowed: Vec<String>,
    /// The name of this machine.
    machine: Option<String>,
}

impl OwnHosts {
    /// Creates the host names of a server that runs on a machine with the name `machine`.
    pub(crate) fn new(allowed: Vec<String>, machine: OsString) -> Self {
        let machine = machine.into_string().ok().filter(|name| !name.is_empty());
        Self { allowed, machine }
    }

    /// Checks the values of a request's `Host` headers. The port is ignored.
    ///
    /// # Errors
    ///
    /// If the host is not one of this server's. The error holds the name if it is a valid host name.
    pub(crate) fn check<'a>(
        &self,
        mut values: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), Option<String>> {
        // A request without a host does not come from a browser. A request with two hosts gets a 400.
        let (Some(value), None) = (values.next(), values.next()) else { return Ok(()) };
        if value.is_empty() {
            return Ok(());
        }
        let name = std::str::from_utf8(value).ok().and_then(without_port);
        match name {
            Some(name) if self.contain(name) => Ok(()),
            name => Err(name.filter(|name| is_plain(name)).map(str::to_ascii_lowercase)),
        }
    }

    fn contain(&self, name: &str) -> bool {
        let own = CONTAINER_HOSTS.into_iter().chain(self.machine.as_deref());
        is_address(name)
            || is_loopback_name(name)
            || own.chain(self.allowed.iter().map(String::as_str)).any(|own| is_same(name, own))
    }
}

/// Returns whether an address can only be reached from this machine.
pub(crate) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Returns a `Host` without its port, and an IPv6 address without its brackets and its zone.
fn without_port(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            let address = address.split_once('%').map_or(address, |(address, _)| address);
            address.parse::<Ipv6Addr>().ok()?;
            (address, port.strip_prefix(':').or(port.is_empty().then_some(""))?)
        }
        None => host.split_once(':').unwrap_or((host, "")),
    };
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
    (is_port && !name.is_empty()).then_some(name)
}

fn is_address(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok()
}

/// Returns whether a name is always that of a loopback address. Browsers resolve `localhost` and all names
/// below it without DNS.
fn is_loopback_name(name: &str) -> bool {
    let last = without_dot(name).rsplit('.').next().unwrap_or_default();
    last.eq_ignore_ascii_case("localhost")
}

fn is_same(name: &str, own: &str) -> bool {
    without_dot(name).eq_ignore_ascii_case(without_dot(own))
}

/// Returns a name without the dot that marks it as fully qualified.
fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// Returns whether a name has only characters of host names, so that a response may repeat it.
fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    name.len() <= 253 && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> OwnHosts {
        OwnHosts::new(vec!["app.example".to_owned(), "[fd00::1]".to_owned()], "box".into())
    }

    #[test]
    fn own_names_and_all_addresses_are_accepted() {
        let table = [
            ("localhost", true),
            ("localhost:4343", true),
            ("LocalHost:", true),
            ("localhost.", true),
            ("app.localhost:80", true),
            ("127.0.0.1:4343", true),
            ("192.168.1.50", true),
            ("0.0.0.0", true),
            ("[::1]:4343", true),
            ("[fd00::2]", true),
            ("[fe80::1%eth0]:4343", true),
            ("[::ffff:127.0.0.1]", true),
            ("host.docker.internal:4343", true),
            ("host.containers.internal", true),
            ("box", true),
            ("BOX.:4343", true),
            ("app.example", true),
            ("APP.Example.:4343", true),
            ("", true),
            ("evil.example", false),
            ("evil.example:4343", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("notlocalhost", false),
            ("sub.app.example", false),
            ("xapp.example", false),
            ("box.example", false),
            ("docker.internal", false),
            ("256.1.1.1", false),
            ("0x7f.1", false),
            ("::1", false),
            ("[::1", false),
            ("[::1]evil", false),
            ("[localhost]", false),
            ("localhost:80:80", false),
            ("localhost:evil.example", false),
            ("localhost@evil.example", false),
            ("evil.example/localhost", false),
            (":4343", false),
            (".", false),
        ];
        for (host, expected) in table {
            assert_eq!(hosts().check([host.as_bytes()].into_iter()).is_ok(), expected, "{host}");
        }
    }

    #[test]
    fn the_host_is_not_checked_if_there_is_none_or_more_than_one() {
        let two: [&[u8]; 2] = [b"evil.example", b"localhost"];
        assert_eq!(hosts().check(std::iter::empty()), Ok(()));
        assert_eq!(hosts().check(two.into_iter()), Ok(()));
    }

    #[test]
    fn an_error_has_the_host_name_if_it_is_valid() {
        let long = "a".repeat(254);
        let table: [(&[u8], Option<&str>); 8] = [
            (b"Evil.Example:4343", Some("evil.example")),
            (b"a_b-c.example", Some("a_b-c.example")),
            (b"\xff", None),
            (b"<script>", None),
            (b"a'b", None),
            (b"evil.example/x", None),
            (long.as_bytes(), None),
            (b"[::1", None),
        ];
        for (host, name) in table {
            assert_eq!(hosts().check([host].into_iter()), Err(name.map(str::to_owned)), "{host:?}");
        }
    }

    #[test]
    fn a_machine_without_a_name_has_none() {
        let hosts = OwnHosts::new(Vec::new(), OsString::new());
        assert!(hosts.check([b".".as_slice()].into_iter()).is_err());
    }
}
