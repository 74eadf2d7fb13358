//! Binding, starting and ending: cases 35 to 38 of the project's table, and faults of the page's owner.

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

use hypertrace_prometheus::server::{Limits, Server, Source, listen};
use support::*;

const SMALL: usize = 20;
const LARGE: usize = 100_000;

fn start_on(listeners: Vec<TcpListener>) -> Running {
    let server = Server::start(listeners, small(), short()).unwrap();
    let address = server.addresses()[0];
    Running { server, address }
}

/// Whether this machine has IPv6.
fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

#[test]
fn case_35_a_port_in_use_is_said_as_node_says_it() {
    let _alone = alone();
    let taken = listen::bind("127.0.0.1", 0).unwrap();
    let port = taken[0].local_addr().unwrap().port();
    let error = listen::bind("127.0.0.1", port).unwrap_err();
    assert_eq!((error.code, error.syscall), ("EADDRINUSE", "listen"));
    assert_eq!((error.address.as_str(), error.port), ("127.0.0.1", port));
    #[cfg(target_os = "linux")]
    assert_eq!(error.errno, -98);
    let message = format!("listen EADDRINUSE: address already in use 127.0.0.1:{port}");
    assert_eq!(error.to_string(), message);
    drop(taken);
    start_on(listen::bind("127.0.0.1", port).unwrap()).scrape().assert_page(SMALL);
}

