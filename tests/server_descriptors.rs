//! Case 34 of docs/scrape-cases.md: a process without a free file descriptor.
//!
//! The limit applies to a process, so the server runs in a child process of this test executable.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Instant,
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

/// Returns whether the server's thread sleeps at this moment.
fn server_sleeps(child: &Child) -> bool {
    let stat = fs::read_dir(format!("/proc/{}/task", child.id()))
        .unwrap()
        .map(|task| fs::read_to_string(task.unwrap().path().join("stat")).unwrap())
        .find(|stat| stat.contains("(hypertrace-http)"))
        .expect("the server's thread");
    stat.rsplit_once(") ").unwrap().1.starts_with('S')
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

    let (sender, logged) = mpsc::channel();
    let log = BufReader::new(child.stderr.take().unwrap());
    thread::spawn(move || log.lines().map_while(Result::ok).try_for_each(|row| sender.send(row)));

    let begin = Instant::now();
    let mut clients: Vec<_> = (0..60).map(|_| Client::connect(address)).collect();
    let mut rows = vec![logged.recv_timeout(TIMEOUT).expect("a line about the failure")];
    // The server serves the accepted connections, and sleeps between requests although others wait.
    for _ in 0..20 {
        clients[0].send(GET);
        clients[0].response().assert_page(SMALL);
        eventually("the server sleeps", || server_sleeps(&child));
    }

    // The last connections are accepted when the first are closed.
    clients.drain(..50);
    clients[9].send(GET);
    clients[9].response().assert_page(SMALL);
    drop(clients);
    let mut client = Client::connect(address);
    client.send(GET);
    client.response().assert_page(SMALL);

    drop(child.stdin.take());
    rows.extend(logged);
    let output = rows.join("\n");
    assert!(child.wait().unwrap().success(), "{output}");
    let lines = rows.iter().filter(|row| row.starts_with("hypertrace-prometheus: ")).count();
    let most = usize::try_from(begin.elapsed().as_secs()).unwrap() + 2;
    assert!((1..=most).contains(&lines), "{output}");
}
