//! What the server's tests share: pages of any size, servers on free ports, and a client that hides
//! nothing: it takes an answer for complete only when the answer says so itself.

#![allow(dead_code, reason = "each test file uses its own part of this one")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    future::Future,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    pin::Pin,
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use hypertrace_prometheus::{
    exposition::{CHUNK_BYTES, CONTENT_TYPE, Render},
    server::{Limits, Scrape, Server, Source, door::Door, listen},
};

/// The longest that any single wait may take before its test fails.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A request as Prometheus sends it, without compression.
pub const GET: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

pub type Summing = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>>;
pub type Answering = Pin<Box<dyn Future<Output = Scrape> + Send>>;

/// A source made of a closure.
pub struct From<F>(pub F);

impl<F: Fn(Duration) -> Answering + Send + Sync + 'static> Source for From<F> {
    fn scrape(&self, patience: Duration) -> Answering {
        (self.0)(patience)
    }

    /// Says the query back; `bad` is a bad one, and `fault` a fault of the source's.
    fn summary(&self, query: &str, _patience: Duration) -> Summing {
        assert_ne!(query, "fault");
        let said = format!("{{\"query\":\"{query}\"}}").into_bytes();
        let answer = if query == "bad" { Err("That is no query.".to_owned()) } else { Ok(said) };
        Box::pin(async move { answer })
    }
}

/// A page of a known text, written in parts; `fault` is called before each with its number.
pub struct Lines<F: FnMut(usize) + Send> {
    next: usize,
    count: usize,
    part: usize,
    fault: F,
}

impl<F: FnMut(usize) + Send> Render for Lines<F> {
    fn render(&mut self, out: &mut Vec<u8>) -> bool {
        (self.fault)(self.part);
        self.part += 1;
        let end = out.len() + CHUNK_BYTES;
        while self.next < self.count && out.len() < end {
            line(self.next, out);
            self.next += 1;
        }
        self.next < self.count
    }
}

fn line(number: usize, out: &mut Vec<u8>) {
    if number == 0 {
        out.extend_from_slice(b"# HELP x Test.\n# TYPE x counter\n");
    } else {
        // Half of it repeats and half does not, about as on a real page.
        let noise = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        writeln!(out, "x{{caller_filename=\"/home/a/b.js\",n=\"{noise:x}\"}} {number}").unwrap();
    }
}

/// The text of a page of `count` lines.
pub fn text(count: usize) -> Vec<u8> {
    let mut out = Vec::new();
    (0..count).for_each(|number| line(number, &mut out));
    out
}

/// How many lines make a page of about so many bytes.
pub fn lines_in(bytes: usize) -> usize {
    bytes / 62 + 1
}

pub fn scrape(page: impl Render + 'static) -> Scrape {
    Scrape { content_type: CONTENT_TYPE.to_owned(), page: Box::new(page) }
}

pub fn lines(count: usize) -> Lines<impl FnMut(usize) + Send> {
    Lines { next: 0, count, part: 0, fault: |_| {} }
}

pub fn lines_with<F: FnMut(usize) + Send>(count: usize, fault: F) -> Lines<F> {
    Lines { next: 0, count, part: 0, fault }
}

/// A source whose page has `count` lines.
pub fn page_of(count: usize) -> Arc<dyn Source> {
    Arc::new(From(move |_| -> Answering { Box::pin(async move { scrape(lines(count)) }) }))
}

/// A small page.
pub fn small() -> Arc<dyn Source> {
    page_of(20)
}

/// A source that tells when a scrape begins, and goes on when it is told to.
pub fn held(count: usize) -> (Arc<dyn Source>, Begun, mpsc::Sender<()>) {
    let (tell, begun) = mpsc::channel();
    let (go, gone) = mpsc::channel();
    let gone = Arc::new(Mutex::new(gone));
    let source = From(move |_| -> Answering {
        tell.send(()).unwrap();
        let gone = Arc::clone(&gone);
        Box::pin(async move {
            while gone.lock().unwrap().try_recv() == Err(mpsc::TryRecvError::Empty) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            scrape(lines(count))
        })
    });
    (Arc::new(source), Begun(begun), go)
}

/// Tells of each scrape that begins.
pub struct Begun(pub mpsc::Receiver<()>);

impl Begun {
    pub fn wait(&self) {
        self.0.recv_timeout(PATIENCE).unwrap();
    }
}

/// Limits short enough to be waited for.
pub fn short() -> Limits {
    Limits {
        idle: Duration::from_millis(700),
        head: Duration::from_millis(500),
        stall: Duration::from_millis(500),
        response: Duration::from_secs(4),
        stop_grace: Duration::from_millis(400),
        ..Limits::default()
    }
}

pub struct Running {
    pub server: Server,
    pub address: SocketAddr,
}

/// A server on a free port of 127.0.0.1.
pub fn start(source: Arc<dyn Source>, limits: Limits) -> Running {
    start_behind(Door::default(), source, limits)
}

/// The same, with a door.
pub fn start_behind(door: Door, source: Arc<dyn Source>, limits: Limits) -> Running {
    let listeners = listen::bind("127.0.0.1", 0).unwrap();
    let server = Server::start_behind(door, listeners, source, limits).unwrap();
    let address = server.addresses()[0];
    Running { server, address }
}

impl Running {
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// One good scrape on a connection of its own.
    pub fn scrape(&self) -> Answer {
        let mut client = self.connect();
        client.send(GET);
        client.answer()
    }

    /// Stops, and waits until that is said to be done.
    pub fn stop(&self) -> Duration {
        let begin = Instant::now();
        let (tell, told) = mpsc::channel();
        self.server.stop(move || tell.send(()).unwrap());
        told.recv_timeout(PATIENCE).expect("the server ends");
        begin.elapsed()
    }
}

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
        assert_eq!(self.header("content-type"), Some(CONTENT_TYPE));
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
pub fn gunzip(packed: &[u8]) -> Vec<u8> {
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
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        Self::over(stream)
    }

    /// A connection whose receive buffer is small, so that the server feels a slow reader soon.
    pub fn connect_narrow(address: SocketAddr) -> Self {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect_timeout(&address.into(), PATIENCE).unwrap();
        Self::over(socket.into())
    }

    /// A connection from another address of this machine's.
    pub fn connect_from(own: [u8; 4], address: SocketAddr) -> Self {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((own, 0)).into()).unwrap();
        socket.connect_timeout(&address.into(), PATIENCE).unwrap();
        Self::over(socket.into())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
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
                Err(error) if is_timeout(&error) => panic!("nothing came for {PATIENCE:?}"),
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

/// Asks again and again, until it is so.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "{what} within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
