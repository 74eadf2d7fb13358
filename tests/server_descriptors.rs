//! Case 34 of docs/scrape-cases.md: a process without a free file descriptor.
//!
//! The limit applies to a process, so the server runs in a child process of this test executable.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use hypertrace_prometheus::server::Limits;
use support::*;

const SMALL: usize = 20;
const CHILD: &str = "SERVER_WITH_FEW_DESCRIPTORS";

/// In the child process, serves until standard input ends. In the parent, does nothing.
#[test]
fn serve_with_32_descriptors() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(32), maximum: Some(32) }).unwrap();
    let running = start(small(), Limits::default());
    println!("\nlistening on {}", running.address);
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    running.stop();
}

/// Returns the CPU time of a process in ticks of 10 ms.
fn ticks(child: &Child) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn case_34_without_free_descriptors_the_server_pauses_and_recovers() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "serve_with_32_descriptors", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let address = output
        .by_ref()
        .lines()
        .find_map(|line| line.unwrap().strip_prefix("listening on ").map(str::to_owned))
        .expect("the server starts")
        .parse()
        .unwrap();

    let (sender, log) = mpsc::channel();
    let errors = BufReader::new(child.stderr.take().unwrap());
    std::thread::spawn(move || errors.lines().try_for_each(|line| sender.send(line.unwrap())));

    let begin = Instant::now();
    let mut clients: Vec<_> = (0..60).map(|_| Client::connect(address)).collect();
    let before = ticks(&child);
    // Accepted connections are served while the others wait in the backlog.
    let mut lines = Vec::new();
    while lines.len() < 2 {
        clients[0].send(GET);
        clients[0].response().assert_page(SMALL);
        // The log has one line a second.
        lines.extend(log.recv_timeout(Duration::from_millis(100)).ok());
        assert!(begin.elapsed() < TIMEOUT, "{lines:?}");
    }
    // A loop of failing accepts would use all of the time.
    let (used, elapsed) = (ticks(&child) - before, begin.elapsed());
    assert!(u128::from(used) * 10 < elapsed.as_millis() / 2, "{used} ticks in {elapsed:?}");

    // The others are accepted when the first ones close.
    clients.drain(..50);
    clients[9].send(GET);
    clients[9].response().assert_page(SMALL);
    drop(clients);
    let mut client = Client::connect(address);
    client.send(GET);
    client.response().assert_page(SMALL);

    drop(child.stdin.take());
    assert!(child.wait().unwrap().success(), "{lines:?}");
    lines.extend(log);
    let count = lines.iter().filter(|line| line.starts_with("hypertrace-prometheus: ")).count();
    let most = usize::try_from(begin.elapsed().as_secs()).unwrap() + 2;
    assert!((2..=most).contains(&count), "{lines:?}");
}
