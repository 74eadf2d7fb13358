//! The server with TLS: handshakes and their limits, certificates, and complete pages.

mod support;

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    sync::{Arc, mpsc},
    time::Duration,
};

use hypertrace_prometheus::server::{
    Limits, Source,
    access::AccessPolicy,
    tls::{Pem, SecureContext, Version},
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, SignatureScheme, StreamOwned,
    client::ResolvesClientCert,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use support::{tls::*, *};

const SMALL: usize = 20;

#[test]
fn a_page_of_many_chunks_is_complete_and_the_connection_ends_with_close_notify() {
    let secure = secure(page_of(10_000), short_limits());
    let mut client = secure.connect();
    client
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut all = Vec::new();
    // A close without `close_notify` would be an error.
    client.read_to_end(&mut all).unwrap();
    assert!(all.ends_with(b"\r\n0\r\n\r\n"));
    assert!(all.len() > text(10_000).len());
}

#[test]
fn a_page_that_is_cut_ends_without_close_notify() {
    // The page is larger than all buffers between server and client.
    let limits = Limits { stall: Duration::from_millis(300), ..short_limits() };
    let (source, dropped) = page_with_drop_signal(lines_in(64 << 20));
    let secure = secure(source, limits);
    let mut client = secure.connect();
    client.write_all(GET).unwrap();
    let mut head = [0; 15];
    client.read_exact(&mut head).unwrap();
    // Reads again only after the server has cut the page.
    dropped.recv_timeout(TIMEOUT).unwrap();
    let error = client.read_to_end(&mut Vec::new()).expect_err("no close_notify");
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof));
}

/// A source whose pages send a message when they are dropped.
fn page_with_drop_signal(count: usize) -> (Arc<dyn Source>, mpsc::Receiver<()>) {
    struct SendsOnDrop(mpsc::Sender<()>);
    impl Drop for SendsOnDrop {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let (sender, dropped) = mpsc::channel();
    let source = FnSource(move |_| -> ScrapeFuture {
        let guard = SendsOnDrop(sender.clone());
        let page = lines_with(count, move |_| {
            let _ = &guard;
        });
        Box::pin(async move { scrape(page) })
    });
    (Arc::new(source), dropped)
}

#[test]
fn an_unfinished_handshake_ends_at_its_limit() {
    let limits = Limits { handshake: Duration::from_millis(300), ..Limits::default() };
    let secure = secure(small(), limits);
    for started in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let mut client = secure.running.connect();
        client.send(started);
        client.assert_closed();
    }
    // The limit also ends a handshake whose bytes arrive steadily.
    let mut client = secure.running.connect();
    client.send(b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03");
    eventually("the handshake ends", || client.stream.write_all(b"x").is_err());
    secure.assert_serves();
}

#[test]
fn a_client_without_tls_gets_an_alert_or_a_400_if_it_speaks_http() {
    let secure = secure(small(), short_limits());
    let mut client = secure.running.connect();
    client.send("no handshake, and no HTTP\r\n\r\n");
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    let alert = client.read_to_close();
    assert_eq!(alert.first(), Some(&0x15), "an alert: {alert:?}");

    let mut client = secure.running.connect();
    client.send(GET);
    let response = client.response();
    response.assert_text(400);
    assert!(response.text().contains("https://"), "{response:?}");
    client.assert_closed();
    secure.assert_serves();
}

#[test]
fn a_handshake_beyond_the_limit_ends_the_oldest() {
    let secure = secure(small(), Limits { handshakes: 3, ..Limits::default() });
    let mut silent: VecDeque<_> = (0..3).map(|_| secure.running.connect()).collect();
    for _ in 0..3 {
        // This handshake is beyond the limit, so the oldest one ends.
        secure.assert_serves();
        silent.pop_front().expect("the oldest").assert_closed();
        silent.push_back(secure.running.connect());
    }
    for client in &silent {
        client.stream.set_nonblocking(true).unwrap();
        let waits = client.stream.peek(&mut [0]).expect_err("no byte to read");
        assert_eq!(waits.kind(), ErrorKind::WouldBlock, "the newest handshakes continue");
    }
}

#[test]
fn unfinished_handshakes_do_not_exhaust_the_connections() {
    let secure = secure(small(), Limits { connections: 8, handshakes: 4, ..Limits::default() });
    let silent: Vec<_> = (0..100).map(|_| secure.running.connect()).collect();
    for _ in 0..20 {
        secure.assert_serves();
    }
    drop(silent);
}

#[test]
fn a_new_certificate_is_used_from_the_next_handshake_on() {
    let secure = secure(small(), short_limits());
    let mut open = secure.connect();
    let mut page = || {
        open.write_all(GET).unwrap();
        let mut all = Vec::new();
        while !all.ends_with(&text(SMALL)) {
            let mut buffer = [0; 4096];
            let length = open.read(&mut buffer).unwrap();
            assert!(length > 0, "the connection stays open");
            all.extend_from_slice(&buffer[..length]);
        }
        assert!(all.starts_with(b"HTTP/1.1 200 OK"));
    };
    page();
    let (context, root) = certificate();
    assert!(secure.running.server.set_secure_context(context.clone()));
    assert!(secure.running.server.secure_context().is_some_and(|now| now.is_same(&context)));
    page();
    assert!(secure.connect().write_all(GET).is_err(), "the old certificate is no longer used");
    assert!(connect(&secure.running, &root).write_all(GET).is_ok());
}

/// A client with the certificate of another client, without its private key.
#[derive(Debug)]
struct Impostor(Arc<CertifiedKey>);

impl ResolvesClientCert for Impostor {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[test]
fn a_client_certificate_of_version_1_is_refused_without_its_key() {
    let stolen = include_bytes!("../src/server/tls/tests/version1.pem");
    let (cert, key) = pem();
    let (cert, key) = (cert.as_bytes(), key.as_bytes());
    let pem = Pem { cert, key, ca: Some(stolen), min_version: Version::default() };
    let tls = Some(SecureContext::new(pem).unwrap());
    let policy = AccessPolicy { tls, ..AccessPolicy::default() };
    let running = start_with_access(policy, small(), short_limits());
    let stolen = CertificateDer::from_pem_slice(stolen).unwrap();
    let own_key = PrivateKeyDer::from_pem_slice(key).unwrap();
    let own_key = default_provider().key_provider.load_private_key(own_key).unwrap();
    let impostor = Impostor(Arc::new(CertifiedKey::new(vec![stolen], own_key)));
    for version in [&TLS12, &TLS13] {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(cert).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::new(Impostor(Arc::clone(&impostor.0))));
        let name = "localhost".try_into().unwrap();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut client = StreamOwned::new(client, running.connect().stream);
        let error = client.write_all(GET).and_then(|()| client.read_exact(&mut [0])).unwrap_err();
        assert!(error.to_string().contains("DecryptError"), "{error}");
    }
}

#[test]
fn a_server_without_tls_accepts_no_certificate() {
    let running = start(small(), short_limits());
    assert!(!running.server.set_secure_context(certificate().0));
    assert!(running.server.secure_context().is_none());
    running.scrape().assert_page(SMALL);
}
