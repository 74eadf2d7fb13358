//! Binding, start and end: cases 35 to 38 of docs/scrape-cases.md.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use hypertrace_prometheus::server::{BoxFuture, Limits, ScrapeRequest, Server, Source, listen};
use support::*;

const SMALL: usize = 20;
const LARGE: usize = 100_000;

fn start_on(listeners: Vec<TcpListener>) -> Running {
    let server = Server::start(listeners, small(), short_limits()).unwrap();
    let address = server.addresses()[0];
    Running { server, address }
}

/// Returns whether this machine has IPv6.
fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

#[test]
fn case_35_a_port_in_use_is_the_error_of_node_js() {
    let _alone = alone();
    let other = listen::bind("127.0.0.1", 0).unwrap();
    let port = other[0].local_addr().unwrap().port();
    let error = listen::bind("127.0.0.1", port).unwrap_err();
    assert_eq!((error.code, error.syscall), ("EADDRINUSE", "listen"));
    assert_eq!((error.address.as_str(), error.port), ("127.0.0.1", Some(port)));
    #[cfg(target_os = "linux")]
    assert_eq!(error.errno, -98);
    let message = format!("listen EADDRINUSE: address already in use 127.0.0.1:{port}");
    assert_eq!(error.to_string(), message);
    drop(other);
    start_on(listen::bind("127.0.0.1", port).unwrap()).scrape().assert_page(SMALL);
}

