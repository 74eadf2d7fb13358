//! The access options as JavaScript passes them. `lib/access.js` has checked them, except for the
//! contents of certificates and keys. None of these types can be printed.

use napi::bindgen_prelude::{Either, Uint8Array};
use napi_derive::napi;

use crate::server::{
    access::Credentials,
    tls::{Authorities, Pem, Renewal, SecureContext, Unusable, Version},
};

/// Credentials: a bearer token, or a name and a password.
#[napi(object, object_to_js = false)]
pub struct Auth {
    /// The token. If it is given, name and password are ignored.
    pub bearer: Option<String>,
    /// The name.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
}

impl From<Auth> for Credentials {
    fn from(auth: Auth) -> Self {
        let Auth { bearer, username, password } = auth;
        match bearer {
            Some(token) => Self::bearer(&token),
            None => Self::basic(&username.unwrap_or_default(), &password.unwrap_or_default()),
        }
    }
}

/// PEM data: a string or its bytes.
type PemData = Either<String, Uint8Array>;

fn bytes(pem: &PemData) -> &[u8] {
    match pem {
        Either::A(text) => text.as_bytes(),
        Either::B(bytes) => bytes,
    }
}

/// The certificate, key and client authorities of a server, in PEM form.
#[napi(object, object_to_js = false)]
pub struct TlsOptions {
    /// The server's certificate, followed by the intermediate ones.
    #[napi(ts_type = "string | Uint8Array")]
    pub cert: PemData,
    /// The private key.
    #[napi(ts_type = "string | Uint8Array")]
    pub key: PemData,
    /// The authorities of client certificates.
    #[napi(ts_type = "string | Uint8Array")]
    pub ca: Option<PemData>,
    /// `true` if TLS 1.2 is rejected.
    pub only_13: bool,
}

impl TryFrom<&TlsOptions> for SecureContext {
    type Error = Unusable;

    fn try_from(options: &TlsOptions) -> Result<Self, Unusable> {
        Self::new(Pem {
            cert: bytes(&options.cert),
            key: bytes(&options.key),
            ca: options.ca.as_ref().map(bytes),
            min_version: if options.only_13 { Version::Tls13 } else { Version::Tls12 },
        })
    }
}

/// A new certificate and key of a server, in PEM form.
#[napi(object, object_to_js = false)]
pub struct TlsRenewal {
    /// The server's certificate, followed by the intermediate ones.
    #[napi(ts_type = "string | Uint8Array")]
    pub cert: PemData,
    /// The private key.
    #[napi(ts_type = "string | Uint8Array")]
    pub key: PemData,
    /// The authorities of client certificates. If this is left out, they stay the same.
    #[napi(ts_type = "string | Uint8Array")]
    pub ca: Option<PemData>,
    /// `true` if clients need no certificate any more.
    pub drops_ca: bool,
    /// `true` if TLS 1.2 is rejected. If this is left out, the oldest accepted version stays the same.
    pub only_13: Option<bool>,
}

impl TlsRenewal {
    /// Renews the certificate of a context.
    ///
    /// # Errors
    ///
    /// If certificate, key or authorities cannot be used.
    pub fn renew(&self, context: &SecureContext) -> Result<SecureContext, Unusable> {
        let ca = match &self.ca {
            _ if self.drops_ca => Authorities::Drop,
            None => Authorities::Keep,
            Some(ca) => Authorities::Set(bytes(ca)),
        };
        let version = |only_13| if only_13 { Version::Tls13 } else { Version::Tls12 };
        context.renewed(Renewal {
            cert: bytes(&self.cert),
            key: bytes(&self.key),
            ca,
            min_version: self.only_13.map(version),
        })
    }
}

/// The TLS option that cannot be used.
#[napi(object, object_from_js = false)]
pub struct UnusableTls {
    /// `cert`, `key` or `ca`.
    #[napi(ts_type = "'cert' | 'key' | 'ca'")]
    pub option: &'static str,
    /// The end of a sentence that begins with "must be".
    pub expected: &'static str,
}

impl From<Unusable> for UnusableTls {
    fn from(Unusable { option, expected }: Unusable) -> Self {
        Self { option, expected }
    }
}
