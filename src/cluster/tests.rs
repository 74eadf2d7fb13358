//! Pages of an opener whose members are correct, faulty or silent. The connections are in memory.

use std::{future::poll_fn, io::Read as _, sync::Arc, time::Duration};

use flate2::read::DeflateDecoder;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf, duplex, split},
    sync::oneshot,
    task::{LocalSet, spawn_local},
    time::{Instant, timeout},
};

use super::{
    ClusterOptions, ClusterSource, Hub, VERSION,
    connection::FrameReader,
    contend::Membership,
    hub::Acceptor,
    member::Connection,
    protocol::{Hello, MAX_FRAME, ToMember, ToOpener},
};
use crate::{
    counter::{
        ScraperId, TraceCounter,
        tests::{Thread, counter_with},
    },
    exposition::{Format, Step},
    gather::{DefaultMetricsOptions, Gatherer, GathererSource},
    server::{BoxFuture, HistoryError, Scrape, ScrapeRequest, Source, listen::Target},
};

const LIMIT: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);

fn options() -> ClusterOptions {
    ClusterOptions {
        target: Target::Loopbacks { port: 1 },
        port: 1,
        shared: vec![("a".to_owned(), "1".to_owned())],
        max_series: 10_000,
        folders: Vec::new(),
    }
}

/// A process with some series.
struct Process {
    gatherer: Arc<Gatherer>,
    thread: Option<Thread>,
}

impl Process {
    fn new(number: u32, series: u32) -> Self {
        let counter = Arc::new(counter_with(&[], 10_000));
        let options = DefaultMetricsOptions { runtime: false, ..DefaultMetricsOptions::default() };
        let gatherer = Arc::new(Gatherer::new(Arc::clone(&counter), Some(options)));
        gatherer.set_process(number);
        let mut process = Self { gatherer, thread: Some(Thread::join(&counter)) };
        for id in 0..series {
            process.count(id);
        }
        process
    }

    fn counter(&self) -> &Arc<TraceCounter> {
        self.gatherer.counter()
    }

    fn count(&mut self, id: u32) {
        let slot =
            self.gatherer.counter().intern(["A", "f", "/f.js", "", "", &id.to_string()]).slot;
        if let Some(thread) = &mut self.thread {
            thread.count(self.gatherer.counter(), slot);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.leave(self.gatherer.counter());
        }
    }
}

/// The opener, process 1.
struct Opener {
    process: Process,
    source: ClusterSource,
    acceptor: Acceptor,
}

impl Opener {
    fn new(series: u32) -> Self {
        let process = Process::new(1, series);
        let hub = Arc::<Hub>::default();
        let source = ClusterSource::new(Arc::clone(&process.gatherer), Arc::clone(&hub));
        Self { process, source, acceptor: Acceptor::new(hub, options(), 1, None) }
    }

    /// Connects a process that sends these bytes first.
    async fn connect(&self, first: &[u8]) -> Fake {
        let (ours, theirs) = duplex(64 * 1024);
        spawn_local(self.acceptor.clone().serve(Box::new(ours)));
        let (reader, writer) = split(theirs);
        let mut fake = Fake { frames: FrameReader::new(reader, MAX_FRAME), writer };
        fake.writer.write_all(first).await.unwrap();
        fake
    }

    /// Connects a process that does nothing by itself after it has joined.
    async fn join(&self, number: Option<u32>) -> (Fake, u32) {
        let mut fake = self.connect(&hello(number).encode()).await;
        let ToMember::Welcome(number) = fake.next().await else { panic!("not welcome") };
        (fake, number)
    }

    /// Connects a member that responds.
    async fn member(&self, series: u32) -> Process {
        self.member_with(series, |gatherer| Arc::new(GathererSource(gatherer))).await
    }