#[test]
fn case_35_a_port_in_use_on_one_loopback_leaves_the_other_free() {
    let _alone = alone();
    if !has_ipv6() {
        return;
    }
    let other = listen::bind("::1", 0).unwrap();
    let port = other[0].local_addr().unwrap().port();
    let error = listen::bind("localhost", port).unwrap_err();
    assert_eq!((error.code, error.address.as_str()), ("EADDRINUSE", "::1"));
    assert_eq!(listen::bind("127.0.0.1", port).unwrap().len(), 1);
    drop(other);
    assert_eq!(listen::bind("localhost", port).unwrap().len(), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn case_35_a_privileged_port_is_the_error_of_node_js() {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let _alone = alone();
    let first: u16 = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    if first <= 80 {
        return; // No port is privileged on this machine.
    }
    // Capabilities belong to a thread, so no other thread loses this one.
    let error = thread::spawn(|| {
        let mut sets = capabilities(None).unwrap();
        sets.effective.remove(CapabilitySet::NET_BIND_SERVICE);
        set_capabilities(None, sets).unwrap();
        listen::bind("127.0.0.1", 80).unwrap_err()
    })
    .join()
    .unwrap();
    assert_eq!((error.code, error.errno), ("EACCES", -13));
    assert_eq!(error.to_string(), "listen EACCES: permission denied 127.0.0.1:80");
}

#[test]
fn case_36_an_impossible_host_is_the_error_of_node_js() {
    let _alone = alone();
    for host in ["256.1.1.1", "no.such.host.invalid", ""] {
        let error = listen::bind(host, 0).unwrap_err();
        assert_eq!((error.code, error.syscall, error.errno), ("ENOTFOUND", "getaddrinfo", -3008));
        assert_eq!(error.address, host);
        assert_eq!(error.to_string(), format!("getaddrinfo ENOTFOUND {host}"));
    }
    let error = listen::bind("203.0.113.9", 4343).unwrap_err();
    assert_eq!((error.code, error.syscall), ("EADDRNOTAVAIL", "listen"));
    let message = "listen EADDRNOTAVAIL: address not available 203.0.113.9:4343";
    assert_eq!(error.to_string(), message);
}

#[test]
fn case_37_localhost_answers_on_both_loopbacks_of_one_port() {
    let _alone = alone();
    let running = start_on(listen::bind("localhost", 0).unwrap());
    let port = running.address.port();
    assert_eq!(running.address, SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    running.scrape().assert_page(SMALL);
    if has_ipv6() {
        let second = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        assert_eq!(running.server.addresses(), [running.address, second]);
        let mut client = Client::connect(second);
        client.send(GET);
        client.response().assert_page(SMALL);
    }
}

#[test]
fn case_37_the_unspecified_address_answers_on_both_families() {
    let _alone = alone();
    let running = start_on(listen::bind("::", 0).unwrap());
    let port = running.address.port();
    let mut addresses = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))];
    if has_ipv6() {
        addresses.push(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    }
    for address in addresses {
        let mut client = Client::connect(address);
        client.send(GET);
        client.response().assert_page(SMALL);
    }
}

/// A source whose scrapes block the server thread until the sender sends or is dropped.
fn blocking() -> (Arc<dyn Source>, Started, mpsc::Sender<()>) {
    let (sender, started) = mpsc::channel();
    let (resume, resumed) = mpsc::channel::<()>();
    let resumed = Mutex::new(resumed);
    let source = FnSource(move |_| -> ScrapeFuture {
        sender.send(()).unwrap();
        let _ = resumed.lock().unwrap().recv();
        Box::pin(async { scrape(lines(SMALL)) })
    });
    (Arc::new(source), Started(started), resume)
}

#[test]
fn case_38_stop_finishes_a_scrape_under_way_and_answers_no_new_request() {
    let _alone = alone();
    let (source, started, resume) = paused(10_000);
    let limits = Limits { stop_grace: Duration::from_secs(5), ..short_limits() };
    let running = start(source, limits);
    let mut idle = running.connect();
    let mut client = running.connect();
    client.send([GET, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"].concat());
    started.wait();
    let (sender, stopped) = mpsc::channel();
    running.server.stop(move || sender.send(()).unwrap());
    idle.try_send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    idle.assert_closed();
    assert!(stopped.try_recv().is_err());
    resume.send(()).unwrap();
    let response = client.response();
    response.assert_page(10_000);
    client.assert_closed();
    stopped.recv_timeout(TIMEOUT).unwrap();
    assert_eq!(listen::bind("127.0.0.1", running.address.port()).unwrap().len(), 1);
}

#[test]
fn case_38_stop_cuts_a_scrape_at_the_end_of_the_grace() {
    let _alone = alone();
    let (source, started, _resume) = paused(SMALL);
    let running = start(source, short_limits());
    let mut waiting = running.connect();
    waiting.send(GET);
    started.wait();
    let took = running.stop();
    assert!(took >= Duration::from_millis(350), "{took:?}");
    waiting.assert_closed();

    let running = start(page_of(1_000_000), short_limits());
    let mut stalled = Client::connect_narrow(running.address);
    stalled.send(GET);
    eventually("the page is sent", || stalled.stream.peek(&mut [0]).unwrap() > 0);
    let took = running.stop();
    assert!(took >= Duration::from_millis(350), "{took:?}");
    assert!(stalled.try_response(false).is_none(), "the page is incomplete");
}

#[test]
fn case_38_stop_closes_connections_without_a_complete_request_at_once() {
    let _alone = alone();
    let limits = Limits { stop_grace: TIMEOUT * 2, ..Limits::default() };
    let running = start(small(), limits);
    let mut new = running.connect();
    let mut half = running.connect();
    half.send("GET /metrics HT");
    let mut used = running.connect();
    used.send(GET);
    used.response().assert_page(SMALL);
    running.stop();
    for client in [&mut new, &mut half, &mut used] {
        client.assert_closed();
    }
}

#[test]
fn case_38_requests_that_wait_are_not_answered_after_stop() {
    let _alone = alone();
    let (source, started, resume) = blocking();
    let running = start(source, short_limits());
    let mut open = running.connect();
    open.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(open.response().status, 200);
    let mut first = running.connect();
    first.send(GET);
    started.wait();
    open.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut backlog: Vec<_> = (0..5).map(|_| running.connect()).collect();
    for client in &mut backlog {
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    let (sender, end) = mpsc::channel();
    running.server.stop(move || sender.send(()).unwrap());
    resume.send(()).unwrap();
    first.response().assert_page(SMALL);
    open.assert_closed();
    for client in &mut backlog {
        client.assert_closed();
    }
    end.recv_timeout(TIMEOUT).unwrap();
}

#[test]
fn case_38_every_callback_of_stop_runs_once() {
    let _alone = alone();
    let running = Arc::new(start(small(), short_limits()));
    let calls = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (running, calls) = (Arc::clone(&running), Arc::clone(&calls));
            thread::spawn(move || {
                running.server.stop(move || {
                    calls.fetch_add(1, Ordering::SeqCst);
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    eventually("all callbacks run", || calls.load(Ordering::SeqCst) == 8);
    let here = thread::current().id();
    let (sender, called_on) = mpsc::channel();
    eventually("the server has ended", || running.server.stop_within(Duration::ZERO));
    running.server.stop(move || sender.send(thread::current().id()).unwrap());
    assert_eq!(
        called_on.try_recv(),
        Ok(here),
        "after the end the callback runs at once, on the caller's thread"
    );
}

#[test]
fn case_38_a_callback_that_panics_does_not_prevent_the_others() {
    let _alone = alone();
    let running = start(small(), short_limits());
    running.server.stop(|| panic!("in a callback"));
    running.stop();
}

#[test]
fn case_38_two_hundred_restarts_on_one_port_leak_no_thread() {
    let _alone = alone();
    let mut running = start(small(), short_limits());
    let port = running.address.port();
    for round in 0..200 {
        let mut client = running.connect();
        client.send(GET);
        client.response().assert_page(SMALL);
        if round % 2 == 0 {
            running.stop();
        } else {
            assert!(running.server.stop_within(TIMEOUT));
        }
        running = start_on(listen::bind("127.0.0.1", port).unwrap());
    }
    running.stop();
    drop(running);
    #[cfg(target_os = "linux")]
    eventually("no thread is left", || threads() == 0);
}

/// Returns the number of server threads in this process.
#[cfg(target_os = "linux")]
fn threads() -> usize {
    let names = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|name| name.trim() == hypertrace_prometheus::server::THREAD_NAME).count()
}

#[test]
fn the_drop_of_a_server_frees_its_port_its_thread_and_its_source() {
    struct SetsOnDrop(Arc<AtomicBool>);
    impl Drop for SetsOnDrop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let _alone = alone();
    let is_dropped = Arc::new(AtomicBool::new(false));
    let guard = SetsOnDrop(Arc::clone(&is_dropped));
    let source = FnSource(move |_| -> ScrapeFuture {
        let _ = &guard;
        Box::pin(async { scrape(lines(SMALL)) })
    });
    let running = start(Arc::new(source), short_limits());
    let port = running.address.port();
    running.scrape().assert_page(SMALL);
    drop(running);
    eventually("its source is dropped", || is_dropped.load(Ordering::SeqCst));
    eventually("its port is free", || listen::bind("127.0.0.1", port).is_ok());
}

/// A source whose own work does not end.
struct EndlessWork {
    begun: mpsc::Sender<()>,
    /// Dropped together with the work.
    guard: Arc<()>,
}

impl Source for EndlessWork {
    fn scrape(&self, _: ScrapeRequest) -> ScrapeFuture {
        Box::pin(async { scrape(lines(SMALL)) })
    }

    fn summary(&self, _: &str, _: Duration) -> BoxFuture<'static, Result<Vec<u8>, String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn run(&self) -> BoxFuture<'static, ()> {
        let (begun, guard) = (self.begun.clone(), Arc::clone(&self.guard));
        Box::pin(async move {
            begun.send(()).unwrap();
            std::future::pending::<()>().await;
            drop(guard);
        })
    }
}

#[test]
fn the_work_of_the_source_begins_without_a_request_and_ends_with_stop() {
    let (sender, begun) = mpsc::channel();
    let guard = Arc::new(());
    let source = EndlessWork { begun: sender, guard: Arc::clone(&guard) };
    let running = start(Arc::new(source), short_limits());
    begun.recv_timeout(TIMEOUT).unwrap();
    running.scrape().assert_page(SMALL);
    running.stop();
    assert_eq!(Arc::strong_count(&guard), 1);
}

#[test]
fn stop_within_waits_for_at_most_its_limit() {
    let _alone = alone();
    let running = start(page_of(LARGE * 10), Limits::default());
    let mut stalled = Client::connect_narrow(running.address);
    stalled.send(GET);
    eventually("the page is sent", || stalled.stream.peek(&mut [0]).unwrap() > 0);
    // A stalled page does not delay `stop_within`.
    running.server.stop(|| {});
    assert!(running.server.stop_within(Duration::from_secs(1)));
    assert!(running.server.stop_within(Duration::ZERO), "the server has ended");

    // A thread that is blocked in its source exceeds the limit, and ends later.
    let (source, started, resume) = blocking();
    let running = start(source, short_limits());
    let mut client = running.connect();
    client.send(GET);
    started.wait();
    let asked = Instant::now();
    assert!(!running.server.stop_within(Duration::from_millis(50)));
    assert!(asked.elapsed() < Duration::from_secs(5));
    drop(resume);
    assert!(running.server.stop_within(TIMEOUT));
}

#[test]
fn a_server_without_a_listener_is_refused() {
    assert!(Server::start(Vec::new(), small(), short_limits()).is_err());
}
