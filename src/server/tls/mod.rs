//! Connections over TLS: the certificate that is shown, and the handshake and its limits.
//!
//! The provider of the cryptography is `ring`: it builds for every platform of this package with a C
//! compiler alone (`aws-lc-rs` asks for `CMake`, and for NASM on Windows) and is smaller in the binary.

mod context;
mod handshake;
mod maybe_tls;

pub use self::context::{Pem, SecureContext, Unusable, Version};
pub(crate) use self::handshake::{Handshakes, Place, shake_hands};
pub(crate) use self::maybe_tls::MaybeTlsStream;

use std::sync::{Mutex, PoisonError};

/// The certificate of a server as it is now: changed from any thread, read at each handshake.
pub(crate) struct Current(Mutex<SecureContext>);

impl Current {
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
