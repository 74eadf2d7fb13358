//! `bind` on simulated machines: a table says which addresses cannot be opened.

use std::collections::HashMap;

use super::*;

const NO_FAMILY: i32 = number(97, 47, 10047);
const IN_USE: i32 = number(98, 48, 10048);

const fn number(linux: i32, apple: i32, winsock: i32) -> i32 {
    if cfg!(windows) {
        winsock
    } else if cfg!(target_os = "linux") {
        linux
    } else {
        apple
    }
}

fn failure(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

/// Opens real sockets, except for the addresses in `errors`.
fn bind_on_machine(
    errors: &HashMap<IpAddr, i32>,
    opened: &mut Vec<SocketAddr>,
    host: &str,
) -> Result<Vec<IpAddr>, BindError> {
    let listeners = bind_with(Target::resolve(host, 0)?, &mut |address| {
        opened.push(address);
        errors.get(&address.ip()).map_or_else(|| open(address), |number| Err(failure(*number)))
    })?;
    Ok(listeners.iter().map(|listener| listener.local_addr().unwrap().ip()).collect())
}

fn without(address: &str, number: i32) -> HashMap<IpAddr, i32> {
    HashMap::from([(address.parse().unwrap(), number)])
}

#[test]
fn case_37_localhost_is_ipv4_alone_on_a_machine_without_ipv6() {
    let mut opened = Vec::new();
    let bound = bind_on_machine(&without("::1", NO_FAMILY), &mut opened, "localhost").unwrap();
    assert_eq!(bound, [IpAddr::from(Ipv4Addr::LOCALHOST)]);
}

#[test]
fn case_37_localhost_is_ipv6_alone_on_a_machine_without_ipv4() {
    let mut opened = Vec::new();
    let errors = without("127.0.0.1", NO_FAMILY);
    match bind_on_machine(&errors, &mut opened, "LOCALHOST") {
        Ok(bound) => assert_eq!(bound, [IpAddr::from(Ipv6Addr::LOCALHOST)]),
        // On a test machine without IPv6 no address is left to bind.
        Err(error) => assert_eq!(error.address, "::1"),
    }
    assert_eq!(opened.len(), 2);
}

#[test]
fn case_37_the_unspecified_address_is_that_of_ipv4_on_a_machine_without_ipv6() {
    let mut opened = Vec::new();
    let bound = bind_on_machine(&without("::", NO_FAMILY), &mut opened, "::").unwrap();
    assert_eq!(bound, [IpAddr::from(Ipv4Addr::UNSPECIFIED)]);
}

#[test]
fn another_port_is_tried_if_the_first_is_in_use_on_the_other_loopback() {
    let mut opened = Vec::new();
    let mut attempts = 0;
    let bound = bind_with(Target::Loopbacks { port: 0 }, &mut |address| {
        opened.push(address);
        if address.is_ipv6() {
            attempts += 1;
            if attempts <= 2 {
                return Err(failure(IN_USE));
            }
            return Err(failure(NO_FAMILY));
        }
        open(address)
    });
    assert_eq!(bound.unwrap().len(), 1);
    assert_eq!(opened.iter().filter(|address| address.port() == 0).count(), 3);
}

#[test]
fn the_search_for_a_port_that_is_free_on_both_loopbacks_is_bounded() {
    let mut opened = 0;
    let error = bind_with(Target::Loopbacks { port: 0 }, &mut |address| {
        opened += 1;
        if address.is_ipv6() { Err(failure(IN_USE)) } else { open(address) }
    })
    .unwrap_err();
    assert_eq!(error.code, "EADDRINUSE");
    assert_eq!(opened, 2 * PAIR_ATTEMPTS);
}

#[test]
fn a_fixed_port_is_tried_once_on_each_loopback() {
    let mut opened = Vec::new();
    let free = open(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let error = bind_with(Target::Loopbacks { port }, &mut |address| {
        opened.push(address.to_string());
        if address.is_ipv6() { Err(failure(IN_USE)) } else { open(address) }
    })
    .unwrap_err();
    assert_eq!(opened, [format!("127.0.0.1:{port}"), format!("[::1]:{port}")]);
    assert_eq!(error.address, "::1");
    assert_eq!(error.to_string(), format!("listen EADDRINUSE: address already in use ::1:{port}"));
}

#[test]
fn names_that_can_never_resolve_are_not_looked_up() {
    for name in
        ["", ".", "256.1.1.1", "1.2.3", "no.such.host.invalid", "a.invalid.", "a b", "[::1]"]
    {
        assert!(never_resolves(name), "{name:?}");
    }
    for name in ["localhost", "a", "a.example", "1.example", "fe80::1%lo"] {
        assert!(!never_resolves(name), "{name:?}");
    }
}
