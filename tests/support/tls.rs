//! Servers with TLS, and their clients.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
};

use hypertrace_prometheus::server::{
    Limits, Source,
    access::AccessPolicy,
    tls::{Pem, SecureContext, Version},
};
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use super::{GET, Running, start_with_access};

/// A server with TLS, and its certificate.
pub struct Secure {
    pub running: Running,
    pub root: CertificateDer<'static>,
}

/// Makes a self-signed certificate and its key, in PEM form.
pub fn pem() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (cert.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// Makes a self-signed certificate.
pub fn certificate() -> (SecureContext, CertificateDer<'static>) {
    let (cert, key) = pem();
    let (cert, min_version) = (cert.as_bytes(), Version::default());
    let pem = Pem { cert, key: key.as_bytes(), ca: None, min_version };
    (SecureContext::new(pem).unwrap(), CertificateDer::from_pem_slice(cert).unwrap())
}

/// Starts a server with TLS.
pub fn secure(source: Arc<dyn Source>, limits: Limits) -> Secure {
    let (context, root) = certificate();
    let policy = AccessPolicy { tls: Some(context), ..AccessPolicy::default() };
    Secure { running: start_with_access(policy, source, limits), root }
}

impl Secure {
    /// Connects. The handshake begins with the first write.
    pub fn connect(&self) -> StreamOwned<ClientConnection, TcpStream> {
        connect(&self.running, &self.root)
    }

    #[track_caller]
    pub fn assert_serves(&self) {
        let mut client = self.connect();
        client.write_all(GET).unwrap();
        let mut head = [0; 15];
        client.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK");
    }
}

/// Connects and trusts this certificate.
pub fn connect(
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
