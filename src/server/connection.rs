//! Serves one connection, from its acceptance to its close. Server thread only.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    rc::Rc,
    task::Poll,
    time::{Duration, Instant},
};

use hyper::{
    Request, body::Incoming, header::HeaderValue, server::conn::http1, service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
};

use super::{
    connections::Connection,
    io_timeout::{TimeoutIo, Transport},
    limits::response_timeout,
    scrape::TIMEOUT_HEADER,
    service::Service,
    shutdown::{Phase, StopFlag, reached, until},
    tls::{MaybeTlsStream, SecureContext, shake_hands},
};

/// The time for which the input of a closed connection is discarded, so that the peer can read the
/// response before a reset destroys it.
const LINGER: Duration = Duration::from_secs(2);

/// The minimum size of a buffer that hyper accepts.
const MIN_BUFFER: usize = 8 * 1024;

/// The server is stopping. When a request ends with this error, hyper closes the connection.
#[derive(Debug)]
struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the server is stopping")
    }
}

impl std::error::Error for Stopped {}

/// Serves an accepted connection. If `tls` is given, the connection begins with a handshake.
pub(crate) async fn accept(
    stream: TcpStream,
    connection: Rc<Connection>,
    service: Rc<Service>,
    stopping: StopFlag,
    mut phase: watch::Receiver<Phase>,
    tls: Option<SecureContext>,
) {
    let stream = match tls {
        None => {
            // hyper allocates its buffers at once. A silent connection must not have them, so hyper starts after
            // the first byte.
            let mut first = [0];
            let peek = stream.peek(&mut first);
            let peeked = until(&mut phase, Phase::Stopping, service.limits.idle, peek).await;
            matches!(peeked, Some(Ok(_))).then_some(MaybeTlsStream::Plain(stream))
        }
        Some(context) => {
            // Boxed so that it does not enlarge the connection's future.
            let handshake = Box::pin(shake_hands(stream, context.config()));
            let limit = service.limits.handshake;
            let stream = until(&mut phase, Phase::Stopping, limit, handshake).await.flatten();
            connection.end_handshake();
            if stream.is_some() && context.has_client_auth() {
                connection.authenticate();
            }
            stream
        }
    };
    if let Some(stream) = stream {
        // Boxed so that it takes no memory before this point.
        Box::pin(serve(stream, connection, service, stopping, phase)).await;
    }
}

/// Serves a connection until its peer, a limit or the shutdown closes it.
pub(crate) async fn serve<T: Transport>(
    transport: T,
    connection: Rc<Connection>,
    service: Rc<Service>,
    stopping: StopFlag,
    mut phase: watch::Receiver<Phase>,
) {
    let limits = &service.limits;
    let progress = Rc::clone(&connection.progress);
    let io = TokioIo::new(TimeoutIo::new(transport, Rc::clone(&progress), stopping.clone()));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle)
        .max_headers(limits.headers)
        .max_buf_size(limits.buffer.max(MIN_BUFFER))
        .half_close(true);

    let respond = service_fn(|request: Request<Incoming>| {
        let (service, progress, stopping) = (&service, &progress, &stopping);
        let connection = &*connection;
        // hyper moves the future, hence one allocation for each request.
        Box::pin(async move {
            if stopping.is_set() {
                return Err(Stopped);
            }
            let timeout = request.headers().get(TIMEOUT_HEADER).map(HeaderValue::as_bytes);
            let timeout = response_timeout(timeout, service.limits.response);
            let deadline = progress.begin_response(Instant::now(), timeout);
            let response = service.respond(request, deadline, connection).await;
            Ok(response.map(|body| body.with_progress(Rc::clone(progress))))
        })
    });
    let mut http = builder.serve_connection(io, respond);

    let is_complete = {
        let mut stop = pin!(reached(&mut phase, Phase::Stopping));
        let mut is_stopping = false;
        poll_fn(|cx| {
            if !is_stopping && stop.as_mut().poll(cx).is_ready() {
                is_stopping = true;
                Pin::new(&mut http).graceful_shutdown();
            }
            match http.poll_without_shutdown(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(())) => Poll::Ready(true),
                Poll::Ready(Err(error)) => Poll::Ready(error.is_parse()),
            }
        })
        .await
    };
    if is_complete && !progress.is_responding() {
        let mut io = http.into_parts().io.into_inner();
        until(&mut phase, Phase::Stopping, LINGER, lingering_close(&mut io)).await;
    }
}

/// Ends the sending side and discards input until the peer ends its sending side too.
///
/// A socket closed with unread input is reset, and the reset can overtake the response.
pub(crate) async fn lingering_close(io: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    if io.shutdown().await.is_ok() {
        let mut discarded = [0; 4096];
        while io.read(&mut discarded).await.is_ok_and(|length| length > 0) {}
    }
}
