//! A page counts as completed when the socket has accepted its last byte, and only then. After a scraper has
//! completed a page, it is shown the values of the series on this page.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    io::{Read, Write},
    ptr::NonNull,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use hypertrace_prometheus::{
    counter::{CELLS, CellBlock, CounterOptions, TraceCounter},
    exposition::Render,
    gather::{Gatherer, GathererSource},
    labels::Schema,
    server::{Limits, Scrape, Source},
};
use support::{tls::secure, *};

const SMALL: usize = 20;
/// The number of lines of a page that does not fit in the buffers between server and client, even compressed.
const LARGE: usize = 100_000;

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Completed,
    Dropped,
}
use End::{Completed, Dropped};

/// Sends the end of a page.
struct Ending {
    sender: mpsc::Sender<End>,
    end: End,
}

impl Ending {
    fn complete(&mut self) {
        self.end = Completed;
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.sender.send(self.end);
    }
}

/// Returns a source of these pages, and their ends.
fn reporting<P: Render + 'static>(
    page: impl Fn() -> P + Send + Sync + 'static,
) -> (Arc<dyn Source>, Ends) {
    let (sender, receiver) = mpsc::channel();
    let source = FnSource(move |_| -> ScrapeFuture {
        let mut ending = Ending { sender: sender.clone(), end: Dropped };
        let on_complete = Box::new(move || ending.complete());
        let scrape = Scrape { on_complete: Some(on_complete), ..scrape(page()) };
        Box::pin(async move { scrape })
    });
    (Arc::new(source), Ends(receiver))
}

/// The ends of pages, in their order.
struct Ends(mpsc::Receiver<End>);

impl Ends {
    #[track_caller]
    fn assert_next(&self, end: End, context: &str) {
        assert_eq!(self.0.recv_timeout(TIMEOUT).unwrap(), end, "{context}");
    }

    #[track_caller]
    fn assert_none(&self) {
        assert!(self.0.try_recv().is_err(), "no other page has ended");
    }
}

fn get(version: &str, headers: &str) -> String {
    format!("GET /metrics HTTP/{version}\r\nHost: localhost\r\n{headers}\r\n")
}

/// Requests for a page: in chunks or with a length, plain and compressed.
fn requests() -> [String; 5] {
    [
        get("1.1", ""),
        get("1.1", "Accept-Encoding: gzip\r\n"),
        get("1.1", "Connection: close\r\n"),
        get("1.0", ""),
        get("1.0", "Accept-Encoding: gzip\r\n"),
    ]
}

#[test]
fn a_page_that_was_sent_is_completed_once() {
    for count in [SMALL, LARGE] {
        let (source, ends) = reporting(move || lines(count));
        let running = start(source, Limits::default());
        for request in requests() {
            let mut client = running.connect();
            client.send(&request);
            client.response().assert_page(count);
            ends.assert_next(Completed, &request);
        }
        let mut client = running.connect();
        client.send(get("1.1", "").repeat(3));
        for number in 0..3 {
            client.response().assert_page(count);
            ends.assert_next(Completed, &format!("pipelined request {number}"));
        }
        drop(running);
        ends.assert_none();
    }
}

#[test]
fn a_page_that_was_sent_with_tls_is_completed_once() {
    for count in [SMALL, LARGE] {
        let (source, ends) = reporting(move || lines(count));
        let secure = secure(source, Limits::default());
        for coding in ["", "Accept-Encoding: gzip\r\n"] {
            let mut client = secure.connect();
            let request = get("1.1", &format!("Connection: close\r\n{coding}"));
            client.write_all(request.as_bytes()).unwrap();
            client.read_to_end(&mut Vec::new()).unwrap();
            ends.assert_next(Completed, &request);
        }
        ends.assert_none();
    }
}

#[test]
fn a_response_to_head_completes_no_page() {
    for count in [SMALL, LARGE] {
        let (source, ends) = reporting(move || lines(count));
        let running = start(source, Limits::default());
        for request in requests() {
            let mut client = running.connect();
            client.send(request.replace("GET", "HEAD"));
            assert_eq!(client.response_to_head().status, 200);
            ends.assert_next(Dropped, &request);
        }
        let mut client = running.connect();
        client.send(get("1.1", "").replace("GET", "HEAD"));
        client.response_to_head();
        ends.assert_next(Dropped, "HEAD");
        client.send(get("1.1", ""));
        client.response().assert_page(count);
        ends.assert_next(Completed, "GET on the same connection");
    }
}

#[test]
fn a_page_is_not_completed_if_its_client_resets_or_stalls() {
    let (source, ends) = reporting(|| lines(LARGE));
    let running = start(source, short_limits());
    for request in requests() {
        for resets in [true, false] {
            let mut client = Client::connect_narrow(running.address);
            client.send(&request);
            // On a slow machine the stall limit may pass before this read. Then the read fails, which is no fault.
            let _ = client.stream.read_exact(&mut [0; 1000]);
            if resets {
                client.reset();
            }
            ends.assert_next(Dropped, &request);
        }
    }
    ends.assert_none();
}

