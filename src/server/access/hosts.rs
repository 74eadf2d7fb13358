//! The host names that browsers may use for this server. Pure.
//!
//! DNS rebinding: the page of a foreign site points its own name to this machine, so that the browser
//! lets it read the responses of this server. Its requests still name the foreign host.

use std::net::{IpAddr, Ipv6Addr};

/// Returns whether a request has one `Host` header and it names the loopback or a host in `allowed`.
/// The port is ignored.
pub fn is_own_name<'a>(mut values: impl Iterator<Item = &'a [u8]>, allowed: &[String]) -> bool {
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Some(name) = std::str::from_utf8(value).ok().and_then(without_port) else { return false };
    is_loopback_name(name) || allowed.iter().any(|allowed| is_same(name, allowed))
}

/// Returns whether an address can only be reached from this machine.
#[must_use]
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Returns a `Host` without its port, and an IPv6 address without its brackets.
fn without_port(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            (address, port.strip_prefix(':').or(port.is_empty().then_some(""))?)
        }
        None => host.split_once(':').unwrap_or((host, "")),
    };
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
    (is_port && !name.is_empty()).then_some(name)
}

/// Returns whether a name is one of the loopback. Browsers resolve `localhost` and all names below it
/// to the loopback without DNS.
fn is_loopback_name(name: &str) -> bool {
    if let Ok(address) = name.parse::<IpAddr>() {
        return is_loopback(address);
    }
    let last = without_dot(name).rsplit('.').next().unwrap_or_default();
    last.eq_ignore_ascii_case("localhost")
}

/// Compares a name with an allowed one; addresses by value, not by spelling.
fn is_same(name: &str, allowed: &str) -> bool {
    let bare = allowed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(allowed);
    match (name.parse::<IpAddr>(), bare.parse::<IpAddr>()) {
        (Ok(name), Ok(allowed)) => name == allowed,
        _ => without_dot(name).eq_ignore_ascii_case(without_dot(allowed)),
    }
}

/// Returns a name without the dot that marks it as fully qualified.
fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_loopback_and_allowed_names_are_accepted() {
        let allowed = ["app.example".to_owned(), "192.168.1.5".to_owned(), "[fd00::1]".to_owned()];
        let table = [
            ("localhost", true),
            ("localhost:4343", true),
            ("LocalHost:", true),
            ("localhost.", true),
            ("app.localhost:80", true),
            ("127.0.0.1", true),
            ("127.0.0.1:4343", true),
            ("127.8.9.1:4343", true),
            ("[::1]", true),
            ("[::1]:4343", true),
            ("[0:0:0:0:0:0:0:1]:4343", true),
            ("[::ffff:127.0.0.1]", true),
            ("app.example", true),
            ("APP.Example.:4343", true),
            ("192.168.1.5:4343", true),
            ("[fd00::1]:4343", true),
            ("[fd00:0::1]", true),
            ("evil.example", false),
            ("evil.example:4343", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("notlocalhost", false),
            ("sub.app.example", false),
            ("xapp.example", false),
            ("192.168.1.50", false),
            ("0.0.0.0", false),
            ("[::]", false),
            ("[fd00::2]", false),
            ("::1", false),
            ("[::1", false),
            ("[::1]evil", false),
            ("[localhost]", false),
            ("localhost:80:80", false),
            ("localhost:evil.example", false),
            ("localhost@evil.example", false),
            ("evil.example/localhost", false),
            (":4343", false),
            ("", false),
            (".", false),
        ];
        for (host, expected) in table {
            assert_eq!(is_own_name([host.as_bytes()].into_iter(), &allowed), expected, "{host}");
        }
    }

    #[test]
    fn exactly_one_host_header_of_text_is_accepted() {
        let none: [&[u8]; 0] = [];
        let two: [&[u8]; 2] = [b"localhost", b"localhost"];
        assert!(!is_own_name(none.into_iter(), &[]));
        assert!(!is_own_name(two.into_iter(), &[]));
        assert!(!is_own_name([b"\xff".as_slice()].into_iter(), &[]));
    }
}
