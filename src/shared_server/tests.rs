//! Who opens a port, who joins, and when it is free again, with real threads and ports.

use std::{
    net::{Ipv4Addr, TcpListener},
    thread,
};

use super::*;
use crate::{counter::tests::counter_with, gather::GathererSource, server::listen::bind};

const LIMIT: Duration = Duration::from_secs(10);

fn config(port: u16) -> ListenConfig {
    let shared_options =
        [("a", "1"), ("b", "2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let host = "localhost".to_owned();
    ListenConfig {
        host,
        port,
        shared_options: shared_options.to_vec(),
        join_blocker: None,
        door: AccessPolicy::default(),
    }
}

/// What one JavaScript thread has of it.
struct Part {
    server: Arc<SharedServer>,
    thread: Arc<JsThread>,
    opened: bool,
}

impl Part {
    fn port(&self) -> u16 {
        self.server.server().addresses()[0].port()
    }

    fn end(&self) {
        self.server.end(&self.thread, LIMIT);
    }
}

fn ask(config: ListenConfig) -> Result<Part, String> {
    let gatherer = Arc::new(Gatherer::new(Arc::new(counter_with(&[], 100)), None));
    let own = gatherer.join(None);
    let source = || -> Arc<dyn Source> { Arc::new(GathererSource(Arc::clone(&gatherer))) };
    match open(config, Some(7), &gatherer, source) {
        Ok(Opened::Served(server)) => Ok(Part { server, thread: own, opened: true }),
        Ok(Opened::Joined(server, thread)) => Ok(Part { server, thread, opened: false }),
        Ok(Opened::Differs(option)) => Err(option),
        Err(OpenError::Bind(error)) => Err(error.code.to_owned()),
        Err(OpenError::Thread(error)) => Err(error.to_string()),
    }
}

/// Asks on a thread of its own, as another JavaScript thread would.
fn ask_elsewhere(config: ListenConfig) -> Result<Part, String> {
    thread::spawn(|| ask(config)).join().unwrap()
}

fn stop(part: &Part) {
    let (sender, stopped) = std::sync::mpsc::channel();
    part.server.stop(&part.thread, part.opened, move || sender.send(()).unwrap());
    stopped.recv_timeout(LIMIT).unwrap();
}

fn is_free(port: u16) -> bool {
    bind("localhost", port).is_ok()
}

#[test]
fn another_thread_joins_and_the_same_one_does_not() {
    let opener = ask(config(0)).unwrap_or_else(|error| panic!("{error}"));
    let port = opener.port();
    assert!(opener.opened);
    assert_eq!(ask(config(port)).err().as_deref(), Some("EADDRINUSE"));

    let joined = ask_elsewhere(config(port)).unwrap_or_else(|error| panic!("{error}"));
    assert!(!joined.opened && Arc::ptr_eq(&joined.server, &opener.server));
    let other_case = ListenConfig { host: "LocalHost".to_owned(), ..config(port) };
    assert!(ask_elsewhere(other_case).is_ok());
    stop(&opener);
    assert!(is_free(port));
}

#[test]
fn what_keeps_a_thread_from_joining_is_named_and_nothing_joins() {
    let opener = ask(config(0)).unwrap_or_else(|error| panic!("{error}"));
    let port = opener.port();
    let mut shared_options = config(port).shared_options;
    shared_options[1].1 = "3".to_owned();
    let table = [
        (ListenConfig { shared_options, ..config(port) }, "b"),
        (ListenConfig { shared_options: Vec::new(), ..config(port) }, "a"),
        (ListenConfig { host: "127.0.0.1".to_owned(), ..config(port) }, "host"),
        (ListenConfig { join_blocker: Some("register".to_owned()), ..config(port) }, "register"),
    ];
    for (config, option) in table {
        assert_eq!(ask_elsewhere(config).err().as_deref(), Some(option));
    }
    assert_eq!(opener.server.gatherer.threads().all().len(), 1);
    stop(&opener);
}

#[test]
fn a_port_of_somebody_else_is_in_use() {
    let foreign = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = foreign.local_addr().unwrap().port();
    assert_eq!(ask_elsewhere(config(port)).err().as_deref(), Some("EADDRINUSE"));
}

#[test]
fn the_last_one_out_closes_the_port_where_the_opener_only_ended() {
    let opener = ask_elsewhere(config(0)).unwrap_or_else(|error| panic!("{error}"));
    let port = opener.port();
    let stays = ask_elsewhere(config(port)).unwrap_or_else(|error| panic!("{error}"));
    let leaves = ask_elsewhere(config(port)).unwrap_or_else(|error| panic!("{error}"));
    opener.end();
    stop(&leaves);
    leaves.end();
    assert!(!stays.server.is_closed() && !is_free(port));
    stays.end();
    assert!(stays.server.is_closed() && is_free(port));
    stays.end();
    opener.end();
    assert!(is_free(port), "an end may come twice");
}

#[test]
fn the_opener_closes_it_by_stopping_and_nobody_joins_after() {
    let opener = ask(config(0)).unwrap_or_else(|error| panic!("{error}"));
    let port = opener.port();
    let joined = ask_elsewhere(config(port)).unwrap_or_else(|error| panic!("{error}"));
    stop(&opener);
    assert!(joined.server.is_closed());
    let next = ask(config(port)).unwrap_or_else(|error| panic!("{error}"));
    assert!(next.opened && !Arc::ptr_eq(&next.server, &joined.server));
    joined.end();
    assert!(!next.server.is_closed() && !is_free(port), "the old one's end is not the new one's");
    stop(&next);
}

#[test]
fn threads_that_come_and_go_at_one_port_never_find_it_in_use() {
    let port = {
        let one = ask(config(0)).unwrap_or_else(|error| panic!("{error}"));
        one.end();
        one.port()
    };
    // Both at once, and again: the end of the one meets the beginning of the other.
    thread::scope(|scope| {
        for at in 0..2 {
            scope.spawn(move || {
                for round in 0..300 {
                    if round % 2 == at {
                        thread::yield_now();
                    }
                    let one = ask(config(port)).unwrap_or_else(|error| panic!("{error}"));
                    one.end();
                }
            });
        }
    });
    assert!(is_free(port));
}
