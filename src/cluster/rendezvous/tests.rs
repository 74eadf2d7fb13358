//! Names, and meetings in a folder, with the sockets of this system.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::SystemTime,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::*;

const LIMIT: Duration = Duration::from_secs(20);
const PORT: u16 = 4343;

#[test]
fn a_name_has_the_number_and_is_a_new_one_each_time() {
    let names = [new_name(PORT, 12).unwrap(), new_name(PORT, 12).unwrap()];
    assert_ne!(names[0], names[1]);
    for name in names {
        assert_eq!(number_of(&name, PORT), Some(12));
        assert_eq!(number_of(&name, 434), None);
        assert_eq!(number_of(&name[1..], PORT), None);
        assert_eq!(number_of(&format!("{name}0"), PORT), None);
    }
    assert_eq!(number_of("hypertrace-4343-0-0123456789abcdef", PORT), None);
    assert_eq!(number_of("hypertrace-4343-1-0123456789abcdeg", PORT), None);
    assert_eq!(number_of("hypertrace-4343-1", PORT), None);
}

#[test]
fn a_name_at_any_port_is_one_and_others_are_not() {
    for name in ["hypertrace-1-2-0123456789abcdef", ".hypertrace-65535-1-0123456789abcdef"] {
        assert!(is_name(name), "{name}");
    }
    for name in [
        "hypertrace-65536-1-0123456789abcdef",
        "hypertrace-1-0123456789abcdef",
        "hypertrace-of-somebody",
        "",
    ] {
        assert!(!is_name(name), "{name}");
    }
}

/// A folder of one test, in which a user can meet.
struct Folder([PathBuf; 1]);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("rendezvous-{}-{next}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self([folder])
    }

    fn names(&self) -> Vec<PathBuf> {
        fs::read_dir(&self.0[0]).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    fn publish(&self, port: u16, number: u32) -> Rendezvous {
        Rendezvous::publish(&self.0, port, number).unwrap()
    }

    /// Leaves the name of an opener that was killed.
    fn leave(&self, port: u16, number: u32) {
        let mut rendezvous = self.publish(port, number);
        rendezvous.set_stays(true);
    }

    fn find(&self, port: u16) -> Vec<u32> {
        let mut numbers: Vec<_> = find(&self.0, port).iter().map(Candidate::number).collect();
        numbers.sort_unstable();
        numbers
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0[0]);
    }
}

#[tokio::test]
async fn processes_meet_until_the_opener_refuses() {
    let folder = Folder::new();
    let mut rendezvous = folder.publish(PORT, 7);
    assert_eq!(folder.find(PORT), [7]);
    assert!(folder.find(PORT + 1).is_empty());
    for candidate in find(&folder.0, PORT) {
        assert!(!candidate.is_stale());
        let meeting = async {
            let (joined, accepted) = tokio::join!(candidate.connect(), rendezvous.accept());
            (joined.unwrap(), accepted.unwrap())
        };
        // The first accepted connection may be that of `is_stale`.
        let (mut joined, mut accepted) = timeout(LIMIT, meeting).await.expect("in time");
        joined.write_all(b"hello").await.unwrap();
        let mut received = Vec::new();
        while received.is_empty() {
            if accepted.read_buf(&mut received).await.unwrap() == 0 {
                accepted = timeout(LIMIT, rendezvous.accept()).await.expect("in time").unwrap();
            }
        }
        assert_eq!(received, b"hello");
        accepted.write_all(b"welcome").await.unwrap();
        let mut answer = [0; 7];
        timeout(LIMIT, joined.read_exact(&mut answer)).await.expect("in time").unwrap();
        assert_eq!(&answer, b"welcome");

        rendezvous.close();
        assert!(candidate.connect().await.is_err(), "nobody joins an opener that ends");
        assert!(candidate.is_stale(), "although a member is connected");
        assert_eq!(folder.find(PORT), [7], "its name stays");
    }
    drop(rendezvous);
    assert!(folder.names().is_empty());
}

#[tokio::test]
async fn many_processes_connect_at_once() {
    const PROCESSES: usize = 40;
    let folder = Folder::new();
    let mut rendezvous = folder.publish(PORT, 1);
    let candidates: Vec<_> = (0..PROCESSES).flat_map(|_| find(&folder.0, PORT)).collect();
    assert_eq!(candidates.len(), PROCESSES);
    let connecting = futures_util::future::join_all(candidates.iter().map(|candidate| async {
        // As `contend` does, if the system has no queue of connections.
        loop {
            match candidate.connect().await {
                Ok(socket) => return socket,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }));
    let accepting = async {
        let mut accepted = Vec::new();
        while accepted.len() < PROCESSES {
            accepted.push(rendezvous.accept().await.unwrap());
        }
        accepted
    };
    let (connected, accepted) =
        timeout(LIMIT, async { tokio::join!(connecting, accepting) }).await.expect("in time");
    assert_eq!([connected.len(), accepted.len()], [PROCESSES; 2]);
}

#[tokio::test]
async fn the_names_of_killed_openers_are_removed_and_those_of_living_ones_are_not() {
    let folder = Folder::new();
    folder.leave(PORT, 1);
    let living = folder.publish(PORT, 2);
    assert_eq!(folder.find(PORT), [1, 2]);
    remove_stale(&folder.0, PORT);
    assert_eq!(folder.find(PORT), [2]);
    drop(living);
    assert!(folder.find(PORT).is_empty());
}

#[tokio::test]
async fn the_names_at_other_ports_are_removed_when_they_are_old() {
    let folder = Folder::new();
    folder.leave(1, 1);
    let living = folder.publish(2, 1);
    fs::write(folder.0[0].join("hypertrace-of-somebody"), []).unwrap();
    remove_stale(&folder.0, PORT);
    assert_eq!(folder.names().len(), 3, "they may be new");
    for name in folder.names() {
        set_age(&name, 2 * UNFINISHED);
    }
    remove_stale(&folder.0, PORT);
    assert_eq!([folder.find(1), folder.find(2)], [vec![], vec![1]]);
    assert_eq!(folder.names().len(), 2);
    drop(living);
}

/// Sets the time of the last change of a file or folder.
fn set_age(path: &Path, age: Duration) {
    let mut options = fs::OpenOptions::new();
    #[cfg(unix)]
    options.read(true);
    #[cfg(windows)]
    options.write(true);
    let file = options.open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

#[tokio::test]
async fn a_second_folder_is_used_if_the_first_cannot_hold_a_name() {
    let folder = Folder::new();
    let file = folder.0[0].join("file");
    fs::write(&file, []).unwrap();
    let folders = [file, folder.0[0].clone()];
    let rendezvous = Rendezvous::publish(&folders, PORT, 3).unwrap();
    assert_eq!(folder.find(PORT), [3]);
    drop(rendezvous);
    assert!(Rendezvous::publish(&folders[..1], PORT, 3).is_err());
    assert!(Rendezvous::publish(&[], PORT, 3).is_err());
}
