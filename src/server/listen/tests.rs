//! The choices of `bind` on machines that are not at hand: the opener is a table.

use std::collections::HashMap;

use super::*;

const NO_FAMILY: i32 = if cfg!(target_os = "linux") { 97 } else { 47 };
const IN_USE: i32 = if cfg!(target_os = "linux") { 98 } else { 48 };

fn failure(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

/// Opens real sockets, except where `refused` says with what an address is refused.
fn machine(
    refused: &HashMap<IpAddr, i32>,
    asked: &mut Vec<SocketAddr>,
    host: &str,
) -> Result<Vec<IpAddr>, BindError> {
    let listeners = bind_with(Target::find(host, 0)?, &mut |address| {
        asked.push(address);
        refused.get(&address.ip()).map_or_else(|| open(address), |number| Err(failure(*number)))
    })?;
    Ok(listeners.iter().map(|listener| listener.local_addr().unwrap().ip()).collect())
}

fn without(address: &str, number: i32) -> HashMap<IpAddr, i32> {
    HashMap::from([(address.parse().unwrap(), number)])
}

#[test]
fn case_37_localhost_is_ipv4_alone_on_a_machine_without_ipv6() {
    let mut asked = Vec::new();
    let bound = machine(&without("::1", NO_FAMILY), &mut asked, "localhost").unwrap();
    assert_eq!(bound, [IpAddr::from(Ipv4Addr::LOCALHOST)]);
}

#[test]
fn case_37_localhost_is_ipv6_alone_on_a_machine_without_ipv4() {
    let mut asked = Vec::new();
    let refused = without("127.0.0.1", NO_FAMILY);
    match machine(&refused, &mut asked, "LOCALHOST") {
        Ok(bound) => assert_eq!(bound, [IpAddr::from(Ipv6Addr::LOCALHOST)]),
        // Where the tests run on a machine without IPv6 there is nothing left to bind.
        Err(error) => assert_eq!(error.address, "::1"),
    }
    assert_eq!(asked.len(), 2);
}

#[test]
fn case_37_every_address_is_every_ipv4_address_on_a_machine_without_ipv6() {
    let mut asked = Vec::new();
    let bound = machine(&without("::", NO_FAMILY), &mut asked, "::").unwrap();
    assert_eq!(bound, [IpAddr::from(Ipv4Addr::UNSPECIFIED)]);
}

#[test]
fn a_port_taken_on_the_other_loopback_is_given_up_for_another() {
    let mut asked = Vec::new();
    let mut times = 0;
    let bound = bind_with(Target::Loopbacks { port: 0 }, &mut |address| {
        asked.push(address);
        if address.is_ipv6() {
            times += 1;
            if times <= 2 {
                return Err(failure(IN_USE));
            }
            return Err(failure(NO_FAMILY));
        }
        open(address)
    });
    assert_eq!(bound.unwrap().len(), 1);
    assert_eq!(asked.iter().filter(|address| address.port() == 0).count(), 3);
}

#[test]
fn a_search_for_a_pair_of_ports_ends() {
    let mut asked = 0;
    let error = bind_with(Target::Loopbacks { port: 0 }, &mut |address| {
        asked += 1;
        if address.is_ipv6() { Err(failure(IN_USE)) } else { open(address) }
    })
    .unwrap_err();
    assert_eq!(error.code, "EADDRINUSE");
    assert_eq!(asked, 2 * PAIR_ATTEMPTS);
}

#[test]
fn a_fixed_port_is_asked_for_once_on_each_loopback() {
    let mut asked = Vec::new();
    let free = open(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let error = bind_with(Target::Loopbacks { port }, &mut |address| {
        asked.push(address.to_string());
        if address.is_ipv6() { Err(failure(IN_USE)) } else { open(address) }
    })
    .unwrap_err();
    assert_eq!(asked, [format!("127.0.0.1:{port}"), format!("[::1]:{port}")]);
    assert_eq!(error.address, "::1");
    assert_eq!(error.to_string(), format!("listen EADDRINUSE: address already in use ::1:{port}"));
}

#[test]
fn names_that_no_resolver_can_know_are_not_looked_up() {
    for name in
        ["", ".", "256.1.1.1", "1.2.3", "no.such.host.invalid", "a.invalid.", "a b", "[::1]"]
    {
        assert!(is_no_name(name), "{name:?}");
    }
    for name in ["localhost", "a", "a.example", "1.example", "fe80::1%lo"] {
        assert!(!is_no_name(name), "{name:?}");
    }
}
