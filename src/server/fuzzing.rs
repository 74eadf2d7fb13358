//! A connection without a socket. Compiled for the targets in `fuzz/` only.

use std::{net::Ipv4Addr, rc::Rc, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::{LocalSet, spawn_local},
};

use super::{
    Source,
    access::{AccessPolicy, Peer},
    connection,
    io_timeout::Transport,
    limits::Limits,
    service::Service,
    shutdown::Shutdown,
};

pub use super::negotiate::format;

/// All responses on a connection have fewer bytes than this.
const PIPE_BYTES: usize = 1 << 20;

impl Transport for DuplexStream {
    fn abort(&self) {}
}

/// Sends `writes` one by one on a connection to a server of `source`, ends the sending side, and
/// returns all bytes of the responses.
pub fn responses(source: Arc<dyn Source>, writes: &[&[u8]]) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let Ok(runtime) = runtime else { return Vec::new() };
    LocalSet::new().block_on(&runtime, async {
        let (mut client, server) = duplex(PIPE_BYTES);
        let shutdown = Shutdown::new();
        let service = Rc::new(Service::new(source, Limits::default(), AccessPolicy::default()));
        let local = Ipv4Addr::LOCALHOST.into();
        let peer = Peer::new(local, local, shutdown.subscribe());
        let Some((connection, _guard)) = service.connections.open(peer, false) else {
            return Vec::new();
        };
        let serving = connection::serve(
            server,
            connection,
            service,
            shutdown.stopping(),
            shutdown.subscribe(),
        );
        let serving = spawn_local(serving);
        for bytes in writes {
            if client.write_all(bytes).await.is_err() {
                break; // The server has closed the connection.
            }
            tokio::task::yield_now().await;
        }
        let _ = client.shutdown().await;
        let mut responses = Vec::new();
        let _ = client.read_to_end(&mut responses).await;
        let _ = serving.await;
        responses
    })
}