#[test]
fn case_35_a_port_in_use_on_one_loopback_leaves_the_other_free() {
    let _alone = alone();
    if !has_ipv6() {
        return;
    }
    let taken = listen::bind("::1", 0).unwrap();
    let port = taken[0].local_addr().unwrap().port();
    let error = listen::bind("localhost", port).unwrap_err();
    assert_eq!((error.code, error.address.as_str()), ("EADDRINUSE", "::1"));
    assert_eq!(listen::bind("127.0.0.1", port).unwrap().len(), 1);
    drop(taken);
    assert_eq!(listen::bind("localhost", port).unwrap().len(), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn case_35_a_privileged_port_is_said_as_node_says_it() {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let _alone = alone();
    let first: u16 = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    if first <= 80 {
        return; // Nothing is privileged on this machine.
    }
    // Privileges are a thread's: this one gives up its own.
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
fn case_36_a_host_that_cannot_be_is_said_as_node_says_it() {
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
        client.answer().assert_page(SMALL);
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
        client.answer().assert_page(SMALL);
    }
}

/// A source that holds the server's thread itself until it is told to go on.
fn blocking() -> (Arc<dyn Source>, Begun, mpsc::Sender<()>) {
    let (tell, begun) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let source = SourceFn(move |_| -> ScrapeFuture {
        tell.send(()).unwrap();
        let _ = gone.lock().unwrap().recv();
        Box::pin(async { scrape(lines(SMALL)) })
    });
    (Arc::new(source), Begun(begun), go)
}

#[test]
fn case_38_stop_lets_a_scrape_under_way_finish_and_answers_nothing_new() {
    let _alone = alone();
    let (source, begun, go) = held(10_000);
    let limits = Limits { stop_grace: Duration::from_secs(5), ..short() };
    let running = start(source, limits);
    let mut idle = running.connect();
    let mut client = running.connect();
    client.send([GET, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"].concat());
    begun.wait();
    let (tell, told) = mpsc::channel();
    running.server.stop(move || tell.send(()).unwrap());
    idle.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    idle.assert_closed();
    assert!(told.try_recv().is_err());
    go.send(()).unwrap();
    let answer = client.answer();
    answer.assert_page(10_000);
    client.assert_closed();
    told.recv_timeout(WAIT_LIMIT).unwrap();
    assert_eq!(listen::bind("127.0.0.1", running.address.port()).unwrap().len(), 1);
}

#[test]
fn case_38_stop_cuts_a_scrape_at_the_grace() {
    let _alone = alone();
    let (source, begun, _go) = held(SMALL);
    let running = start(source, short());
    let mut hanging = running.connect();
    hanging.send(GET);
    begun.wait();
    let took = running.stop();
    assert!(took >= Duration::from_millis(350), "{took:?}");
    hanging.assert_closed();

    let running = start(page_of(1_000_000), short());
    let mut stalled = Client::connect_narrow(running.address);
    stalled.send(GET);
    eventually("sends", || stalled.stream.peek(&mut [0]).unwrap() > 0);
    let took = running.stop();
    assert!(took >= Duration::from_millis(350), "{took:?}");
    assert!(stalled.try_answer(false).is_none(), "the page is seen to be incomplete");
}

#[test]
fn case_38_stop_ends_idle_and_half_asked_connections_at_once() {
    let _alone = alone();
    let limits = Limits { stop_grace: WAIT_LIMIT * 2, ..Limits::default() };
    let running = start(small(), limits);
    let mut fresh = running.connect();
    let mut half = running.connect();
    half.send("GET /metrics HT");
    let mut used = running.connect();
    used.send(GET);
    used.answer().assert_page(SMALL);
    running.stop();
    for client in [&mut fresh, &mut half, &mut used] {
        client.assert_closed();
    }
}

#[test]
fn case_38_what_waits_to_be_accepted_is_not_answered_after_stop() {
    let _alone = alone();
    let (source, begun, go) = blocking();
    let running = start(source, short());
    let mut waiting_request = running.connect();
    waiting_request.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(waiting_request.answer().status, 200);
    let mut first = running.connect();
    first.send(GET);
    begun.wait();
    waiting_request.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut backlog: Vec<_> = (0..5).map(|_| running.connect()).collect();
    for client in &mut backlog {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    let (tell_end, end) = mpsc::channel();
    running.server.stop(move || tell_end.send(()).unwrap());
    go.send(()).unwrap();
    first.answer().assert_page(SMALL);
    waiting_request.assert_closed();
    for client in &mut backlog {
        client.assert_closed();
    }
    end.recv_timeout(WAIT_LIMIT).unwrap();
}

#[test]
fn case_38_every_caller_of_stop_is_told_once() {
    let _alone = alone();
    let running = Arc::new(start(small(), short()));
    let told = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (running, told) = (Arc::clone(&running), Arc::clone(&told));
            thread::spawn(move || {
                running.server.stop(move || {
                    told.fetch_add(1, Ordering::SeqCst);
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    eventually("tells all", || told.load(Ordering::SeqCst) == 8);
    let here = thread::current().id();
    let (tell, told_here) = mpsc::channel();
    eventually("has ended", || running.server.stop_within(Duration::ZERO));
    running.server.stop(move || tell.send(thread::current().id()).unwrap());
    assert_eq!(told_here.try_recv(), Ok(here), "after the end the caller is told at once");
}

#[test]
fn case_38_a_callback_that_panics_keeps_no_other_from_being_told() {
    let _alone = alone();
    let running = start(small(), short());
    running.server.stop(|| panic!("a callback's own fault"));
    running.stop();
}

#[test]
fn case_38_two_hundred_restarts_on_one_port_work_and_no_thread_is_left() {
    let _alone = alone();
    let mut running = start(small(), short());
    let port = running.address.port();
    for round in 0..200 {
        let mut client = running.connect();
        client.send(GET);
        client.answer().assert_page(SMALL);
        if round % 2 == 0 {
            running.stop();
        } else {
            assert!(running.server.stop_within(WAIT_LIMIT));
        }
        running = start_on(listen::bind("127.0.0.1", port).unwrap());
    }
    running.stop();
    drop(running);
    #[cfg(target_os = "linux")]
    eventually("no thread is left", || threads() == 0);
}

/// Threads of servers in this process.
#[cfg(target_os = "linux")]
fn threads() -> usize {
    let names = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|name| name.trim() == hypertrace_prometheus::server::THREAD_NAME).count()
}

#[test]
fn a_dropped_server_frees_its_port_its_thread_and_its_source() {
    struct Watched(Arc<AtomicBool>);
    impl Drop for Watched {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let _alone = alone();
    let gone = Arc::new(AtomicBool::new(false));
    let watched = Watched(Arc::clone(&gone));
    let source = SourceFn(move |_| -> ScrapeFuture {
        let _ = &watched;
        Box::pin(async { scrape(lines(SMALL)) })
    });
    let running = start(Arc::new(source), short());
    let port = running.address.port();
    running.scrape().assert_page(SMALL);
    drop(running);
    eventually("lets go of its source", || gone.load(Ordering::SeqCst));
    eventually("frees its port", || listen::bind("127.0.0.1", port).is_ok());
}

#[test]
fn the_end_of_a_process_waits_no_longer_than_it_says() {
    let _alone = alone();
    let running = start(page_of(LARGE * 10), Limits::default());
    let mut stalled = Client::connect_narrow(running.address);
    stalled.send(GET);
    eventually("sends", || stalled.stream.peek(&mut [0]).unwrap() > 0);
    // A stalled page does not hold it up, grace or not.
    running.server.stop(|| {});
    assert!(running.server.stop_within(Duration::from_secs(1)));
    assert!(running.server.stop_within(Duration::ZERO), "and the end stays the end");

    // A thread that hangs in its source does, and is left behind.
    let (source, begun, go) = blocking();
    let running = start(source, short());
    let mut client = running.connect();
    client.send(GET);
    begun.wait();
    let asked = Instant::now();
    assert!(!running.server.stop_within(Duration::from_millis(50)));
    assert!(asked.elapsed() < Duration::from_secs(5));
    drop(go);
    assert!(running.server.stop_within(WAIT_LIMIT));
}

#[test]
fn a_server_without_a_listener_is_refused() {
    assert!(Server::start(Vec::new(), small(), short()).is_err());
}
