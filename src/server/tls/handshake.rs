//! TLS handshakes. Server thread only.

use std::sync::Arc;

use rustls::ServerConfig;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use tokio_rustls::TlsAcceptor;

use super::MaybeTlsStream;
use crate::server::connection::lingering_close;

/// The response to a client that speaks HTTP without TLS.
const PLAIN_HTTP: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 50\r\nConnection: close\r\n\r\n\
    This is an HTTPS server. Use https:// in the URL.\n";

/// Performs the server's side of a handshake. Returns `None` if it has failed. The peer then got the TLS
/// alert or, if it does not use TLS, an HTTP response.
pub(crate) async fn shake_hands(
    mut stream: TcpStream,
    config: Arc<ServerConfig>,
) -> Option<MaybeTlsStream> {
    let mut first = [0];
    if stream.peek(&mut first).await.is_ok() && first[0].is_ascii_uppercase() {
        if stream.write_all(PLAIN_HTTP).await.is_ok() {
            lingering_close(&mut stream).await;
        }
        return None;
    }
    match TlsAcceptor::from(config).accept(stream).into_fallible().await {
        Ok(stream) => Some(MaybeTlsStream::Tls(Box::new(stream))),
        Err((_, mut stream)) => {
            lingering_close(&mut stream).await;
            None
        }
    }
}
