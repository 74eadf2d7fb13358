//! One connection, from its acceptance to its close. Server thread only.

use std::{
    convert::Infallible,
    future::poll_fn,
    net::IpAddr,
    pin::{Pin, pin},
    rc::Rc,
    task::Poll,
    time::{Duration, Instant},
};

use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
};

use super::{
    access::Peer,
    body::Answer,
    io_timeout::{Progress, TimeoutIo, Transport},
    service::Service,
    shutdown::{Phase, StopFlag, reached, until},
    tls::{MaybeTlsStream, Place, shake_hands},
};

/// How long a closed connection's unread input is thrown away, so that the peer can read the answer
/// before a reset destroys it.
const LINGER: Duration = Duration::from_secs(2);

/// hyper takes no less for its buffer.
const LEAST_BUFFER: usize = 8 * 1024;

/// Why a request is not answered: the server is being stopped. hyper closes the connection.
#[derive(Debug)]
struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the server is being stopped")
    }
}

impl std::error::Error for Stopped {}

/// Serves an accepted connection; with a place among the handshakes it begins with one.
pub(crate) async fn accept(
    stream: TcpStream,
    peer: IpAddr,
    service: Rc<Service>,
    stopping: StopFlag,
    mut phase: watch::Receiver<Phase>,
    handshake: Option<Place>,
) {
    let stream = match handshake {
        None => Some(MaybeTlsStream::Plain(stream)),
        Some(place) => {
            // Boxed, as all the rest of a connection's life takes its place.
            let shaking = Box::pin(shake_hands(stream, place.config()));
            until(&mut phase, Phase::Stopping, service.limits.handshake, shaking).await.flatten()
        }
    };
    if let Some(stream) = stream {
        serve(stream, peer, service, stopping, phase).await;
    }
}

/// Serves a connection until its peer, a limit or the end of the server closes it.
pub(crate) async fn serve<T: Transport>(
    transport: T,
    peer: IpAddr,
    service: Rc<Service>,
    stopping: StopFlag,
    mut phase: watch::Receiver<Phase>,
) {
    let limits = &service.limits;
    let progress = Progress::new(limits);
    let peer = Peer::new(peer, phase.clone());
    let io = TokioIo::new(TimeoutIo::new(transport, Rc::clone(&progress), stopping.clone()));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle)
        .max_headers(limits.headers)
        .max_buf_size(limits.buffer.max(LEAST_BUFFER))
        .half_close(true);

    let answer = service_fn(|request: Request<Incoming>| {
        let (service, progress, stopping) = (&service, &progress, &stopping);
        let peer = &peer;
        // hyper wants to move the future, which is one more allocation for each request.
        Box::pin(async move {
            if stopping.is_set() {
                return Err(Stopped);
            }
            let deadline = progress.request(Instant::now());
            let answered: Result<Response<Answer>, Infallible> =
                service.answer(request, deadline, peer).await;
            let Ok(response) = answered;
            Ok(response.map(|body| body.with_progress(Rc::clone(progress))))
        })
    });
    let mut connection = builder.serve_connection(io, answer);

    let well_ended = {
        let mut stop = pin!(reached(&mut phase, Phase::Stopping));
        let mut told = false;
        poll_fn(|cx| {
            if !told && stop.as_mut().poll(cx).is_ready() {
                told = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            match connection.poll_without_shutdown(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(())) => Poll::Ready(true),
                Poll::Ready(Err(error)) => Poll::Ready(error.is_parse()),
            }
        })
        .await
    };
    if well_ended && !progress.answering() {
        let mut io = connection.into_parts().io.into_inner();
        until(&mut phase, Phase::Stopping, LINGER, part(&mut io)).await;
    }
}

/// Ends the sending side and throws away what still comes, until the peer ends its own.
///
/// A socket closed with unread input is reset, and the reset can overtake the answer.
pub(crate) async fn part(io: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    if io.shutdown().await.is_ok() {
        let mut rubbish = [0; 4096];
        while io.read(&mut rubbish).await.is_ok_and(|length| length > 0) {}
    }
}
