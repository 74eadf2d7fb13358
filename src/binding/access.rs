//! Who is let in, as JavaScript tells it. It has been checked there (`lib/access.js`), but for what
//! certificates and keys say. Never printed.

use napi::bindgen_prelude::{Either, Uint8Array};
use napi_derive::napi;

use crate::server::{
    access::Credentials,
    tls::{Pem, SecureContext, Unusable, Version},
};

/// A bearer token, or a name and a password.
#[napi(object, object_to_js = false)]
pub struct Auth {
    /// The token; then there is nothing else.
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

/// A text in PEM form, or its bytes.
type Text = Either<String, Uint8Array>;

fn bytes(text: &Text) -> &[u8] {
    match text {
        Either::A(text) => text.as_bytes(),
        Either::B(bytes) => bytes,
    }
}

/// What a server shows and asks for, in PEM form.
#[napi(object, object_to_js = false)]
pub struct TlsOptions {
    /// Its certificate, and those between it and its authority's.
    pub cert: Text,
    /// The private key.
    pub key: Text,
    /// The authorities of clients' certificates.
    pub ca: Option<Text>,
    /// Whether nothing older than TLS 1.3 is spoken.
    pub only_13: bool,
}

impl TryFrom<TlsOptions> for SecureContext {
    type Error = Unusable;

    fn try_from(options: TlsOptions) -> Result<Self, Unusable> {
        Self::new(Pem {
            cert: bytes(&options.cert),
            key: bytes(&options.key),
            ca: options.ca.as_ref().map(bytes),
            min_version: if options.only_13 { Version::Tls13 } else { Version::Tls12 },
        })
    }
}

/// Which of them cannot be used, and what it has to be.
#[napi(object, object_from_js = false)]
pub struct UnusableTls {
    /// `cert`, `key` or `ca`.
    pub option: &'static str,
    /// Completes "must be …".
    pub expected: &'static str,
}

impl From<Unusable> for UnusableTls {
    fn from(Unusable { option, expected }: Unusable) -> Self {
        Self { option, expected }
    }
}
