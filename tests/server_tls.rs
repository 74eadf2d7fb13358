//! The server behind TLS: its handshakes' limits, and that all else is as without it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::{Arc, mpsc},
    time::Duration,
};

use hypertrace_prometheus::server::{
    Limits, Source,
    access::AccessPolicy,
    tls::{Pem, SecureContext, Version},
};
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring::default_provider,
    pki_types::CertificateDer,
};
use support::*;

const SMALL: usize = 20;

struct Secure {
    running: Running,
    root: CertificateDer<'static>,
}

fn certificate() -> (SecureContext, CertificateDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let cert = cert.self_signed(&key).unwrap();
    let (pem, key) = (cert.pem(), key.serialize_pem());
    let (cert_pem, min_version) = (pem.as_bytes(), Version::default());
    let pem = Pem { cert: cert_pem, key: key.as_bytes(), ca: None, min_version };
    (SecureContext::new(pem).unwrap(), cert.der().clone())
}

fn secure(source: Arc<dyn Source>, limits: Limits) -> Secure {
    let (context, root) = certificate();
    let door = AccessPolicy { tls: Some(context), ..AccessPolicy::default() };
    Secure { running: start_with_access(door, source, limits), root }
}

impl Secure {
    /// A connection; its handshake comes with the first bytes.
    fn connect(&self) -> StreamOwned<ClientConnection, TcpStream> {
        connect(&self.running, &self.root)
    }

    #[track_caller]
    fn assert_serves(&self) {
        let mut client = self.connect();
        client.write_all(GET).unwrap();
        let mut head = [0; 15];
        client.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK");
    }
}

fn connect(
    running: &Running,
    root: &CertificateDer<'static>,
) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(client, running.connect().stream)
}

#[test]
fn a_page_of_many_parts_comes_whole_and_the_connection_ends_in_order() {
    let secure = secure(page_of(10_000), short());
    let mut client = secure.connect();
    client.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut all = Vec::new();
    // An end without `close_notify` would be an error.
    client.read_to_end(&mut all).unwrap();
    assert!(all.ends_with(b"\r\n0\r\n\r\n"));
    assert!(all.len() > text(10_000).len());
}

#[test]
fn a_page_that_is_cut_does_not_end_in_order() {
    // More than all buffers between the two hold.
    let limits = Limits { stall: Duration::from_millis(300), ..short() };
    let (source, ended) = watched(lines_in(64 << 20));
    let secure = secure(source, limits);
    let mut client = secure.connect();
    client.write_all(GET).unwrap();
    let mut head = [0; 15];
    client.read_exact(&mut head).unwrap();
    // Not read on until the server has given up.
    ended.recv_timeout(WAIT_LIMIT).unwrap();
    let error = client.read_to_end(&mut Vec::new()).expect_err("no end in order");
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof));
}

/// A page that tells when it is dropped.
fn watched(count: usize) -> (Arc<dyn Source>, mpsc::Receiver<()>) {
    struct Tells(mpsc::Sender<()>);
    impl Drop for Tells {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let (tell, told) = mpsc::channel();
    let source = SourceFn(move |_| -> ScrapeFuture {
        let tells = Tells(tell.clone());
        let page = lines_with(count, move |_| {
            let _ = &tells;
        });
        Box::pin(async move { scrape(page) })
    });
    (Arc::new(source), told)
}

#[test]
fn a_handshake_that_is_not_finished_ends_at_its_limit() {
    let limits = Limits { handshake: Duration::from_millis(300), ..Limits::default() };
    let secure = secure(small(), limits);
    for begun in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let mut client = secure.running.connect();
        client.send(begun);
        client.assert_closed();
    }
    // However steadily it comes.
    let mut client = secure.running.connect();
    client.send(b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03");
    eventually("the limit ends it", || client.stream.write_all(b"x").is_err());
    secure.assert_serves();
}

#[test]
fn what_is_no_handshake_is_told_so() {
    let secure = secure(small(), short());
    let mut client = secure.running.connect();
    client.send(GET);
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    let alert = client.until_closed();
    assert_eq!(alert.first(), Some(&0x15), "an alert: {alert:?}");
    secure.assert_serves();
}

#[test]
fn one_handshake_too_many_ends_the_oldest() {
    let secure = secure(small(), Limits { handshakes: 3, ..Limits::default() });
    let mut silent: VecDeque<_> = (0..3).map(|_| secure.running.connect()).collect();
    for _ in 0..3 {
        // Takes a place, and gives it back.
        secure.assert_serves();
        silent.pop_front().expect("the oldest").assert_closed();
        silent.push_back(secure.running.connect());
    }
    for client in &silent {
        client.stream.set_nonblocking(true).unwrap();
        let waits = client.stream.peek(&mut [0]).expect_err("nothing to read");
        assert_eq!(waits.kind(), ErrorKind::WouldBlock, "the newest are not ended");
    }
}

#[test]
fn handshakes_take_no_connections_from_others() {
    let secure = secure(small(), Limits { connections: 8, handshakes: 4, ..Limits::default() });
    let silent: Vec<_> = (0..100).map(|_| secure.running.connect()).collect();
    for _ in 0..20 {
        secure.assert_serves();
    }
    drop(silent);
}

#[test]
fn another_certificate_is_shown_from_the_next_handshake_on() {
    let secure = secure(small(), short());
    let mut open = secure.connect();
    let mut page = || {
        open.write_all(GET).unwrap();
        let mut all = Vec::new();
        while !all.ends_with(&text(SMALL)) {
            let mut part = [0; 4096];
            let length = open.read(&mut part).unwrap();
            assert!(length > 0, "the connection goes on");
            all.extend_from_slice(&part[..length]);
        }
        assert!(all.starts_with(b"HTTP/1.1 200 OK"));
    };
    page();
    let (context, root) = certificate();
    assert!(secure.running.server.set_secure_context(context.clone()));
    assert!(secure.running.server.secure_context().is_some_and(|now| now.is(&context)));
    page();
    assert!(secure.connect().write_all(GET).is_err(), "the old one is not shown any more");
    assert!(connect(&secure.running, &root).write_all(GET).is_ok());
}

#[test]
fn a_server_without_one_takes_no_certificate() {
    let running = start(small(), short());
    assert!(!running.server.set_secure_context(certificate().0));
    assert!(running.server.secure_context().is_none());
    running.scrape().assert_page(SMALL);
}