    /// Connects a member that responds, with the documents of a source.
    async fn member_with(
        &self,
        series: u32,
        source: impl FnOnce(Arc<Gatherer>) -> Arc<dyn Source>,
    ) -> Process {
        let (Fake { frames, writer }, number) = self.join(None).await;
        let (reader, read) = frames.into_parts();
        let socket = Box::new(reader.unsplit(writer));
        let process = Process::new(number, series);
        let source = source(Arc::clone(&process.gatherer));
        let membership = Membership { socket, read, number };
        let mut connection = Connection::new(membership, Arc::clone(&process.gatherer), source);
        spawn_local(async move { connection.serve().await });
        process
    }

    async fn scrape(&self, request: ScrapeRequest) -> Scrape {
        timeout(LIMIT, self.source.scrape(request)).await.expect("in time")
    }

    async fn page(&self, request: ScrapeRequest) -> Vec<u8> {
        let scrape = self.scrape(request).await;
        read_page(scrape).await
    }

    async fn summary(&self, query: &str) -> Result<Value, String> {
        let summary = self.source.summary(query, Duration::ZERO);
        let json = timeout(LIMIT, summary).await.expect("in time")?;
        Ok(serde_json::from_slice(&json).expect("JSON"))
    }

    async fn text(&self, gzip: bool) -> String {
        let page = self.page(ScrapeRequest { gzip, ..request() }).await;
        String::from_utf8(page).expect("UTF-8")
    }
}

fn request() -> ScrapeRequest {
    ScrapeRequest {
        js_timeout: Duration::ZERO,
        register_timeout: Duration::ZERO,
        process_timeout: SHORT,
        format: Format::Text,
        gzip: false,
        scraper: None,
    }
}

fn hello(number: Option<u32>) -> ToOpener {
    ToOpener::Hello(Hello { version: VERSION.to_owned(), number, options: options().shared })
}

/// A process whose messages the test writes.
struct Fake {
    frames: FrameReader<ReadHalf<DuplexStream>>,
    writer: WriteHalf<DuplexStream>,
}

impl Fake {
    async fn next(&mut self) -> ToMember {
        let frame = timeout(LIMIT, self.frames.next()).await.expect("in time").expect("a frame");
        ToMember::decode(&frame).expect("a message")
    }

    /// Waits for the request for a page, and returns the number of the page.
    async fn page(&mut self) -> u64 {
        loop {
            if let ToMember::Start(request) = self.next().await {
                return request.page;
            }
        }
    }

    async fn send(&mut self, message: &ToOpener) {
        // The opener may have closed the connection.
        let _ = self.writer.write_all(&message.encode()).await;
    }

    async fn is_closed(&mut self) -> bool {
        timeout(LIMIT, self.frames.next()).await.expect("in time").is_err()
    }
}

/// Reads a page to its end, and records that it was received.
async fn read_page(mut scrape: Scrape) -> Vec<u8> {
    let mut page = Vec::new();
    let mut text = Vec::new();
    loop {
        let ready = poll_fn(|cx| scrape.page.poll_ready(cx));
        timeout(LIMIT, ready).await.expect("in time");
        let step = scrape.page.render(&|_| None, &mut text);
        if step == Step::Deflated {
            let crc = scrape.page.checksum().expect("a checksum");
            // The deflated text ends with a last block, as the opener writes it at the end of a page.
            let block = [&text[..], &[1, 0, 0, 0xff, 0xff]].concat();
            let mut inflated = Vec::new();
            DeflateDecoder::new(&block[..]).read_to_end(&mut inflated).expect("deflated text");
            assert_eq!(crc.amount() as usize, inflated.len());
            text = inflated;
        }
        page.append(&mut text);
        if step == (Step::Text { more: false }) {
            break;
        }
    }
    scrape.on_complete.take().expect("a function")();
    page
}

fn run(test: impl AsyncFnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test());
}

/// Returns the number of series of the counter for each process, from process 1 on.
fn lines(page: &str, processes: u32) -> Vec<usize> {
    let of = |number| {
        let label = format!(",process=\"{number}\"}} ");
        page.lines().filter(|l| l.starts_with("trace_counter{") && l.contains(&label)).count()
    };
    (1..=processes).map(of).collect()
}