#[test]
fn a_page_is_not_completed_if_its_client_stalls_or_leaves_with_tls() {
    let (source, ends) = reporting(|| lines(LARGE));
    let secure = secure(source, short_limits());
    for leaves in [true, false] {
        let mut client = secure.connect();
        client.write_all(get("1.1", "").as_bytes()).unwrap();
        client.read_exact(&mut [0; 1000]).unwrap();
        if leaves {
            drop(client);
            ends.assert_next(Dropped, "a client that leaves");
        } else {
            ends.assert_next(Dropped, "a client that stalls");
        }
    }
}

#[test]
fn a_page_is_not_completed_if_its_writing_fails_or_the_server_stops() {
    for request in requests() {
        let (source, ends) =
            reporting(|| lines_with(LARGE, |chunk| assert!(chunk < 3, "this panic is expected")));
        let running = start(source, Limits::default());
        let mut client = running.connect();
        client.send(&request);
        client.read_to_close();
        ends.assert_next(Dropped, &request);
    }
    let (source, ends) = reporting(|| lines(LARGE));
    let limits = Limits { stop_grace: Duration::from_millis(50), ..Limits::default() };
    let running = start(source, limits);
    let mut client = Client::connect_narrow(running.address);
    client.send(GET);
    client.stream.read_exact(&mut [0; 1000]).unwrap();
    running.stop();
    ends.assert_next(Dropped, "the server has stopped");
}

/// Creates a counter with this number of series, each with the value 3. Its cells are leaked memory.
#[expect(unsafe_code, reason = "lends memory as JavaScript does")]
fn counter(series: usize) -> Arc<TraceCounter> {
    let options = CounterOptions {
        name: "trace_counter".into(),
        help: "Counts".into(),
        schema: Schema::new::<&str>(&[]),
        default_labels: Vec::new(),
        max_series: 100_000,
        start_at_zero: true,
        idle_timeout: None,
    };
    let counter = TraceCounter::new(options).expect("a valid counter");
    let shard = counter.open_shard();
    for block in 0..series.div_ceil(CELLS) {
        let cells = vec![3.0; CELLS].leak();
        let cells = NonNull::new(cells.as_mut_ptr()).unwrap();
        // SAFETY: aligned memory of `CELLS` cells, which is never freed or written.
        let lent = unsafe { CellBlock::new(cells) };
        assert!(counter.lend_cells(shard, block, lent));
    }
    for id in 0..series {
        counter.intern(["A", "f", "/a/path/to/a/file.js", "", "", &id.to_string(), ""]);
    }
    Arc::new(counter)
}

const ANNOUNCED: &str = "X-Prometheus-Scrape-Timeout-Seconds: 10\r\n";

/// Returns the value that all series on a page in plain text have.
#[track_caller]
fn value(response: &Response, series: usize) -> u32 {
    let lines = response.text().lines().filter(|line| !line.starts_with('#'));
    let values: Vec<u32> =
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap()).collect();
    assert_eq!(values.len(), series);
    assert!(values.iter().all(|value| *value == values[0]));
    values[0]
}

#[test]
fn a_scraper_is_shown_0_until_it_has_completed_a_page() {
    const SERIES: usize = 80_000;
    let gatherer = Arc::new(Gatherer::new(counter(SERIES), None));
    let running = start(Arc::new(GathererSource(gatherer)), short_limits());
    let scrape = |headers: &str| {
        let mut client = running.connect();
        client.send(get("1.1", headers));
        value(&client.response(), SERIES)
    };
    let cut = |resets: bool| {
        let mut client = Client::connect_narrow(running.address);
        client.send(get("1.1", ANNOUNCED));
        client.stream.read_exact(&mut [0; 1000]).unwrap();
        if resets {
            client.reset();
        } else {
            let is_reset = || client.stream.take_error().unwrap().is_some();
            eventually("the connection is reset", is_reset);
        }
    };
    assert_eq!(scrape(""), 3, "for a client that does not announce itself");
    cut(true);
    cut(false);
    let mut client = running.connect();
    client.send(get("1.1", ANNOUNCED).replace("GET", "HEAD"));
    client.response_to_head();
    assert_eq!(scrape(ANNOUNCED), 0);
    // The client may have the last byte before the server has recorded the completion.
    eventually("the page is completed", || scrape(ANNOUNCED) == 3);
    assert_eq!(scrape(ANNOUNCED), 3);
    let other = format!("{ANNOUNCED}User-Agent: other\r\n");
    assert_eq!(scrape(&other), 3, "a scraper that is not in the table may have seen the page");
}

/// Returns a page that waits for a message before its second chunk.
fn waiting_page(resume: Arc<Mutex<mpsc::Receiver<()>>>) -> impl Render {
    lines_with(LARGE, move |chunk| {
        if chunk == 1 {
            resume.lock().unwrap().recv_timeout(TIMEOUT).unwrap();
        }
    })
}

#[test]
fn a_page_is_not_completed_before_its_last_byte() {
    let (sender, receiver) = mpsc::channel();
    let receiver = Arc::new(Mutex::new(receiver));
    let (source, ends) = reporting(move || waiting_page(Arc::clone(&receiver)));
    let running = start(source, Limits::default());
    let mut client = running.connect();
    client.send(get("1.1", "Connection: close\r\n"));
    client.stream.read_exact(&mut [0; 1000]).unwrap();
    ends.assert_none();
    sender.send(()).unwrap();
    assert!(client.read_to_close().ends_with(b"\r\n0\r\n\r\n"));
    ends.assert_next(Completed, "the page");
}
