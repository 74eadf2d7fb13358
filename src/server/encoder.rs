//! The bytes of a page: its text, compressed if the client accepts gzip.
//!
//! Catches panics of the page's renderer. Server thread only.

use std::{
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;

use super::{
    gzip::{DeflateCache, Member},
    negotiate::Coding,
    panics::{Panicked, caught},
};
use crate::exposition::{CHUNK_BYTES, Render, Step};

/// The memory for the last line of a chunk, which may exceed [`CHUNK_BYTES`].
const SLACK: usize = 4 * 1024;

/// The next bytes of a page.
pub(crate) struct Chunk {
    /// May be empty although more chunks follow.
    pub(crate) bytes: Bytes,
    /// `true` if another chunk follows.
    pub(crate) more: bool,
}

/// A page that is rendered and encoded chunk by chunk.
pub(crate) struct PageEncoder {
    page: Box<dyn Render>,
    gzip: Option<Gzip>,
    /// The text of the current chunk.
    text: Vec<u8>,
    /// `true` while no text has been rendered.
    is_empty: bool,
}

struct Gzip {
    member: Member,
    cache: Rc<DeflateCache>,
}

impl PageEncoder {
    /// Creates an encoder of a page with this coding. `cache` has compressed ranges of pages of the same source.
    pub(crate) fn new(page: Box<dyn Render>, coding: Coding, cache: &Rc<DeflateCache>) -> Self {
        let gzip = (coding == Coding::Gzip)
            .then(|| Gzip { member: Member::new(), cache: Rc::clone(cache) });
        Self { page, gzip, text: Vec::new(), is_empty: true }
    }

    /// Returns whether no text has been rendered so far. The number of bytes does not show this, because an
    /// empty gzip member has some too.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Waits until the next chunk can be encoded.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Panicked>> {
        match caught(|| self.page.poll_ready(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => Poll::Ready(Ok(())),
            Err(panicked) => Poll::Ready(Err(panicked)),
        }
    }

    /// Encodes the next chunk. Must not be called again after an error or the last chunk.
    ///
    /// # Errors
    ///
    /// If the page's renderer panicked.
    pub(crate) fn chunk(&mut self) -> Result<Chunk, Panicked> {
        self.text.clear();
        self.text.reserve(CHUNK_BYTES + SLACK);
        if self.gzip.is_some() { self.gzip_chunk() } else { self.text_chunk() }
    }

    fn text_chunk(&mut self) -> Result<Chunk, Panicked> {
        let mut more = true;
        while more && self.text.len() < CHUNK_BYTES {
            let length = self.text.len();
            let step = caught(|| self.page.render(&|_| None, &mut self.text))?;
            more = step != Step::Text { more: false };
            // If the page has nothing to send at present, other connections can run.
            if self.text.len() == length && matches!(step, Step::Text { .. }) {
                break;
            }
        }
        self.is_empty &= self.text.is_empty();
        Ok(Chunk { bytes: std::mem::take(&mut self.text).into(), more })
    }

    /// Encodes text in gzip until about a chunk of text is compressed, or about a chunk of bytes can be sent.
    fn gzip_chunk(&mut self) -> Result<Chunk, Panicked> {
        let Some(Gzip { member, cache }) = &mut self.gzip else { return Err(Panicked) };
        member.begin_chunk(cache);
        let mut out = Vec::with_capacity(CHUNK_BYTES / 4);
        let mut compressed = 0;
        while compressed < CHUNK_BYTES && out.len() < CHUNK_BYTES {
            self.text.clear();
            let cached = |number| cache.version(number);
            let step = caught(|| self.page.render(&cached, &mut self.text))?;
            self.is_empty &= self.text.is_empty() && !matches!(step, Step::Cached(_));
            compressed += self.text.len();
            match step {
                Step::Text { more: true } => member.text(&self.text, &mut out)?,
                Step::Text { more: false } => {
                    let Some(Gzip { member, cache }) = self.gzip.take() else {
                        return Err(Panicked);
                    };
                    member.finish(&self.text, &cache, &mut out)?;
                    return Ok(Chunk { bytes: out.into(), more: false });
                }
                Step::Range { number, is_end, version } => {
                    let range = member.range(&self.text, is_end, &mut out)?;
                    if let (Some(range), Some(version)) = (range, version) {
                        cache.insert(number, version, range);
                    }
                }
                Step::Cached(number) => member.cached(number, cache, &mut out)?,
                Step::Deflated => {
                    let crc = self.page.checksum().ok_or(Panicked)?;
                    member.deflated(&self.text, crc, &mut out)?;
                }
            }
            // If the page has nothing to send at present, other connections can run.
            if self.text.is_empty() && matches!(step, Step::Text { .. }) {
                break;
            }
        }
        member.end_chunk(cache, &mut out)?;
        // While a client does not read, only the bytes for it remain in memory.
        self.text = Vec::new();
        Ok(Chunk { bytes: out.into(), more: true })
    }
}