fn incomplete(page: &str) -> Vec<&str> {
    let name = "hypertrace_scrape_incomplete{process=";
    page.lines().filter_map(|line| line.strip_prefix(name)).collect()
}

#[test]
fn the_page_has_the_series_of_all_in_both_formats_and_codings() {
    run(async || {
        let opener = Opener::new(700);
        let mut members = [opener.member(5000).await, opener.member(0).await];
        for round in 0..3 {
            let page = opener.text(false).await;
            assert_eq!(lines(&page, 3), [700, 5000 + 2 * round, round]);
            assert_eq!(incomplete(&page), ["\"1\"} 0", "\"2\"} 0", "\"3\"} 0"]);
            let calls = page.lines().filter(|line| line.starts_with("hypertrace_calls_total"));
            assert_eq!(calls.count(), 3);
            assert_eq!(page.matches("# TYPE trace_counter counter\n").count(), 1);
            assert_eq!(opener.text(true).await, page);
            let protobuf = ScrapeRequest { format: Format::Protobuf, ..request() };
            let plain = opener.page(protobuf).await;
            let deflated = opener.page(ScrapeRequest { gzip: true, ..protobuf }).await;
            assert!(plain == deflated && plain.len() > 100_000);
            members[0].count(10_000 + u32::try_from(round).unwrap());
            members[0].count(20_000 + u32::try_from(round).unwrap());
            members[1].count(u32::try_from(round).unwrap());
        }
    });
}

#[test]
fn a_scraper_sees_the_new_series_of_each_process_at_0_once() {
    run(async || {
        let opener = Opener::new(3);
        let _member = opener.member(300).await;
        for gzip in [true, false] {
            let scraper = Some(ScraperId(gzip.into()));
            let scrape = ScrapeRequest { gzip, scraper, ..request() };
            let zeros = async |request| {
                let page = String::from_utf8(opener.page(request).await).expect("UTF-8");
                page.lines()
                    .filter(|l| l.starts_with("trace_counter{") && l.ends_with(" 0"))
                    .count()
            };
            if gzip {
                // A page that is not received changes nothing.
                drop(opener.scrape(scrape).await);
                assert_eq!(zeros(scrape).await, 303);
            }
            // A member receives the end of a page before the request for the next page.
            assert_eq!([zeros(scrape).await, zeros(request()).await], [0, 0]);
        }
    });
}

#[test]
fn a_chunk_of_a_member_is_requested_when_the_page_needs_it() {
    run(async || {
        let opener = Opener::new(1);
        let (mut first, _) = opener.join(None).await;
        let (mut second, _) = opener.join(None).await;
        let start = async |fake: &mut Fake| {
            let page = fake.page().await;
            fake.send(&ToOpener::Head { page, length: 0, families: Vec::new() }).await;
            page
        };
        let (scrape, page, _) =
            tokio::join!(opener.scrape(request()), start(&mut first), start(&mut second));
        assert_eq!(first.next().await, ToMember::Pull(page));
        let silent =
            timeout(SHORT, async { tokio::join!(first.frames.next(), second.frames.next()) });
        assert!(silent.await.is_err(), "nothing more is requested");
        drop(scrape);
        assert_eq!(first.next().await, ToMember::End { page, is_complete: false });
    });
}

/// The length and the small families of a page.
type Head = (u64, Vec<u8>);

/// The bytes of a chunk, and whether more follow.
type Chunk = (Vec<u8>, bool);

/// Responds to each request for a page with this head, and to each request for a chunk with this chunk.
async fn respond(mut fake: Fake, head: Head, chunk: Option<Chunk>) {
    while let Ok(frame) = fake.frames.next().await {
        match ToMember::decode(&frame) {
            Ok(ToMember::Start(request)) => {
                let (length, families) = head.clone();
                fake.send(&ToOpener::Head { page: request.page, length, families }).await;
            }
            Ok(ToMember::Pull(page)) => {
                if let Some((bytes, more)) = chunk.clone() {
                    fake.send(&ToOpener::Chunk { page, more, bytes }).await;
                }
            }
            _ => {}
        }
    }
}

