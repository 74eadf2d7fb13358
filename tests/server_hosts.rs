//! The host names that requests may use, on raw sockets.

mod support;

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use hypertrace_prometheus::server::{
    Server,
    access::{AccessPolicy, Credentials},
    listen,
};
use support::*;

const SMALL: usize = 20;
const RIGHT: &str = "Authorization: Bearer right\r\n";

/// A host name that is not one of this server's.
const FOREIGN: &str = "evil.example";

fn get_as(host: &str, headers: &str) -> String {
    format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n")
}

#[test]
fn on_a_loopback_address_every_request_must_name_this_server() {
    let running = start(small(), short_limits());
    let mut client = running.connect();
    for host in ["localhost", "127.0.0.1:80", "[::1]", "app.localhost", "host.docker.internal:1"] {
        client.send(get_as(host, ""));
        client.response().assert_page(SMALL);
    }
    for path in ["/metrics", "/", "/summary.json", "/nope"] {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: {FOREIGN}\r\n\r\n"));
        let response = client.response();
        response.assert_text(403);
        let text = "evil.example is not a host name of this server. To accept it, set the option \
                    allowedHosts: ['evil.example'].\n";
        assert_eq!(response.text(), text);
    }
    client.send(get_as("<b>", ""));
    let response = client.response();
    response.assert_text(403);
    assert_eq!(response.text(), "The Host header has no host name of this server.\n");
    client.send(get_as(&gethostname::gethostname().into_string().unwrap(), ""));
    client.response().assert_page(SMALL);
    client.send("GET /metrics HTTP/1.0\r\n\r\n");
    client.response().assert_page(SMALL);
}

#[test]
fn an_allowed_host_is_accepted_and_with_credentials_only_browsers_must_name_this_server() {
    let policy =
        AccessPolicy { allowed_hosts: vec![FOREIGN.to_owned()], ..AccessPolicy::default() };
    let running = start_with_access(policy, small(), short_limits());
    let mut client = running.connect();
    client.send(get_as(FOREIGN, "Sec-Fetch-Site: same-origin\r\n"));
    client.response().assert_page(SMALL);
    client.send(get_as("other.example", ""));
    client.response().assert_text(403);

    let credentials = Some(Credentials::bearer("right"));
    let policy = AccessPolicy { credentials, ..AccessPolicy::default() };
    let running = start_with_access(policy, small(), short_limits());
    let mut client = running.connect();
    client.send(get_as(FOREIGN, RIGHT));
    client.response().assert_page(SMALL);
    client.send(get_as(FOREIGN, ""));
    client.response().assert_text(401);
    client.send(get_as(FOREIGN, &format!("Referer: http://{FOREIGN}/\r\n{RIGHT}")));
    client.response().assert_text(403);
}

/// Returns an address of this machine that is not a loopback address, if there is one.
fn other_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Connecting a datagram socket sends nothing; it selects the address of the route.
    socket.connect("203.0.113.9:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback())
}

#[test]
fn on_another_address_only_browsers_must_name_this_server() {
    let Some(address) = other_address() else { return };
    let listeners = listen::bind("0.0.0.0", 0).unwrap();
    let server = Server::start(listeners, small(), short_limits()).unwrap();
    let port = server.addresses()[0].port();
    let mut client = Client::connect((address, port).into());
    // A scraper, and `fetch` of Node.js.
    for headers in ["", "Sec-Fetch-Mode: cors\r\nAccept-Language: *\r\nUser-Agent: node\r\n"] {
        client.send(get_as("app.example", headers));
        client.response().assert_page(SMALL);
    }
    for mark in ["Sec-Fetch-Site: none", "Upgrade-Insecure-Requests: 1", "Origin: null"] {
        client.send(get_as("app.example", &format!("{mark}\r\n")));
        client.response().assert_text(403);
        client.send(get_as(&address.to_string(), &format!("{mark}\r\n")));
        client.response().assert_page(SMALL);
    }
    // The same server at its loopback address.
    let mut client = Client::connect((Ipv4Addr::LOCALHOST, port).into());
    client.send(get_as("app.example", ""));
    client.response().assert_text(403);
}
