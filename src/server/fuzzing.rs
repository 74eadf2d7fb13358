//! A connection without a socket, for the targets in `fuzz/`. Compiled for these only.

use std::{net::Ipv4Addr, rc::Rc, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::{LocalSet, spawn_local},
};

use super::{
    Source, access::AccessPolicy, connection, io_timeout::Transport, limits::Limits,
    service::Service, shutdown::Shutdown,
};

/// More than any answer of a fuzzed source.
const PIPE: usize = 1 << 20;

impl Transport for DuplexStream {
    fn abort(&self) {}
}

/// All that a server of `source` answers on one connection that sends `parts`, one after the other,
/// and ends its sending side.
pub fn answers(source: Arc<dyn Source>, parts: &[&[u8]]) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let Ok(runtime) = runtime else { return Vec::new() };
    LocalSet::new().block_on(&runtime, async {
        let (mut client, server) = duplex(PIPE);
        let signal = Shutdown::new();
        let service = Rc::new(Service::new(source, Limits::default(), AccessPolicy::default()));
        let serving = connection::serve(
            server,
            Ipv4Addr::LOCALHOST.into(),
            service,
            signal.stopping(),
            signal.subscribe(),
        );
        let serving = spawn_local(serving);
        for part in parts {
            if client.write_all(part).await.is_err() {
                break; // closed, which is an answer too
            }
            tokio::task::yield_now().await;
        }
        let _ = client.shutdown().await;
        let mut answers = Vec::new();
        let _ = client.read_to_end(&mut answers).await;
        let _ = serving.await;
        answers
    })
}
