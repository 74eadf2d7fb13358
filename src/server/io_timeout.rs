//! The time limits of a connection's input and output.
//!
//! hyper limits only the time until the headers of a request are complete. Here, every wait for the
//! peer ends at [`Progress::deadline`]. A socket that is dropped while a response is unfinished is
//! reset, so that the kernel discards the unsent bytes and the peer cannot mistake an incomplete
//! response for a complete one. Server thread only.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use super::{OnComplete, limits::Limits, permits::Permit, shutdown::StopFlag};

/// The byte stream of a connection.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Changes the next close of the socket to a reset, which discards unsent bytes.
    fn abort(&self);
}

impl Transport for tokio::net::TcpStream {
    fn abort(&self) {
        // After a failure the socket closes normally, which is correct too, but slower.
        let _ = socket2::SockRef::from(self).set_linger(Some(Duration::ZERO));
    }
}

/// The stage of a request and its response on a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// No byte of the next request was read. The idle limit applies, which is hyper's header timeout.
    Idle,
    /// The first byte of a request was read at this time. Not all of its headers were read.
    Head(Instant),
    /// The request was complete at this time, and its response is under way.
    Responding(Instant),
    /// The request was complete at this time. hyper has the whole response, the kernel does not have it yet.
    Flushing(Instant),
}

/// The progress of one connection, shared by its stream and its response bodies.
pub(crate) struct Progress {
    opened: Instant,
    stage: Cell<Stage>,
    /// The end of the last response, or the start of the connection.
    silent: Cell<Instant>,
    /// `true` if bytes of the next request were read while a response was under way.
    has_next: Cell<bool>,
    /// The time since which a write has made no progress.
    stalled: Cell<Option<Instant>>,
    on_complete: Cell<Option<OnComplete>>,
    /// The permits of the response, held until the socket has accepted its last byte.
    permits: Cell<Vec<Permit>>,
    head: Duration,
    stall: Duration,
    /// The maximum time of the current response.
    response: Cell<Duration>,
}

impl Progress {
    pub(crate) fn new(limits: &Limits) -> Rc<Self> {
        let now = Instant::now();
        Rc::new(Self {
            opened: now,
            silent: Cell::new(now),
            stage: Cell::new(Stage::Idle),
            has_next: Cell::new(false),
            stalled: Cell::new(None),
            on_complete: Cell::new(None),
            permits: Cell::default(),
            head: limits.head,
            stall: limits.stall,
            response: Cell::new(limits.response),
        })
    }

    /// Records that a request is complete, and returns the deadline of its response.
    pub(crate) fn begin_response(&self, now: Instant, timeout: Duration) -> Instant {
        self.stage.set(Stage::Responding(now));
        self.response.set(timeout);
        now + timeout
    }

    /// Records that the whole response was handed to hyper. When the socket has accepted its last byte,
    /// `on_complete` is called and the permits are dropped.
    pub(crate) fn end_response(&self, on_complete: Option<OnComplete>, permits: Vec<Permit>) {
        if let Stage::Responding(since) = self.stage.get() {
            self.stage.set(Stage::Flushing(since));
            self.on_complete.set(on_complete);
            self.permits.set(permits);
        }
    }

    /// Returns the start of the connection.
    pub(crate) fn opened(&self) -> Instant {
        self.opened
    }

    /// Returns the time since which no response has been under way; `None` while one is.
    pub(crate) fn silent_since(&self) -> Option<Instant> {
        (!self.is_responding()).then_some(self.silent.get())
    }

    /// Returns the time since which the client has accepted no byte that is ready for it.
    pub(crate) fn stalled_since(&self) -> Option<Instant> {
        self.stalled.get()
    }

    /// Returns whether a response is unfinished.
    pub(crate) fn is_responding(&self) -> bool {
        matches!(self.stage.get(), Stage::Responding(_) | Stage::Flushing(_))
    }

    fn received(&self, now: Instant) {
        match self.stage.get() {
            Stage::Idle => self.stage.set(Stage::Head(now)),
            Stage::Head(_) => {}
            Stage::Responding(_) | Stage::Flushing(_) => self.has_next.set(true),
        }
    }

    fn flushed(&self, now: Instant) {
        self.stalled.set(None);
        if matches!(self.stage.get(), Stage::Flushing(_)) {
            if let Some(on_complete) = self.on_complete.take() {
                on_complete();
            }
            self.permits.take();
            self.silent.set(now);
            let has_next = self.has_next.take();
            self.stage.set(if has_next { Stage::Head(now) } else { Stage::Idle });
        }
    }

    fn wrote(&self) {
        self.stalled.set(None);
    }

    fn write_stalled(&self, now: Instant) {
        self.stalled.set(self.stalled.get().or(Some(now)));
    }

    /// Returns the time at which any wait for the peer ends; `None` while only the idle limit applies.
    fn deadline(&self) -> Option<Instant> {
        let whole = match self.stage.get() {
            Stage::Idle => None,
            Stage::Head(since) => Some(since + self.head),
            Stage::Responding(since) | Stage::Flushing(since) => Some(since + self.response.get()),
        };
        let write = self.stalled.get().map(|since| since + self.stall);
        match (whole, write) {
            (Some(whole), Some(write)) => Some(whole.min(write)),
            (whole, write) => whole.or(write),
        }
    }
}

/// A [`Transport`] whose waits end at the connection's deadline, with the error `TimedOut`.
pub(crate) struct TimeoutIo<T: Transport> {
    transport: T,
    progress: Rc<Progress>,
    stopping: StopFlag,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<T: Transport> TimeoutIo<T> {
    pub(crate) fn new(transport: T, progress: Rc<Progress>, stopping: StopFlag) -> Self {
        Self { transport, progress, stopping, timer: None }
    }

    /// Waits for the deadline, if there is one, and returns `TimedOut` when it has passed.
    fn wait<R>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        let Some(deadline) = self.progress.deadline() else { return Poll::Pending };
        let deadline = tokio::time::Instant::from_std(deadline);
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: Transport> AsyncRead for TimeoutIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.stopping.is_set() && !self.progress.is_responding() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut self.transport).poll_read(cx, buffer) {
            Poll::Pending => self.wait(cx),
            Poll::Ready(result) => {
                if buffer.filled().len() > before {
                    self.progress.received(Instant::now());
                }
                Poll::Ready(result)
            }
        }
    }
}

impl<T: Transport> AsyncWrite for TimeoutIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.transport).poll_write(cx, bytes);
        self.after_write(polled, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.transport).poll_write_vectored(cx, slices);
        self.after_write(polled, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.transport).poll_flush(cx) {
            Poll::Pending => {
                self.progress.write_stalled(Instant::now());
                self.wait(cx)
            }
            Poll::Ready(result) => {
                if result.is_ok() {
                    self.progress.flushed(Instant::now());
                }
                Poll::Ready(result)
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.transport).poll_shutdown(cx) {
            Poll::Pending => {
                self.progress.write_stalled(Instant::now());
                self.wait(cx)
            }
            ready @ Poll::Ready(_) => ready,
        }
    }
}

impl<T: Transport> TimeoutIo<T> {
    fn after_write(
        &mut self,
        polled: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let now = Instant::now();
        match polled {
            Poll::Pending => {
                self.progress.write_stalled(now);
                return self.wait(cx);
            }
            Poll::Ready(Ok(_)) => self.progress.wrote(),
            Poll::Ready(Err(_)) => {}
        }
        polled
    }
}

impl<T: Transport> Drop for TimeoutIo<T> {
    fn drop(&mut self) {
        if self.progress.is_responding() {
            self.transport.abort();
        }
    }
}
