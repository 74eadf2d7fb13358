//! Bodies: a short text, a whole page, or a page that is written as the socket takes it.
//!
//! hyper asks for a part only when it has room for it, so that a page of any length is in memory
//! one part at a time. A page that cannot be finished is an error, which makes hyper close the
//! connection before the last chunk: the scraper sees that the page is incomplete. Server thread only.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{encoder::PageEncoder, io_timeout::Progress};

/// Why a body ends before its end. Only hyper sees it.
#[derive(Debug)]
pub(crate) struct Unfinished;

impl std::fmt::Display for Unfinished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the page could not be finished")
    }
}

impl std::error::Error for Unfinished {}

/// What a body is made of.
pub(crate) enum Content {
    /// Everything, with a known length.
    Whole(Bytes),
    /// The first part, and where the others come from.
    Stream {
        /// What has been written already; empty once taken.
        first: Bytes,
        /// The rest. `None` once it is over.
        rest: Option<Box<PageEncoder>>,
    },
}

/// The body of an answer. Tells the connection's [`Progress`] when it is over or dropped.
pub(crate) struct Answer {
    content: Content,
    deadline: Instant,
    progress: Option<Rc<Progress>>,
    /// The other connections have had their turn since the last part.
    rested: bool,
    /// Held for as long as the content is.
    _permits: Permits,
}

/// Places taken among the scrapes at once, given back when an answer is dropped.
pub(crate) type Permits = Vec<tokio::sync::OwnedSemaphorePermit>;

impl Answer {
    pub(crate) fn new(content: Content, deadline: Instant, permits: Permits) -> Self {
        Self { content, deadline, progress: None, rested: false, _permits: permits }
    }

    /// Whom to tell of the end.
    pub(crate) fn with_progress(mut self, progress: Rc<Progress>) -> Self {
        self.progress = Some(progress);
        self
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Unfinished;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Unfinished>>> {
        let this = &mut *self;
        let (first, rest) = match &mut this.content {
            Content::Whole(bytes) => (bytes, &mut None),
            Content::Stream { first, rest } => (first, rest),
        };
        if !first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(first)))));
        }
        let Some(page) = rest else { return Poll::Ready(None) };
        if Instant::now() >= this.deadline {
            return Poll::Ready(Some(Err(Unfinished)));
        }
        // A peer that reads as fast as the page is written would have the thread to itself.
        this.rested = !this.rested;
        if this.rested {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Ok(part) = page.chunk() else { return Poll::Ready(Some(Err(Unfinished))) };
        if !part.more {
            *rest = None;
        }
        if part.bytes.is_empty() && part.more {
            // The compressor has kept it all.
            this.rested = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let last = part.bytes.is_empty();
        Poll::Ready((!last).then(|| Ok(Frame::data(part.bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Stream { first, rest } => first.is_empty() && rest.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream { .. } => SizeHint::default(),
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let unfinished = matches!(&self.content, Content::Stream { rest: Some(_), .. });
        if let Some(progress) = self.progress.take()
            && !unfinished
        {
            progress.answered();
        }
    }
}
