//! Threads that open, join and leave a port, with real threads and ports.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, TcpListener},
    thread,
};

use super::*;
use crate::{counter::tests::counter_with, gather::GathererSource, server::listen::bind};

const LIMIT: Duration = Duration::from_secs(10);

fn config(port: u16) -> ListenConfig {
    let shared_options =
        [("a", "1"), ("b", "2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    ListenConfig {
        host: "localhost".to_owned(),
        port,
        worker: Some(7),
        shared_options: shared_options.to_vec(),
        join_blocker: None,
        access: AccessPolicy::default(),
        cluster: false,
    }
}

/// One JavaScript thread of a server.
struct Participant {
    server: Arc<SharedServer>,
    thread: Arc<JsThread>,
    started: bool,
}

impl Participant {
    fn port(&self) -> u16 {
        self.server.server().addresses()[0].port()
    }

    fn stop(&self) {
        let (sender, stopped) = std::sync::mpsc::channel();
        self.server.stop(&self.thread, self.started, move || sender.send(()).unwrap());
        stopped.recv_timeout(LIMIT).unwrap();
    }

    fn end(&self) {
        self.server.end(&self.thread, LIMIT);
    }
}

fn served() -> Served {
    let gatherer = Arc::new(Gatherer::new(Arc::new(counter_with(&[], 100)), None));
    let thread = gatherer.join(None);
    let source = Arc::new(GathererSource(Arc::clone(&gatherer)));
    Served { gatherer, thread, source }
}

/// Opens the port on the calling thread. The error is the differing option or the code.
fn open_here(config: ListenConfig) -> Result<Participant, String> {
    match open(config, || Ok::<_, Infallible>(served())) {
        Ok(Opened::Started(server, thread)) => Ok(Participant { server, thread, started: true }),
        Ok(Opened::Joined(server, thread)) => Ok(Participant { server, thread, started: false }),
        Ok(Opened::Differs(difference)) => Err(difference.option),
        Err(OpenError::Bind(error)) => Err(error.code.to_owned()),
        Err(OpenError::Thread(error) | OpenError::Folder(error)) => Err(error.to_string()),
        Err(OpenError::Page(error)) => Err(error.to_string()),
    }
}

/// Opens the port on a new thread, as another JavaScript thread would.
fn open_elsewhere(config: ListenConfig) -> Result<Participant, String> {
    thread::spawn(|| open_here(config)).join().unwrap()
}

fn is_free(port: u16) -> bool {
    bind("localhost", port).is_ok()
}

#[test]
fn another_thread_joins_and_the_same_thread_does_not() {
    let starter = open_here(config(0)).unwrap_or_else(|error| panic!("{error}"));
    let port = starter.port();
    assert!(starter.started);
    assert_eq!(open_here(config(port)).err().as_deref(), Some("EADDRINUSE"));

    let joined = open_elsewhere(config(port)).unwrap_or_else(|error| panic!("{error}"));
    assert!(!joined.started && Arc::ptr_eq(&joined.server, &starter.server));
    let other_case = ListenConfig { host: "LocalHost".to_owned(), ..config(port) };
    assert!(open_elsewhere(other_case).is_ok());
    starter.stop();
    assert!(is_free(port));
}

#[test]
fn an_option_that_prevents_joining_is_named_and_no_thread_joins() {
    let starter = open_here(config(0)).unwrap_or_else(|error| panic!("{error}"));
    let port = starter.port();
    let mut shared_options = config(port).shared_options;
    shared_options[1].1 = "3".to_owned();
    let table = [
        (ListenConfig { shared_options, ..config(port) }, "b"),
        (ListenConfig { shared_options: Vec::new(), ..config(port) }, "a"),
        (ListenConfig { host: "127.0.0.1".to_owned(), ..config(port) }, "host"),
        (ListenConfig { join_blocker: Some("register".to_owned()), ..config(port) }, "register"),
    ];
    for (config, option) in table {
        assert_eq!(open_elsewhere(config).err().as_deref(), Some(option));
    }
    assert_eq!(starter.server.gatherer.threads().all().len(), 1);
    starter.stop();
}

#[test]
fn a_differing_option_comes_with_the_value_of_the_starter() {
    let starter = open_here(config(0)).unwrap_or_else(|error| panic!("{error}"));
    let mut config = config(starter.port());
    config.shared_options[1].1 = "3".to_owned();
    let opened = thread::spawn(|| open(config, || Ok::<_, Infallible>(served()))).join().unwrap();
    let Ok(Opened::Differs(difference)) = opened else { panic!("it joined") };
    let (option, expected) = ("b".to_owned(), Some("2".to_owned()));
    assert_eq!(difference, Difference { option, expected, is_of_process: false });
    starter.stop();
}

#[test]
fn the_port_of_another_program_is_in_use() {
    let foreign = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = foreign.local_addr().unwrap().port();
    assert_eq!(open_elsewhere(config(port)).err().as_deref(), Some("EADDRINUSE"));
}

#[test]
fn a_page_that_cannot_be_created_leaves_the_port_free() {
    let port = {
        let one = open_here(config(0)).unwrap_or_else(|error| panic!("{error}"));
        one.end();
        one.port()
    };
    let failed = open(config(port), || Err::<Served, _>("no page"));
    assert!(matches!(failed, Err(OpenError::Page(error)) if error.to_string() == "no page"));
    assert!(is_free(port));
}

#[test]
fn the_last_thread_closes_the_port_if_the_starter_ended_without_stop() {
    let starter = open_elsewhere(config(0)).unwrap_or_else(|error| panic!("{error}"));
    let port = starter.port();
    let stays = open_elsewhere(config(port)).unwrap_or_else(|error| panic!("{error}"));
    let leaves = open_elsewhere(config(port)).unwrap_or_else(|error| panic!("{error}"));
    starter.end();
    leaves.stop();
    leaves.end();
    assert!(!stays.server.is_closed() && !is_free(port));
    stays.end();
    assert!(stays.server.is_closed() && is_free(port));
    stays.end();
    starter.end();
    assert!(is_free(port), "ending twice changes nothing");
}

#[test]
fn stop_of_the_starter_closes_the_port_and_later_threads_do_not_join() {
    let starter = open_here(config(0)).unwrap_or_else(|error| panic!("{error}"));
    let port = starter.port();
    let joined = open_elsewhere(config(port)).unwrap_or_else(|error| panic!("{error}"));
    starter.stop();
    assert!(joined.server.is_closed());
    let next = open_here(config(port)).unwrap_or_else(|error| panic!("{error}"));
    assert!(next.started && !Arc::ptr_eq(&next.server, &joined.server));
    joined.end();
    assert!(
        !next.server.is_closed() && !is_free(port),
        "the end of the first server does not close the second one"
    );
    next.stop();
}

/// Returns a free port outside the range from which systems assign ports. Another program could get an
/// assigned port between two uses.
fn unassigned_port() -> u16 {
    let offset = u16::try_from(std::process::id() % 10_000).expect("less than 10,000");
    (20_000 + offset..32_000).find(|port| is_free(*port)).expect("a free port")
}

#[test]
fn threads_that_open_and_end_at_one_port_never_find_it_in_use() {
    let port = unassigned_port();
    // With two threads, one can end while the other one starts.
    thread::scope(|scope| {
        for parity in 0..2 {
            scope.spawn(move || {
                for round in 0..300 {
                    if round % 2 == parity {
                        thread::yield_now();
                    }
                    let one = open_here(config(port)).unwrap_or_else(|error| panic!("{error}"));
                    one.end();
                }
            });
        }
    });
    assert!(is_free(port));
}
