//! Frames on a local socket.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

use super::protocol::HEADER;

/// A local socket.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// A local socket of any operating system, as one type.
pub type BoxSocket = Box<dyn Socket>;

/// Reads frames. A frame that is not complete yet stays in the buffer, so that a call of
/// [`FrameReader::next`] can be cancelled.
pub struct FrameReader<R> {
    reader: R,
    buffer: Vec<u8>,
    limit: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads frames of at most `limit` bytes.
    pub fn new(reader: R, limit: usize) -> Self {
        Self { reader, buffer: Vec::new(), limit }
    }

    /// Reads frames. The first bytes are in `buffer`, because they were read before.
    pub fn resume(reader: R, buffer: Vec<u8>, limit: usize) -> Self {
        Self { reader, buffer, limit }
    }

    /// Sets the maximum length of a frame.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Returns the next frame without its length.
    ///
    /// # Errors
    ///
    /// If the connection has ended, or the frame is too long.
    pub async fn next(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(header) = self.buffer.first_chunk::<HEADER>() {
                let length = u32::from_le_bytes(*header) as usize;
                if length > self.limit {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                let end = HEADER + length;
                if self.buffer.len() >= end {
                    let rest = self.buffer.split_off(end);
                    let mut frame = std::mem::replace(&mut self.buffer, rest);
                    frame.drain(..HEADER);
                    return Ok(frame);
                }
                self.buffer.reserve(end - self.buffer.len());
            } else {
                self.buffer.reserve(4096);
            }
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Returns the reader, and the bytes after the last frame that was returned.
    pub fn into_parts(self) -> (R, Vec<u8>) {
        (self.reader, self.buffer)
    }
}
