//! The messages between the opener of a port and its members, and their form in bytes. Pure.
//!
//! A frame has a length (4 bytes, little-endian), a byte for the kind of the message, and the fields of the
//! message. The length is that of the bytes after it. The first message of each side ([`Hello`] and the
//! response to it) begins in the same way in every version of this package, so that processes of different
//! versions can report this difference.

use std::time::Duration;

use crate::{counter::ScraperId, exposition::Format};

/// The maximum length of a frame, in bytes. The longest frame is the history of 1,000 call sites in 900 steps;
/// a chunk of a page is much shorter.
pub const MAX_FRAME: usize = 8 * 1024 * 1024;

/// The maximum length of the first message, in bytes. It comes from a process that is not accepted yet.
pub const MAX_HELLO: usize = 64 * 1024;

/// The number of bytes before the message: those of its length.
pub const HEADER: usize = 4;

/// Distinguishes a member from another program that connects.
const MAGIC: u32 = u32::from_le_bytes(*b"htpc");

/// The bytes of a frame are not a message.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// The request of a process to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The version of this package.
    pub version: String,
    /// The number that the process had with the previous opener, if it had one.
    pub number: Option<u32>,
    /// The options that all processes of a port must share.
    pub options: Vec<(String, String)>,
}

/// A request for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Identifies the page on this connection.
    pub page: u64,
    /// The format.
    pub format: Format,
    /// `true` if the series are requested in deflated blocks.
    pub gzip: bool,
    /// The scraper that the page is for.
    pub scraper: Option<ScraperId>,
    /// The time for which the page may wait for the samples of the JavaScript threads.
    pub js_timeout: Duration,
}

/// A message of the opener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToMember {
    /// The process has joined, with this number.
    Welcome(u32),
    /// An option of the process differs from the opener's, which has this value.
    Differs {
        /// The name of the option.
        option: String,
        /// The value in the canonical form.
        value: String,
    },
    /// Starts a page.
    Start(PageRequest),
    /// Requests the next chunk of a page.
    Pull(u64),
    /// Ends a page.
    End {
        /// The page.
        page: u64,
        /// `true` if the scraper has received the whole page.
        is_complete: bool,
    },
    /// The opener ends, and has closed the port.
    Ending,
    /// Requests a document for the live page.
    Ask {
        /// Identifies the request on this connection.
        request: u64,
        /// The document.
        document: Document,
        /// The query string.
        query: String,
        /// The time for which the document may wait for the JavaScript threads.
        js_timeout: Duration,
    },
}

/// A document that each process can make of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// The summary.
    Summary,
    /// The history.
    History,
}

/// A message of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToOpener {
    /// The first message.
    Hello(Hello),
    /// The start of a page.
    Head {
        /// The page.
        page: u64,
        /// The length of the series in the protobuf format.
        length: u64,
        /// The small families in the protobuf format.
        families: Vec<u8>,
    },
    /// Series of a page.
    Chunk {
        /// The page.
        page: u64,
        /// `true` if more series follow.
        more: bool,
        /// Text, or deflated blocks ([`super::blocks`]).
        bytes: Vec<u8>,
    },
    /// The response to [`ToMember::Ask`].
    Answer {
        /// The request.
        request: u64,
        /// `true` if the document was made; otherwise `bytes` are a sentence that says why not.
        is_ok: bool,
        /// The document.
        bytes: Vec<u8>,
    },
    /// The member leaves. On Windows its end of the connection may be closed later, by an event.
    Leave,
}