/// Returns a valid block of this text.
fn block(text: &[u8]) -> Vec<u8> {
    let mut compress = flate2::Compress::new(flate2::Compression::fast(), false);
    let mut bytes = Vec::with_capacity(1024 + text.len());
    compress.compress_vec(text, &mut bytes, flate2::FlushCompress::Full).unwrap();
    framed(&bytes)
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    [&[0, 0, 0, 0], &length[..], bytes].concat()
}

#[test]
fn a_member_that_sends_anything_but_its_series_is_omitted() {
    let line = b"trace_counter{process=\"3\"} 1\n".to_vec();
    let other = b"trace_counter{process=\"2\"} 1\n".to_vec();
    let garbage = || (vec![0xff; 5000], false);
    let last = [&block(&line)[8..], &[1, 0, 0, 0xff, 0xff]].concat();
    let no_head = (0, Vec::new());
    let table: Vec<(&str, bool, Head, Option<Chunk>)> = vec![
        ("garbage for families", false, (0, vec![0xff; 100]), None),
        ("no chunk", false, no_head.clone(), None),
        ("garbage", false, no_head.clone(), Some(garbage())),
        ("the series of another", false, no_head.clone(), Some((other.clone(), false))),
        ("half a line", false, no_head.clone(), Some((line[..20].to_vec(), true))),
        ("too many series", false, no_head.clone(), Some((line.repeat(20_000), true))),
        ("no end", false, no_head.clone(), Some((line.clone(), true))),
        ("garbage", true, no_head.clone(), Some(garbage())),
        ("deflated garbage", true, no_head.clone(), Some((framed(&[0xff; 500]), false))),
        ("the deflated series of another", true, no_head.clone(), Some((block(&other), false))),
        ("a block that ends the page", true, no_head.clone(), Some((framed(&last), false))),
        ("half a block", true, no_head.clone(), Some((block(&line)[..20].to_vec(), false))),
        ("an empty block", true, no_head.clone(), Some((block(&[]), false))),
        ("much text", true, no_head.clone(), Some((block(&vec![b'a'; 64 << 20]), false))),
        ("no end in blocks", true, no_head, Some((block(&line), true))),
    ];
    run(async move || {
        for (name, gzip, head, chunk) in table {
            let opener = Opener::new(2);
            let _correct = opener.member(2).await;
            let (fake, number) = opener.join(None).await;
            assert_eq!(number, 3);
            spawn_local(respond(fake, head, chunk));
            for _ in 0..2 {
                let begin = Instant::now();
                let page = opener.text(gzip).await;
                assert_eq!(lines(&page, 2), [2, 2], "{name}");
                assert_eq!(incomplete(&page), ["\"1\"} 0", "\"2\"} 0", "\"3\"} 1"], "{name}");
                let is_valid = |line: &str| {
                    line.starts_with('#')
                        || line
                            .rsplit_once(' ')
                            .is_some_and(|(_, value)| value.parse::<f64>().is_ok())
                };
                assert!(page.lines().all(is_valid), "{name}: {page}");
                assert!(begin.elapsed() < LIMIT, "{name}");
            }
        }
    });
}

#[test]
fn missing_series_of_a_member_are_padded_in_the_protobuf_format() {
    run(async || {
        for gzip in [false, true] {
            let opener = Opener::new(2);
            let (fake, _) = opener.join(None).await;
            spawn_local(respond(fake, (200_000, Vec::new()), Some((Vec::new(), false))));
            let _correct = opener.member(2).await;
            let page =
                opener.page(ScrapeRequest { format: Format::Protobuf, gzip, ..request() }).await;
            let families = crate::exposition::read_families(&page).expect("well-formed");
            assert_eq!(families[0].get_metric().len(), 4, "the unknown field is skipped");
            assert!(page.len() > 200_000);
            let incomplete: Vec<f64> = families
                .last()
                .expect("a family")
                .get_metric()
                .iter()
                .map(|metric| metric.get_gauge().get_value())
                .collect();
            assert_eq!(incomplete, [0.0, 1.0, 0.0]);
        }
    });
}

