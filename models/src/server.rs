//! A substitute for the server: a thread that has a port, without sockets. Shutdown and end are those of
//! the crate.

#[path = "../../src/server/end.rs"]
mod end;
mod panics;
#[path = "../../src/server/shutdown.rs"]
mod shutdown;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use access::AccessPolicy;
use end::End;
use listen::Port;
use shutdown::{Phase, Shutdown, reached};
use tls::SecureContext;

/// The source of a page. The models do not use it: they read the counter.
pub trait Source: Send + Sync {}

/// The limits of a server.
#[derive(Default)]
pub struct Limits;

/// A runtime. No model has a server of several processes.
pub struct Runtime;

/// The parts of a server of several processes.
pub struct Setup {
    /// The runtime.
    pub runtime: Runtime,
    /// The access rules.
    pub policy: AccessPolicy,
    /// The listeners.
    pub listeners: Vec<Port>,
    /// The addresses.
    pub addresses: Vec<SocketAddr>,
    /// The source of the pages.
    pub source: Arc<dyn Source>,
    /// The limits.
    pub limits: Limits,
    /// Work on the server thread.
    pub background: Option<()>,
}

struct Shared {
    shutdown: Shutdown,
    end: End,
}

/// A running server. Its thread has the port until the server is stopped.
pub struct Server {
    addresses: [SocketAddr; 1],
    shared: Arc<Shared>,
}

impl Server {
    /// Starts a thread that has the port.
    ///
    /// # Errors
    ///
    /// None.
    pub fn start_with_access(
        _: AccessPolicy,
        port: Port,
        _: Arc<dyn Source>,
        _: Limits,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared { shutdown: Shutdown::new(), end: End::new() });
        let own = Arc::clone(&shared);
        let mut phase = shared.shutdown.subscribe();
        let addresses = [(Ipv4Addr::LOCALHOST, port.number()).into()];
        crate::sync::thread::spawn(move || {
            shuttle::future::block_on(reached(&mut phase, Phase::Stopping));
            drop(port);
            own.end.reach();
        });
        Ok(Self { addresses, shared })
    }

    /// Creates no runtime.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn runtime() -> io::Result<Runtime> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Starts no server.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn start_with(_: Setup) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Returns the address of the port.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns no certificate.
    #[must_use]
    pub fn secure_context(&self) -> Option<SecureContext> {
        None
    }

    /// Stops the server, as the server of the crate does.
    pub fn stop(&self, on_stopped: impl FnOnce() + Send + 'static) {
        if self.shared.end.on_reached(on_stopped) {
            self.shared.shutdown.advance(Phase::Stopping);
        }
    }

    /// Ends the server, and waits for its end. The limit has no effect, because a model has no time.
    pub fn stop_within(&self, limit: Duration) -> bool {
        self.shared.shutdown.advance(Phase::Cut);
        self.shared.end.wait(limit)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.shutdown.advance(Phase::Stopping);
    }
}

/// Certificates.
pub mod tls {
    /// A certificate.
    #[derive(Clone, Debug)]
    pub struct SecureContext;

    impl SecureContext {
        /// Returns nothing.
        pub fn requirements(&self) {}
    }
}

/// Access control.
pub mod access {
    use super::tls::SecureContext;

    /// No credentials.
    #[derive(Clone, Debug)]
    pub struct Credentials;

    impl Credentials {
        /// Returns an empty fingerprint.
        #[must_use]
        pub fn fingerprint(&self) -> String {
            String::new()
        }
    }

    /// A policy without rules.
    #[derive(Clone, Debug, Default)]
    pub struct AccessPolicy {
        /// No certificate.
        pub tls: Option<SecureContext>,
        /// No credentials.
        pub credentials: Option<Credentials>,
        /// No names.
        pub allowed_hosts: Vec<String>,
    }

    impl AccessPolicy {
        /// Returns no difference.
        #[must_use]
        pub fn differing(&self, _: &Self) -> Option<&'static str> {
            None
        }
    }
}

/// Ports without a network.
pub mod listen {
    use std::{
        cell::Cell,
        net::{Ipv4Addr, SocketAddr},
    };

    /// The only port of a model.
    pub const PORT: u16 = 4343;

    thread_local! {
        // All threads of a model run on one thread of the system.
        static IN_USE: Cell<bool> = const { Cell::new(false) };
    }

    /// A port that a server has. It is free after the drop.
    pub struct Port(u16);

    impl Port {
        /// Returns its number.
        #[must_use]
        pub fn number(&self) -> u16 {
            self.0
        }
    }

    impl Drop for Port {
        fn drop(&mut self) {
            assert!(IN_USE.replace(false));
        }
    }

    /// Returns whether a server has the port.
    #[must_use]
    pub fn is_in_use() -> bool {
        IN_USE.get()
    }

    /// The reason why a port was not opened.
    #[derive(Debug)]
    pub struct BindError {
        /// The code.
        pub code: &'static str,
    }

    /// An address.
    #[derive(Clone, Copy)]
    pub struct Target(u16);

    impl Target {
        /// Resolves nothing.
        ///
        /// # Errors
        ///
        /// None.
        pub fn resolve(_: &str, port: u16) -> Result<Self, BindError> {
            Ok(Self(port))
        }

        /// Returns an address of this port.
        #[must_use]
        pub fn address(self, port: u16) -> SocketAddr {
            (Ipv4Addr::LOCALHOST, port).into()
        }

        /// Returns the error of a port that is in use.
        #[must_use]
        pub fn in_use(self) -> BindError {
            BindError { code: "EADDRINUSE" }
        }

        /// Opens the port.
        ///
        /// # Errors
        ///
        /// If a server has the port.
        pub fn bind(&self) -> Result<Port, BindError> {
            crate::sync::step();
            if IN_USE.replace(true) {
                return Err(self.in_use());
            }
            Ok(Port(self.0))
        }
    }
}
