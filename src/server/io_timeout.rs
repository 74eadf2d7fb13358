//! A connection's input and output under its time limits.
//!
//! hyper limits only the time until a request's headers are there. The rest is one rule here:
//! whenever the peer has to be waited for, it is waited for until [`Progress::deadline`] at most.
//! A socket that is dropped while an answer is unfinished is reset, so that the kernel keeps nothing
//! of it and the peer cannot take a part for the whole. Server thread only.

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

use super::{limits::Limits, shutdown::StopFlag};

/// What carries a connection.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Makes the coming close a reset that drops what is not sent yet.
    fn abort(&self);
}

impl Transport for tokio::net::TcpStream {
    fn abort(&self) {
        // A failure leaves an ordinary close, which is right too, only slower to free.
        let _ = socket2::SockRef::from(self).set_linger(Some(Duration::ZERO));
    }
}

/// Where a connection stands between two of its requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// No byte of the next request is here. hyper's header time-out is the idle limit.
    Idle,
    /// A part of a request is here, the first byte since then.
    Head(Instant),
    /// A request is being answered since then.
    Answering(Instant),
    /// The answer to a request of then is with hyper, whole, and not all with the kernel.
    Flushing(Instant),
}

/// What the parts of one connection know of its progress.
pub(crate) struct Progress {
    stage: Cell<Stage>,
    /// Bytes of a further request came while one was being answered.
    ahead: Cell<bool>,
    /// A write makes no progress since then.
    stalled: Cell<Option<Instant>>,
    head: Duration,
    stall: Duration,
    response: Duration,
}

impl Progress {
    pub(crate) fn new(limits: &Limits) -> Rc<Self> {
        Rc::new(Self {
            stage: Cell::new(Stage::Idle),
            ahead: Cell::new(false),
            stalled: Cell::new(None),
            head: limits.head,
            stall: limits.stall,
            response: limits.response,
        })
    }

    /// A request is complete. Tells until when it has to be answered.
    pub(crate) fn request(&self, now: Instant) -> Instant {
        self.stage.set(Stage::Answering(now));
        now + self.response
    }

    /// All of the answer has been made.
    pub(crate) fn answered(&self) {
        if let Stage::Answering(since) = self.stage.get() {
            self.stage.set(Stage::Flushing(since));
        }
    }

    /// Whether an answer is on its way.
    pub(crate) fn answering(&self) -> bool {
        matches!(self.stage.get(), Stage::Answering(_) | Stage::Flushing(_))
    }

    fn received(&self, now: Instant) {
        match self.stage.get() {
            Stage::Idle => self.stage.set(Stage::Head(now)),
            Stage::Head(_) => {}
            Stage::Answering(_) | Stage::Flushing(_) => self.ahead.set(true),
        }
    }

    fn flushed(&self, now: Instant) {
        self.stalled.set(None);
        if matches!(self.stage.get(), Stage::Flushing(_)) {
            let ahead = self.ahead.take();
            self.stage.set(if ahead { Stage::Head(now) } else { Stage::Idle });
        }
    }

    fn wrote(&self) {
        self.stalled.set(None);
    }

    fn write_waits(&self, now: Instant) {
        self.stalled.set(self.stalled.get().or(Some(now)));
    }

    /// Until when the peer may be waited for; `None` while only the idle limit counts.
    fn deadline(&self) -> Option<Instant> {
        let whole = match self.stage.get() {
            Stage::Idle => None,
            Stage::Head(since) => Some(since + self.head),
            Stage::Answering(since) | Stage::Flushing(since) => Some(since + self.response),
        };
        let write = self.stalled.get().map(|since| since + self.stall);
        match (whole, write) {
            (Some(whole), Some(write)) => Some(whole.min(write)),
            (whole, write) => whole.or(write),
        }
    }
}

/// A [`Transport`] whose waits end at the connection's deadline, with `TimedOut`.
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

    /// The answer to `Pending`: the same, or `TimedOut` past the deadline.
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
        if self.stopping.is_set() && !self.progress.answering() {
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
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.transport).poll_write_vectored(cx, parts);
        self.after_write(polled, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.transport).poll_flush(cx) {
            Poll::Pending => {
                self.progress.write_waits(Instant::now());
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
                self.progress.write_waits(Instant::now());
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
                self.progress.write_waits(now);
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
        if self.progress.answering() {
            self.transport.abort();
        }
    }
}