#[test]
fn families_of_a_member_are_checked_and_get_its_number() {
    use crate::{
        default_metrics::descriptors,
        exposition::{label, write_families},
    };

    let families = |families: &[prometheus::proto::MetricFamily]| {
        let mut bytes = Vec::new();
        write_families(&mut bytes, Format::Protobuf, families);
        bytes
    };
    let series = |labels| descriptors::SERIES.family([(labels, 7.0)]);
    let renamed = |name: &str| {
        let mut family = series(Vec::new());
        family.set_name(name.to_owned());
        family
    };
    let good = families(&[series(vec![label("process", "1"), label("a", "\"\n")])]);
    let bad = [
        families(&[series(vec![label("a", "1"), label("a", "2")])]),
        families(&[series(vec![label("a b", "1")])]),
        families(&[series(vec![label("le", "1")])]),
        families(&[renamed("up")]),
        families(&[renamed("trace_counter")]),
        families(&[renamed("")]),
        families(&[renamed("process_cpu_seconds_total")]),
    ];
    run(async move || {
        let opener = Opener::new(1);
        let (fake, _) = opener.join(None).await;
        spawn_local(respond(fake, (0, good), Some((Vec::new(), false))));
        let page = opener.text(false).await;
        assert!(page.contains("\nhypertrace_series{a=\"\\\"\\n\",process=\"2\"} 7\n"), "{page}");
        for bytes in bad {
            let opener = Opener::new(1);
            let (fake, _) = opener.join(None).await;
            spawn_local(respond(fake, (0, bytes), Some((Vec::new(), false))));
            let page = opener.text(false).await;
            assert_eq!(incomplete(&page), ["\"1\"} 0", "\"2\"} 1"]);
            assert_eq!(page.matches("process=\"2\"").count(), 1, "{page}");
        }
    });
}

#[test]
fn a_member_that_does_not_respond_delays_the_first_page_only() {
    run(async || {
        let opener = Opener::new(1);
        let _correct = opener.member(1).await;
        let (_silent, _) = opener.join(None).await;
        let long = ScrapeRequest { process_timeout: Duration::from_secs(2), ..request() };
        for (round, limit) in [(0, 10_000), (1, 1500), (2, 1500)] {
            let begin = Instant::now();
            let page = String::from_utf8(opener.page(long).await).unwrap();
            assert_eq!(incomplete(&page), ["\"1\"} 0", "\"2\"} 0", "\"3\"} 1"]);
            assert!(begin.elapsed() < Duration::from_millis(limit), "round {round}");
        }
    });
}

#[test]
fn members_that_do_not_respond_delay_a_document_together() {
    run(async || {
        const SILENT: usize = 4;
        let opener = Opener::new(1);
        let mut silent = Vec::new();
        for _ in 0..SILENT {
            silent.push(opener.join(None).await);
        }
        let begin = Instant::now();
        let document = opener.summary("").await.expect("a document");
        assert!(begin.elapsed() < Duration::from_secs(7), "not 2 s for each of them");
        assert_eq!(document["absentProcesses"].as_array().map(Vec::len), Some(SILENT));
    });
}

/// Makes documents that do not fit into a frame, and no history.
struct TooLong;

impl Source for TooLong {
    fn scrape(&self, _: ScrapeRequest) -> BoxFuture<'static, Scrape> {
        unreachable!("a member does not serve scrapes")
    }

    fn summary(&self, _: &str, _: Duration) -> BoxFuture<'static, Result<Vec<u8>, String>> {
        Box::pin(async { Ok(vec![b' '; MAX_FRAME]) })
    }
}

#[test]
fn a_member_whose_documents_are_too_long_stays_on_the_page() {
    run(async || {
        let opener = Opener::new(1);
        let _member = opener.member_with(1, |_| Arc::new(TooLong)).await;
        for _ in 0..20 {
            let document = opener.summary("").await.expect("a document");
            assert_eq!(document["absentProcesses"], json!([2]));
        }
        let sentence = opener.summary("process=2").await.expect_err("too long");
        assert!(sentence.contains("too long"), "{sentence}");
        assert_eq!(incomplete(&opener.text(false).await), ["\"1\"} 0", "\"2\"} 0"]);
    });
}

