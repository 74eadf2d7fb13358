//! The body of a response: bytes of a fixed length, or a page that is written as the socket accepts it.
//!
//! hyper requests a chunk only when its buffer has space, so that one chunk of a page is in memory at a
//! time, for a page of any length. If a page cannot be finished, the body returns an error, and hyper
//! closes the connection without the last chunk: the scraper sees that the page is incomplete. Server
//! thread only.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{
    OnComplete,
    encoder::{Chunk, PageEncoder},
    io_timeout::Progress,
    permits::Permit,
};

/// The reason why a page cannot be finished.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BodyError {
    /// The page is empty, or its renderer panicked.
    Fault,
    /// The deadline of the response has passed.
    Late,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the page cannot be finished")
    }
}

impl std::error::Error for BodyError {}

/// The body of a response. When it has ended or is dropped, the connection's [`Progress`] records the end of
/// the response.
pub(crate) struct ResponseBody {
    /// The next bytes.
    ready: Bytes,
    /// The rest of a page.
    rest: Option<Box<PageStream>>,
    /// `true` if `ready` is the whole body, so that its length is announced.
    has_length: bool,
    progress: Option<Rc<Progress>>,
    on_complete: Option<OnComplete>,
    /// Held until the socket has accepted the last byte.
    permits: Vec<Permit>,
}

/// A page whose chunks are written on demand.
struct PageStream {
    page: PageEncoder,
    deadline: Instant,
    /// `true` if other connections must run before the next chunk is written.
    must_yield: bool,
}

impl PageStream {
    /// Writes the next chunk. Other connections can run between two chunks: otherwise a peer that reads as
    /// fast as the page is written would occupy the thread.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Chunk, BodyError>> {
        loop {
            if Instant::now() >= self.deadline {
                return Poll::Ready(Err(BodyError::Late));
            }
            if std::mem::take(&mut self.must_yield) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            ready!(self.page.poll_ready(cx)).map_err(|_| BodyError::Fault)?;
            let chunk = self.page.chunk().map_err(|_| BodyError::Fault)?;
            self.must_yield = true;
            // A page may have nothing to send at present.
            if !chunk.bytes.is_empty() || !chunk.more {
                return Poll::Ready(Ok(chunk));
            }
        }
    }

    async fn chunk(&mut self) -> Result<Chunk, BodyError> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }
}

impl ResponseBody {
    /// Creates a body of these bytes.
    pub(crate) fn new(bytes: impl Into<Bytes>) -> Self {
        Self {
            ready: bytes.into(),
            rest: None,
            has_length: true,
            progress: None,
            on_complete: None,
            permits: Vec::new(),
        }
    }

    /// Writes the first chunk of a page, and creates the body. So a page that fails at once can become an
    /// error response. After an empty page with the status 200, Prometheus would treat every series as ended.
    pub(crate) async fn first_chunk(
        page: PageEncoder,
        deadline: Instant,
    ) -> Result<Self, BodyError> {
        let mut stream = Box::new(PageStream { page, deadline, must_yield: false });
        let Chunk { bytes, more } = stream.chunk().await?;
        if !more && stream.page.is_empty() {
            return Err(BodyError::Fault);
        }
        let mut body = Self::new(bytes);
        (body.rest, body.has_length) = (more.then_some(stream), !more);
        Ok(body)
    }

    /// Returns whether more chunks follow.
    pub(crate) fn is_stream(&self) -> bool {
        self.rest.is_some()
    }

    /// Writes the rest of the page into memory, for a client that must get the length first. Only the memory
    /// of such a scrape grows with the page.
    pub(crate) async fn buffer(&mut self) -> Result<(), BodyError> {
        let Some(stream) = &mut self.rest else { return Ok(()) };
        let mut whole = Vec::from(std::mem::take(&mut self.ready));
        loop {
            let chunk = stream.chunk().await?;
            whole.extend_from_slice(&chunk.bytes);
            if !chunk.more {
                break;
            }
        }
        (self.ready, self.rest, self.has_length) = (whole.into(), None, true);
        Ok(())
    }

    /// Sets the function that is called when the socket has accepted the last byte.
    pub(crate) fn on_complete(&mut self, on_complete: Option<OnComplete>) {
        self.on_complete = on_complete;
    }

    /// Drops the bytes of a stream, for a response to HEAD. Its length stays unknown.
    pub(crate) fn clear(&mut self) {
        (self.ready, self.rest) = (Bytes::new(), None);
    }

    /// Holds a permit until the socket has accepted the last byte.
    pub(crate) fn hold(&mut self, permit: Permit) {
        self.permits.push(permit);
    }

    /// Sets the progress of the connection, which records the end of this body.
    pub(crate) fn with_progress(mut self, progress: Rc<Progress>) -> Self {
        self.progress = Some(progress);
        self
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.ready.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.ready)))));
        }
        let Some(stream) = &mut self.rest else { return Poll::Ready(None) };
        let chunk = match ready!(stream.poll_chunk(cx)) {
            Ok(chunk) => chunk,
            Err(error) => return Poll::Ready(Some(Err(error))),
        };
        if !chunk.more {
            self.rest = None;
        }
        let is_end = chunk.bytes.is_empty();
        Poll::Ready((!is_end).then(|| Ok(Frame::data(chunk.bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_empty() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.has_length {
            SizeHint::with_exact(self.ready.len() as u64)
        } else {
            SizeHint::default()
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        // Without this call, the connection counts as responding and is reset when it closes.
        if let Some(progress) = self.progress.take()
            && self.rest.is_none()
        {
            // hyper does not read the body of a response to HEAD.
            let on_complete = self.on_complete.take().filter(|_| self.ready.is_empty());
            progress.end_response(on_complete, std::mem::take(&mut self.permits));
        }
    }
}
