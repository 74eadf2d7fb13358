//! A strict HTTP client: it accepts a response only if the response proves that it is complete.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use hypertrace_prometheus::exposition::Format;

use super::{TIMEOUT, text};

/// A complete response.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub version: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub chunked: bool,
}

impl Response {
    /// Returns the value of a header, which must not occur twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key == name);
        let value = values.next();
        assert!(values.next().is_none(), "two {name} headers: {:?}", self.headers);
        value.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Asserts "200T" of docs/scrape-cases.md: status, exact headers and the page of `count` lines.
    #[track_caller]
    pub fn assert_page(&self, count: usize) {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.header("content-type"), Some(Format::Text.content_type()));
        assert_eq!(self.header("vary"), Some("Accept, Accept-Encoding"));
        assert!(self.header("date").is_some());
        let body = match self.header("content-encoding") {
            None => self.body.clone(),
            Some(coding) => {
                assert_eq!(coding, "gzip");
                gunzip(&self.body)
            }
        };
        assert!(body == text(count), "the page of {count} lines, got {} bytes", body.len());
    }

    #[track_caller]
    pub fn assert_text(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("text/plain; charset=utf-8"));
        assert!((5..120).contains(&self.body.len()), "{self:?}");
        assert!(self.text().ends_with('\n'));
    }
}

/// Decompresses one gzip member, after which there must be no bytes.
fn gunzip(member: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut decoder = flate2::bufread::GzDecoder::new(member);
    decoder.read_to_end(&mut text).expect("a well-formed member");
    assert!(decoder.into_inner().is_empty(), "bytes after the member");
    text
}

/// A client connection.
pub struct Client {
    pub stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT).unwrap();
        Self::over(stream)
    }

    /// Connects with a small receive buffer, so that the server's writes stall early.
    pub fn connect_narrow(address: SocketAddr) -> Self {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect_timeout(&address.into(), TIMEOUT).unwrap();
        Self::over(socket.into())
    }

    /// Connects from another address of this machine.
    pub fn connect_from(own: [u8; 4], address: SocketAddr) -> Self {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((own, 0)).into()).unwrap();
        socket.connect_timeout(&address.into(), TIMEOUT).unwrap();
        Self::over(socket.into())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream.set_write_timeout(Some(TIMEOUT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, unread: Vec::new() }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends bytes that the server may refuse to read.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Reads the response to a request other than HEAD.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        self.try_response(false).expect("a complete response")
    }

    /// Reads the response to a HEAD, which has no body.
    #[track_caller]
    pub fn response_to_head(&mut self) -> Response {
        self.try_response(true).expect("a complete response")
    }

    /// Reads a response. Returns `None` if the connection ended before the end of the response.
    pub fn try_response(&mut self, head_only: bool) -> Option<Response> {
        let head = loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.unread.split_off(end + 4);
                break String::from_utf8(std::mem::replace(&mut self.unread, rest)).unwrap();
            }
            self.fill()?;
        };
        let mut lines = head.trim_end().split("\r\n");
        let first = lines.next().unwrap();
        let (version, status) = first.split_once(' ').unwrap();
        let headers: Vec<_> = lines
            .map(|line| line.split_once(": ").expect("a header"))
            .map(|(key, value)| (key.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut response = Response {
            status: status[..3].parse().unwrap(),
            version: version.to_owned(),
            headers,
            body: Vec::new(),
            chunked: false,
        };
        let length = response.header("content-length").map(|value| value.parse().unwrap());
        response.chunked = response.header("transfer-encoding") == Some("chunked");
        if head_only || response.status == 204 {
            return Some(response);
        }
        response.body = match (length, response.chunked) {
            (Some(length), false) => self.take(length)?,
            (None, true) => self.take_chunks()?,
            _ => panic!("a response without a provable end: {response:?}"),
        };
        Some(response)
    }

    fn take_chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = loop {
                if let Some(end) = self.unread.windows(2).position(|two| two == b"\r\n") {
                    let line = self.take(end + 2)?;
                    break usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16);
                }
                self.fill()?;
            }
            .expect("a chunk's size");
            let mut chunk = self.take(size + 2)?;
            assert_eq!(chunk.split_off(size), b"\r\n");
            body.append(&mut chunk);
            if size == 0 {
                return Some(body);
            }
        }
    }

    fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.unread.len() < length {
            self.fill()?;
        }
        let rest = self.unread.split_off(length);
        Some(std::mem::replace(&mut self.unread, rest))
    }

    /// Reads more bytes. Returns `None` if the connection ended, normally or by a reset.
    fn fill(&mut self) -> Option<()> {
        let mut buffer = vec![0; 64 * 1024];
        let length = loop {
            match self.stream.read(&mut buffer) {
                Ok(length) => break length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => {
                    panic!("no byte for {TIMEOUT:?}")
                }
                Err(_) => return None,
            }
        };
        self.unread.extend_from_slice(&buffer[..length]);
        (length > 0).then_some(())
    }

    /// Reads until the connection ends, and returns all bytes.
    #[track_caller]
    pub fn read_to_close(&mut self) -> Vec<u8> {
        while self.fill().is_some() {}
        std::mem::take(&mut self.unread)
    }

    /// Asserts that the server closes the connection without another byte.
    #[track_caller]
    pub fn assert_closed(&mut self) {
        let rest = self.read_to_close();
        assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    }

    /// Resets the connection.
    pub fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