#[test]
fn the_error_of_a_member_s_document_is_that_of_the_member() {
    run(async || {
        let opener = Opener::new(1);
        let _member = opener.member(1).await;
        let history = timeout(LIMIT, opener.source.history("process=2")).await.expect("in time");
        assert_eq!(history, Err(HistoryError::Off), "the gatherers of these tests record nothing");
        let sentence = opener.summary("process=2&limit=0").await.expect_err("a wrong query");
        assert!(sentence.starts_with("\"limit\" must be"), "{sentence}");
    });
}

#[test]
fn messages_that_break_the_protocol_end_the_connection() {
    run(async || {
        let opener = Opener::new(1);
        let chunk = ToOpener::Chunk { page: 99, more: true, bytes: vec![1] }.encode();
        let too_long = [0xff, 0xff, 0xff, 0x7f, 3].to_vec();
        for bytes in [chunk, too_long, hello(None).encode(), vec![1, 0, 0, 0, 77]] {
            let (mut fake, number) = opener.join(None).await;
            assert_eq!(number, 2);
            fake.writer.write_all(&bytes).await.unwrap();
            assert!(fake.is_closed().await, "{bytes:?}");
        }
        let first = [b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![0; 64], vec![0xff; 64]];
        for bytes in first {
            assert!(opener.connect(&bytes).await.is_closed().await, "{bytes:?}");
        }
        assert_eq!(incomplete(&opener.text(false).await), ["\"1\"} 0"]);
    });
}

#[test]
fn a_member_that_leaves_is_removed_although_its_end_of_the_connection_is_open() {
    run(async || {
        let opener = Opener::new(1);
        let (mut fake, number) = opener.join(None).await;
        fake.send(&ToOpener::Leave).await;
        assert!(fake.is_closed().await);
        assert_eq!(incomplete(&opener.text(false).await), ["\"1\"} 0"]);
        assert_eq!(opener.join(None).await.1, number, "its number is free");
    });
}

#[test]
fn a_member_sends_that_it_leaves_when_it_stops_and_when_it_has_another_opener() {
    run(async || {
        for has_joined_another in [false, true] {
            let (ours, theirs) = duplex(1024);
            let process = Process::new(2, 1);
            let source = Arc::new(GathererSource(Arc::clone(&process.gatherer)));
            let membership = Membership { socket: Box::new(ours), read: Vec::new(), number: 2 };
            let connection = Connection::new(membership, Arc::clone(&process.gatherer), source);
            let (sender, left) = oneshot::channel();
            let draining = spawn_local(connection.drain(left));
            if has_joined_another {
                sender.send(()).unwrap();
            } else {
                drop(sender);
            }
            let frame = timeout(LIMIT, FrameReader::new(theirs, MAX_FRAME).next()).await;
            let frame = frame.expect("in time").unwrap();
            assert_eq!(ToOpener::decode(&frame), Ok(ToOpener::Leave));
            draining.await.unwrap();
        }
    });
}

#[test]
fn a_process_with_other_options_or_another_version_is_rejected_and_receives_the_opener_s_value() {
    run(async || {
        let opener = Opener::new(1);
        let (version, options) = (VERSION.to_owned(), vec![("a".to_owned(), "2".to_owned())]);
        let table = [
            (Hello { version, number: None, options }, ("a", "1")),
            (
                Hello { version: "1.0.0".to_owned(), number: None, options: Vec::new() },
                ("version", VERSION),
            ),
        ];
        for (hello, (option, value)) in table {
            let mut fake = opener.connect(&ToOpener::Hello(hello).encode()).await;
            let (option, value) = (option.to_owned(), value.to_owned());
            assert_eq!(fake.next().await, ToMember::Differs { option, value });
        }
        assert!(opener.process.counter().stats().series == 1);
    });
}