impl ToMember {
    /// Returns the frame of this message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Welcome(number) => Frame::new(1).number(*number).end(),
            Self::Differs { option, value } => {
                Frame::new(2).bytes(option.as_bytes()).bytes(value.as_bytes()).end()
            }
            Self::Start(request) => {
                let scraper = request.scraper.map_or(0, |ScraperId(id)| id);
                Frame::new(3)
                    .long(request.page)
                    .flag(request.format == Format::Protobuf)
                    .flag(request.gzip)
                    .flag(request.scraper.is_some())
                    .long(scraper)
                    .time(request.js_timeout)
                    .end()
            }
            Self::Pull(page) => Frame::new(4).long(*page).end(),
            Self::End { page, is_complete } => Frame::new(5).long(*page).flag(*is_complete).end(),
            Self::Ending => Frame::new(6).end(),
            Self::Ask { request, document, query, js_timeout } => Frame::new(7)
                .long(*request)
                .flag(*document == Document::History)
                .bytes(query.as_bytes())
                .time(*js_timeout)
                .end(),
        }
    }

    /// Reads the message of a frame without its length.
    ///
    /// # Errors
    ///
    /// If the bytes are no message of this version.
    pub fn decode(frame: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields(frame);
        let message = match fields.byte()? {
            1 => Self::Welcome(fields.number()?),
            // The end of this message may have more fields in another version.
            2 => return Ok(Self::Differs { option: fields.text()?, value: fields.text()? }),
            3 => {
                let page = fields.long()?;
                let format = if fields.flag()? { Format::Protobuf } else { Format::Text };
                let gzip = fields.flag()?;
                let has_scraper = fields.flag()?;
                let scraper = Some(ScraperId(fields.long()?)).filter(|_| has_scraper);
                let js_timeout = fields.time()?;
                Self::Start(PageRequest { page, format, gzip, scraper, js_timeout })
            }
            4 => Self::Pull(fields.long()?),
            5 => Self::End { page: fields.long()?, is_complete: fields.flag()? },
            6 => Self::Ending,
            7 => Self::Ask {
                request: fields.long()?,
                document: if fields.flag()? { Document::History } else { Document::Summary },
                query: fields.text()?,
                js_timeout: fields.time()?,
            },
            _ => return Err(Malformed),
        };
        fields.end().map(|()| message)
    }
}

impl ToOpener {
    /// Returns the frame of this message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hello(Hello { version, number, options }) => {
                let mut frame = Frame::new(1)
                    .number(MAGIC)
                    .bytes(version.as_bytes())
                    .number(number.unwrap_or(0))
                    .number(u32::try_from(options.len()).unwrap_or(u32::MAX));
                for (name, value) in options {
                    frame = frame.bytes(name.as_bytes()).bytes(value.as_bytes());
                }
                frame.end()
            }
            Self::Head { page, length, families } => {
                Frame::new(2).long(*page).long(*length).bytes(families).end()
            }
            Self::Chunk { page, more, bytes } => {
                Frame::new(3).long(*page).flag(*more).bytes(bytes).end()
            }
            Self::Answer { request, is_ok, bytes } => {
                Frame::new(4).long(*request).flag(*is_ok).bytes(bytes).end()
            }
            Self::Leave => Frame::new(5).end(),
        }
    }

    /// Reads the message of a frame without its length.
    ///
    /// # Errors
    ///
    /// If the bytes are no message. A [`Hello`] of another version has no options.
    pub fn decode(frame: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields(frame);
        let message = match fields.byte()? {
            1 => {
                if fields.number()? != MAGIC {
                    return Err(Malformed);
                }
                let version = fields.text()?;
                if version != super::VERSION {
                    let options = Vec::new();
                    return Ok(Self::Hello(Hello { version, number: None, options }));
                }
                let number = Some(fields.number()?).filter(|&number| number != 0);
                let mut options = Vec::new();
                for _ in 0..fields.number()? {
                    options.push((fields.text()?, fields.text()?));
                }
                Self::Hello(Hello { version, number, options })
            }
            2 => Self::Head {
                page: fields.long()?,
                length: fields.long()?,
                families: fields.bytes()?.to_vec(),
            },
            3 => Self::Chunk {
                page: fields.long()?,
                more: fields.flag()?,
                bytes: fields.bytes()?.to_vec(),
            },
            4 => Self::Answer {
                request: fields.long()?,
                is_ok: fields.flag()?,
                bytes: fields.bytes()?.to_vec(),
            },
            5 => Self::Leave,
            _ => return Err(Malformed),
        };
        fields.end().map(|()| message)
    }
}

/// A frame that is being written.
struct Frame(Vec<u8>);

impl Frame {
    fn new(kind: u8) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes.push(kind);
        Self(bytes)
    }

    fn flag(mut self, value: bool) -> Self {
        self.0.push(value.into());
        self
    }

    fn number(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn long(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn time(self, time: Duration) -> Self {
        self.number(u32::try_from(time.as_millis()).unwrap_or(u32::MAX))
    }

    fn bytes(self, bytes: &[u8]) -> Self {
        let mut frame = self.number(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        frame.0.extend_from_slice(bytes);
        frame
    }

    fn end(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - HEADER).unwrap_or(u32::MAX);
        self.0[..HEADER].copy_from_slice(&length.to_le_bytes());
        self.0
    }
}

/// The fields of a message that are not read yet.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (field, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(field)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    fn flag(&mut self) -> Result<bool, Malformed> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    fn number(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    fn long(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    fn time(&mut self) -> Result<Duration, Malformed> {
        self.number().map(|milliseconds| Duration::from_millis(milliseconds.into()))
    }

    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.number()?;
        self.take(length as usize)
    }

    fn text(&mut self) -> Result<String, Malformed> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| Malformed)
    }

    fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests;
