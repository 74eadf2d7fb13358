//! A client that hides nothing: it takes an answer for complete only when the answer says so itself.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use hypertrace_prometheus::exposition::Format;

use super::{MAX_ACCEPT_FAILURES, text};

/// One answer, complete by its own account.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub version: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub chunked: bool,
}

impl Answer {
    /// The only value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key == name);
        let value = values.next();
        assert!(values.next().is_none(), "{name} is there twice: {:?}", self.headers);
        value.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// 200T of the case table.
    #[track_caller]
    pub fn assert_page(&self, count: usize) {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.header("content-type"), Some(Format::Text.content_type()));
        assert_eq!(self.header("vary"), Some("Accept-Encoding"));
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

/// Decodes exactly one gzip member with nothing behind it.
fn gunzip(packed: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut decoder = flate2::bufread::GzDecoder::new(packed);
    decoder.read_to_end(&mut plain).expect("a well-formed member");
    assert!(decoder.into_inner().is_empty(), "one member and nothing else");
    plain
}

/// A connection.
pub struct Client {
    pub stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, MAX_ACCEPT_FAILURES).unwrap();
        Self::over(stream)
    }

    /// A connection whose receive buffer is small, so that the server feels a slow reader soon.
    pub fn connect_narrow(address: SocketAddr) -> Self {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect_timeout(&address.into(), MAX_ACCEPT_FAILURES).unwrap();
        Self::over(socket.into())
    }

    /// A connection from another address of this machine's.
    pub fn connect_from(own: [u8; 4], address: SocketAddr) -> Self {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((own, 0)).into()).unwrap();
        socket.connect_timeout(&address.into(), MAX_ACCEPT_FAILURES).unwrap();
        Self::over(socket.into())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(MAX_ACCEPT_FAILURES)).unwrap();
        stream.set_write_timeout(Some(MAX_ACCEPT_FAILURES)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, unread: Vec::new() }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends what the server may refuse to read.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// The next answer, to a request that was not HEAD.
    #[track_caller]
    pub fn answer(&mut self) -> Answer {
        self.try_answer(false).expect("a complete answer")
    }

    /// The next answer, which is one to a HEAD and so has no body.
    #[track_caller]
    pub fn answer_to_head(&mut self) -> Answer {
        self.try_answer(true).expect("a complete answer")
    }

    /// The next answer, or `None` when the connection ends before the answer's end.
    pub fn try_answer(&mut self, head_only: bool) -> Option<Answer> {
        let head = loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.unread.split_off(end + 4);
                break String::from_utf8(std::mem::replace(&mut self.unread, rest)).unwrap();
            }
            self.fill()?;
        };
        let mut rows = head.trim_end().split("\r\n");
        let first = rows.next().unwrap();
        let (version, status) = first.split_once(' ').unwrap();
        let headers: Vec<_> = rows
            .map(|row| row.split_once(": ").expect("a header"))
            .map(|(key, value)| (key.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut answer = Answer {
            status: status[..3].parse().unwrap(),
            version: version.to_owned(),
            headers,
            body: Vec::new(),
            chunked: false,
        };
        let length = answer.header("content-length").map(|value| value.parse().unwrap());
        answer.chunked = answer.header("transfer-encoding") == Some("chunked");
        if head_only || answer.status == 204 {
            return Some(answer);
        }
        answer.body = match (length, answer.chunked) {
            (Some(length), false) => self.take(length)?,
            (None, true) => self.take_chunks()?,
            _ => panic!("an answer whose end cannot be seen: {answer:?}"),
        };
        Some(answer)
    }

    fn take_chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = loop {
                if let Some(end) = self.unread.windows(2).position(|two| two == b"\r\n") {
                    let row = self.take(end + 2)?;
                    break usize::from_str_radix(std::str::from_utf8(&row).unwrap().trim(), 16);
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

    /// Reads on; `None` at the connection's end, however it ends.
    fn fill(&mut self) -> Option<()> {
        let mut buffer = vec![0; 64 * 1024];
        let length = loop {
            match self.stream.read(&mut buffer) {
                Ok(length) => break length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => {
                    panic!("nothing came for {MAX_ACCEPT_FAILURES:?}")
                }
                Err(_) => return None,
            }
        };
        self.unread.extend_from_slice(&buffer[..length]);
        (length > 0).then_some(())
    }

    /// Reads until the server ends the connection, and gives what came.
    #[track_caller]
    pub fn until_closed(&mut self) -> Vec<u8> {
        while self.fill().is_some() {}
        std::mem::take(&mut self.unread)
    }

    /// The server ends the connection and says nothing more.
    #[track_caller]
    pub fn assert_closed(&mut self) {
        let rest = self.until_closed();
        assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
