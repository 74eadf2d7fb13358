//! Models of a port that threads open, join, leave and close.

mod support;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use hypertrace_prometheus_models::{
    gather::{Gatherer, JsThread},
    server::{Source, access::AccessPolicy, listen},
    shared_server::{ListenConfig, OpenError, Opened, Served, SharedServer, open},
};
use shuttle::thread;
use support::{Cache, Calls, Scraper, Thread, check, counter};

struct NoSource;

impl Source for NoSource {}

/// A thread that has opened or joined the port.
struct Participant {
    server: Arc<SharedServer>,
    thread: Arc<JsThread>,
    started: bool,
}

/// Opens or joins the port. Returns `None` while another thread closes the port.
fn open_port(worker: Option<u32>) -> Option<Participant> {
    let config = ListenConfig {
        host: "localhost".to_owned(),
        port: listen::PORT,
        worker,
        shared_options: Vec::new(),
        join_blocker: None,
        access: AccessPolicy::default(),
        cluster: false,
    };
    let create = || {
        let gatherer = Arc::new(Gatherer::new(counter()));
        let thread = gatherer.join(worker);
        Ok::<_, Infallible>(Served { gatherer, thread, source: Arc::new(NoSource) })
    };
    match open(config, create) {
        Ok(Opened::Started(server, thread)) => Some(Participant { server, thread, started: true }),
        Ok(Opened::Joined(server, thread)) => Some(Participant { server, thread, started: false }),
        Ok(Opened::Differs(difference)) => panic!("the options are the same: {difference:?}"),
        Err(OpenError::Bind(error)) => {
            assert_eq!(error.code, "EADDRINUSE");
            None
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// The way in which a thread leaves.
#[derive(Clone, Copy)]
enum Leave {
    /// The thread calls `stop()`.
    Stop,
    /// The thread ends.
    End,
}

/// Counts two calls as a thread of the port, then leaves the port.
fn participate(participant: &Participant, leave: Leave, stopped: &Arc<AtomicU32>) {
    let Participant { server, thread, started } = participant;
    let counter = server.gatherer.counter();
    let calls = Arc::new(Calls::default());
    let mut js = Thread::new(counter, &calls, thread.shard, Cache::Dropped);
    js.count("a");
    js.count("a");
    assert!(counter.calls() >= 2.0, "a page lacks calls");
    match leave {
        Leave::Stop => {
            let stopped = Arc::clone(stopped);
            server.stop(thread, *started, move || {
                stopped.fetch_add(1, Ordering::SeqCst);
            });
        }
        Leave::End => server.end(thread, Duration::from_secs(60)),
    }
    js.close();
    assert!(!server.gatherer.threads().all().iter().any(|other| Arc::ptr_eq(other, thread)));
}

#[test]
fn threads_that_open_and_end_share_one_server_and_leave_the_port_free() {
    check(1000, || {
        let threads: Vec<_> = (0..3)
            .map(|worker| {
                thread::spawn(move || {
                    // The last thread of a server holds the lock of the list of servers until the port is free. So no other
                    // thread finds the port in use.
                    let participant = open_port(Some(worker)).expect("the port is open or free");
                    participate(&participant, Leave::End, &Arc::default());
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        assert!(!listen::is_in_use());
    });
}

#[test]
fn each_stop_calls_back_once_while_other_threads_join_and_end() {
    check(1000, || {
        let stopped = Arc::new(AtomicU32::new(0));
        let opened = Arc::new(AtomicU32::new(0));
        let threads: Vec<_> = (0..3)
            .map(|worker| {
                let (stopped, opened) = (Arc::clone(&stopped), Arc::clone(&opened));
                thread::spawn(move || {
                    let Some(participant) = open_port(Some(worker)) else { return };
                    let leave = if worker == 2 { Leave::End } else { Leave::Stop };
                    if worker != 2 {
                        opened.fetch_add(1, Ordering::SeqCst);
                    }
                    participate(&participant, leave, &stopped);
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        while listen::is_in_use() {
            thread::yield_now();
        }
        // The callbacks run after the port is free.
        while stopped.load(Ordering::SeqCst) < opened.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        assert_eq!(stopped.load(Ordering::SeqCst), opened.load(Ordering::SeqCst));
    });
}

#[test]
fn the_counts_of_threads_that_have_left_stay_on_the_page() {
    check(1000, || {
        let starter = open_port(None).expect("the port is free");
        let calls = Arc::new(Calls::default());
        let gatherer = Arc::clone(&starter.server.gatherer);
        let joining = {
            let calls = Arc::clone(&calls);
            thread::spawn(move || {
                let Participant { server, thread, started } =
                    open_port(Some(1)).expect("the port is open");
                assert!(!started);
                let mut js =
                    Thread::new(server.gatherer.counter(), &calls, thread.shard, Cache::Dropped);
                js.count("a");
                server.end(&thread, Duration::from_secs(60));
                js.close();
            })
        };
        let mut scraper = Scraper::default();
        scraper.scrape(gatherer.counter(), &calls);
        joining.join().expect("no panic");
        scraper.scrape(gatherer.counter(), &calls);
        assert_eq!(gatherer.counter().calls(), 1.0);
        starter.server.end(&starter.thread, Duration::from_secs(60));
        assert!(!listen::is_in_use());
    });
}
