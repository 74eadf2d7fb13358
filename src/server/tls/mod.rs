//! TLS: the server's certificate, and the handshakes with their limits.
//!
//! The cryptography is `ring`'s: it builds for every platform of this package with a C compiler alone
//! (`aws-lc-rs` needs `CMake`, and NASM on Windows) and is smaller in the binary.

mod client_auth;
mod context;
mod handshake;
mod maybe_tls;
mod version1;

pub use self::context::{Authorities, Pem, Renewal, SecureContext, Unusable, Version};
pub(crate) use self::handshake::shake_hands;
pub(crate) use self::maybe_tls::MaybeTlsStream;

use std::sync::{Mutex, PoisonError};

/// The current certificate of a server: changed on any thread, read at each handshake.
pub(crate) struct CurrentContext(Mutex<SecureContext>);

impl CurrentContext {
    pub(crate) fn new(context: SecureContext) -> Self {
        Self(Mutex::new(context))
    }

    pub(crate) fn set(&self, context: SecureContext) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = context;
    }

    pub(crate) fn get(&self) -> SecureContext {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
