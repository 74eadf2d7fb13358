//! Reads certificates and a key in PEM form into the configuration of handshakes. Pure.
//!
//! No error and no debug output contains any of a key.

use std::{fmt, sync::Arc};

use ring::digest::{Context, Digest, SHA256};
use rustls::{
    Error, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};

/// The only application protocol.
const ALPN: &[u8] = b"http/1.1";

static FROM_12: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
static FROM_13: [&SupportedProtocolVersion; 1] = [&TLS13];

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Version {
    /// 1.2
    #[default]
    Tls12,
    /// 1.3
    Tls13,
}

/// The certificates and the key of a server, in PEM form.
#[derive(Clone, Copy)]
pub struct Pem<'a> {
    /// The server's certificate, followed by the intermediate ones.
    pub cert: &'a [u8],
    /// The private key of the first certificate.
    pub key: &'a [u8],
    /// The authorities of client certificates. With them, each client must present one.
    pub ca: Option<&'a [u8]>,
    /// The oldest accepted version of TLS.
    pub min_version: Version,
}

/// An option that cannot be used, and its expected value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unusable {
    /// `cert`, `key` or `ca`.
    pub option: &'static str,
    /// Completes "must be …".
    pub expected: &'static str,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} must be {}", self.option, self.expected)
    }
}

impl std::error::Error for Unusable {}

const BAD_CERT: Unusable =
    Unusable { option: "cert", expected: "one or more X.509 certificates in PEM form" };
const BAD_KEY: Unusable = Unusable {
    option: "key",
    expected: "a private key in PEM form, not encrypted: RSA of 2048 bits or more, ECDSA P-256 or \
               P-384, or Ed25519",
};
const ENCRYPTED_KEY: Unusable = Unusable {
    option: "key",
    expected: "a private key that is not encrypted (openssl pkey -in key.pem decrypts one)",
};
const OTHER_KEY: Unusable =
    Unusable { option: "key", expected: "the private key of the first certificate in cert" };
const BAD_CA: Unusable = Unusable {
    option: "ca",
    expected: "one or more X.509 certificates of authorities in PEM form",
};

/// The configuration of handshakes.
#[derive(Clone)]
pub struct SecureContext {
    config: Arc<ServerConfig>,
    digest: Digest,
    has_client_auth: bool,
}

impl SecureContext {
    /// Reads certificates and key.
    ///
    /// # Errors
    ///
    /// If one of them cannot be read or the key is not that of the certificate.
    pub fn new(pem: Pem<'_>) -> Result<Self, Unusable> {
        let chain = certificates(pem.cert).ok_or(BAD_CERT)?;
        let provider = Arc::new(default_provider());
        let versions: &[_] = match pem.min_version {
            Version::Tls12 => &FROM_12,
            Version::Tls13 => &FROM_13,
        };
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(|_| BAD_CERT)?;
        let builder = match pem.ca {
            Some(ca) => builder.with_client_cert_verifier(verifier(ca).ok_or(BAD_CA)?),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, private_key(pem.key)?).map_err(
            |error| match error {
                Error::InconsistentKeys(_) => OTHER_KEY,
                Error::InvalidCertificate(_) => BAD_CERT,
                _ => BAD_KEY,
            },
        )?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        let has_client_auth = pem.ca.is_some();
        Ok(Self { config: Arc::new(config), digest: digest(pem), has_client_auth })
    }

    /// Returns whether both were read from the same options.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.digest.as_ref() == other.digest.as_ref()
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

impl fmt::Debug for SecureContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureContext")
            .field("has_client_auth", &self.has_client_auth)
            .finish_non_exhaustive()
    }
}

/// Returns all certificates of a PEM text, which may have other sections too; `None` without any.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    (!all.is_empty()).then_some(all)
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, Unusable> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        // `ENCRYPTED PRIVATE KEY` (PKCS #8), `Proc-Type: 4,ENCRYPTED` (older).
        let is_encrypted = pem.windows(9).any(|word| word == b"ENCRYPTED");
        if is_encrypted { ENCRYPTED_KEY } else { BAD_KEY }
    })
}

fn verifier(ca: &[u8]) -> Option<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(ca)? {
        roots.add(authority).ok()?;
    }
    let provider = Arc::new(default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().ok()
}

fn digest(pem: Pem<'_>) -> Digest {
    let mut context = Context::new(&SHA256);
    for text in [pem.cert, pem.key, pem.ca.unwrap_or_default()] {
        context.update(&text.len().to_be_bytes());
        context.update(text);
    }
    context.update(&[pem.ca.is_some().into(), (pem.min_version == Version::Tls13).into()]);
    context.finish()
}

#[cfg(test)]
mod tests;
