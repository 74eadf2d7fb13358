//! Case 34 of the project's table: a process that has no file descriptor left.
//!
//! The limit is a process's, so that the server is in a process of its own: this file's, started
//! again.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use hypertrace_prometheus::server::Limits;
use support::*;

const SMALL: usize = 20;
const CHILD: &str = "SERVER_WITH_FEW_DESCRIPTORS";

/// In the child: serves until its input ends. Elsewhere it has nothing to do.
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

/// Processor time of a process, in ticks of 10 ms.
fn ticks(child: &Child) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn case_34_without_descriptors_the_server_waits_quietly_and_recovers() {
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
        .find_map(|row| row.unwrap().strip_prefix("listening on ").map(str::to_owned))
        .expect("the server starts")
        .parse()
        .unwrap();

    let begin = Instant::now();
    let mut clients: Vec<_> = (0..60).map(|_| Client::connect(address)).collect();
    let before = ticks(&child);
    // Those that were accepted are served while the others wait.
    for _ in 0..20 {
        clients[0].send(GET);
        clients[0].answer().assert_page(SMALL);
        std::thread::sleep(Duration::from_millis(60));
    }
    let used = ticks(&child) - before;
    assert!(used < 60, "{used} ticks in {:?}", begin.elapsed());

    // The last ones' turn comes when the first ones go.
    clients.drain(..50);
    clients[9].send(GET);
    clients[9].answer().assert_page(SMALL);
    drop(clients);
    let mut client = Client::connect(address);
    client.send(GET);
    client.answer().assert_page(SMALL);

    drop(child.stdin.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    let rows = said.lines().filter(|row| row.starts_with("hypertrace-prometheus: ")).count();
    let most = usize::try_from(begin.elapsed().as_secs()).unwrap() + 2;
    assert!((1..=most).contains(&rows), "{said}");
}
