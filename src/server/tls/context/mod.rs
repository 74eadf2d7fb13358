//! Reads certificates and a key in PEM form into the configuration of handshakes. Pure.
//!
//! No error and no debug output contains any text of a key.

use std::{fmt, sync::Arc};

use ring::digest::{Context, Digest, SHA256};
use rustls::{
    Error, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, ring::default_provider},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    version::{TLS12, TLS13},
};

use super::{client_auth::ClientAuth, version1::Version1};

/// The only application protocol.
const ALPN: &[u8] = b"http/1.1";

static FROM_12: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
static FROM_13: [&SupportedProtocolVersion; 1] = [&TLS13];

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Version {
    /// TLS 1.2.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// The certificates and the key of a server, in PEM form.
#[derive(Clone, Copy)]
pub struct Pem<'a> {
    /// The server's certificate, followed by the intermediate ones.
    pub cert: &'a [u8],
    /// The private key of the first certificate.
    pub key: &'a [u8],
    /// The authorities of client certificates. If they are given, each client must present a certificate.
    pub ca: Option<&'a [u8]>,
    /// The oldest accepted version of TLS.
    pub min_version: Version,
}

/// A new certificate and key for a server, in PEM form.
#[derive(Clone, Copy)]
pub struct Renewal<'a> {
    /// The server's certificate, followed by the intermediate ones.
    pub cert: &'a [u8],
    /// The private key of the first certificate.
    pub key: &'a [u8],
    /// The authorities of client certificates.
    pub ca: Authorities<'a>,
    /// The oldest accepted version of TLS; `None` if it stays the same.
    pub min_version: Option<Version>,
}

/// A change of the authorities of client certificates.
#[derive(Clone, Copy)]
pub enum Authorities<'a> {
    /// The authorities stay the same.
    Keep,
    /// Clients need no certificate any more.
    Drop,
    /// These authorities, in PEM form.
    Set(&'a [u8]),
}

/// An option that cannot be used, and its expected value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unusable {
    /// `cert`, `key` or `ca`.
    pub option: &'static str,
    /// The end of a sentence that begins with "must be".
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
const OLD_CERT: Unusable = Unusable {
    option: "cert",
    expected: "a certificate of X.509 version 3; this one has version 1, without the host names that \
               clients check (openssl x509 -req makes version 3 with -extfile)",
};
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

/// The expected value of an option that has the path of a file in place of its contents.
const NOT_A_PATH: &str = "the contents of a PEM file, not its path: fs.readFileSync(path)";

/// The configuration of handshakes.
#[derive(Clone)]
pub struct SecureContext {
    config: Arc<ServerConfig>,
    digest: Digest,
    ca: Option<Arc<[u8]>>,
    min_version: Version,
}

impl SecureContext {
    /// Reads certificates and key.
    ///
    /// # Errors
    ///
    /// If one of them cannot be read or the key is not that of the certificate.
    pub fn new(pem: Pem<'_>) -> Result<Self, Unusable> {
        let chain = certificates(pem.cert, BAD_CERT)?;
        if chain.first().is_some_and(|first| Version1::parse(first).is_some()) {
            return Err(OLD_CERT);
        }
        let provider = Arc::new(default_provider());
        let versions: &[_] = match pem.min_version {
            Version::Tls12 => &FROM_12,
            Version::Tls13 => &FROM_13,
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(|_| BAD_CERT)?;
        let builder = match pem.ca {
            Some(ca) => builder.with_client_cert_verifier(client_auth(ca, provider)?),
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
        Ok(Self {
            config: Arc::new(config),
            digest: digest(pem),
            ca: pem.ca.map(Arc::from),
            min_version: pem.min_version,
        })
    }

    /// Reads a new certificate and key, and keeps the other options that the renewal does not change.
    ///
    /// # Errors
    ///
    /// As for [`SecureContext::new`].
    pub fn renewed(&self, renewal: Renewal<'_>) -> Result<Self, Unusable> {
        let Renewal { cert, key, ca, min_version } = renewal;
        let ca = match ca {
            Authorities::Keep => self.ca.as_deref(),
            Authorities::Drop => None,
            Authorities::Set(ca) => Some(ca),
        };
        Self::new(Pem { cert, key, ca, min_version: min_version.unwrap_or(self.min_version) })
    }

    /// Returns whether both were read from the same options.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.digest.as_ref() == other.digest.as_ref()
    }

    /// Returns a text that is equal for contexts with the same requirements for clients. The certificate and
    /// the key do not change it.
    #[must_use]
    pub fn requirements(&self) -> String {
        let ca = self.ca.as_ref().map(|ca| ring::digest::digest(&SHA256, ca));
        format!("{:?} {ca:?}", self.min_version)
    }

    /// Returns whether each client must present a certificate.
    pub(crate) fn has_client_auth(&self) -> bool {
        self.ca.is_some()
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

impl fmt::Debug for SecureContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureContext")
            .field("has_client_auth", &self.ca.is_some())
            .finish_non_exhaustive()
    }
}

/// Returns all certificates of a PEM text, which may have other sections too.
fn certificates(pem: &[u8], error: Unusable) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let pem = without_byte_order_mark(pem);
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(explain(pem, error)),
    }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, Unusable> {
    let pem = without_byte_order_mark(pem);
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        // `ENCRYPTED PRIVATE KEY` (PKCS #8), `Proc-Type: 4,ENCRYPTED` (older).
        let is_encrypted = pem.windows(9).any(|word| word == b"ENCRYPTED");
        if is_encrypted { ENCRYPTED_KEY } else { explain(pem, BAD_KEY) }
    })
}

fn client_auth(ca: &[u8], provider: Arc<CryptoProvider>) -> Result<Arc<ClientAuth>, Unusable> {
    let authorities = certificates(ca, BAD_CA)?;
    ClientAuth::new(authorities, provider).map(Arc::new).ok_or(BAD_CA)
}

/// Removes the byte order mark that some editors put before the text.
fn without_byte_order_mark(pem: &[u8]) -> &[u8] {
    pem.strip_prefix(b"\xef\xbb\xbf").unwrap_or(pem)
}

/// Replaces the error of a text that looks like the path of a file.
fn explain(pem: &[u8], error: Unusable) -> Unusable {
    let is_line = pem.len() < 4096 && !pem.trim_ascii().contains(&b'\n');
    let is_path = is_line && (pem.contains(&b'/') || pem.contains(&b'\\') || pem.contains(&b'.'));
    if is_path { Unusable { expected: NOT_A_PATH, ..error } } else { error }
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
