//! Opens a port, or joins the process that has opened it, whichever is possible first.

use std::{fmt, future::Future, io, net, time::Duration};

use tokio::{
    io::AsyncWriteExt as _,
    runtime::Runtime,
    time::{Instant, sleep, timeout},
};

use super::{
    VERSION,
    connection::{BoxSocket, FrameReader},
    options::{ClusterOptions, brief},
    protocol::{Hello, MAX_FRAME, ToMember, ToOpener},
    rendezvous::{Candidate, Rendezvous, find, folders, remove_stale},
};
use crate::server::listen::BindError;

/// The time for which a process tries to get a port whose opener it has found. The opener may be about to
/// end, or may have just started.
const FOUND_LIMIT: Duration = Duration::from_secs(5);

/// The time for which a process tries to get a port that is in use and has no opener. On a machine that is
/// not busy, an opener can be found less than a millisecond after it has bound the port.
const UNFOUND_LIMIT: Duration = Duration::from_millis(500);

/// The time for which a process waits for the response of an opener. The opener itself may wait for the
/// members of the previous opener.
const JOIN_LIMIT: Duration = Duration::from_secs(3);

/// The first and the longest pause between two attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(20)];

/// The longest pause between two attempts of a member whose opener has ended.
const LONG_PAUSE: Duration = Duration::from_millis(200);

/// The role of a process.
pub enum Role {
    /// The process has opened the port.
    Opener(Opener),
    /// The process has joined the opener.
    Member(Membership),
}

/// The state of a process that has opened the port.
pub struct Opener {
    /// The listeners.
    pub listeners: Vec<net::TcpListener>,
    /// The rendezvous with members; `None` if there is no folder for it any more.
    pub rendezvous: Option<Rendezvous>,
    /// The number of this process.
    pub number: u32,
    /// `true` if there was a previous opener, whose members may join this one.
    pub has_predecessor: bool,
}

/// A connection to the opener.
pub struct Membership {
    /// The connection.
    pub socket: BoxSocket,
    /// Bytes that were read from the connection and belong to the next frames.
    pub read: Vec<u8>,
    /// The number of this process.
    pub number: u32,
}

/// The reason why a port was neither opened nor joined.
#[derive(Debug)]
pub enum EnterError {
    /// The address cannot be listened on.
    Bind(BindError),
    /// An option differs from the opener's, which has this value.
    Differs(String, String),
    /// There is no folder in which processes can find each other.
    Folder(io::Error),
}

/// Opens or joins a port. Blocks the calling thread for at most some seconds. The sockets of the result
/// belong to the runtime.
///
/// # Errors
///
/// If neither is possible. Nothing stays open.
pub fn enter(runtime: &Runtime, options: &mut ClusterOptions) -> Result<Role, EnterError> {
    runtime.block_on(async {
        options.folders = folders();
        let begin = Instant::now();
        let mut pauses = Pauses::new(PAUSES[1]);
        let mut has_found = false;
        loop {
            let error = match attempt(options, None).await {
                Ok(role) => return Ok(role),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::InUse { error, found }) => {
                    has_found |= found;
                    error
                }
            };
            let limit = if has_found { FOUND_LIMIT } else { UNFOUND_LIMIT };
            if begin.elapsed() >= limit {
                return Err(EnterError::Bind(error));
            }
            pauses.pause().await;
        }
    })
}

/// Opens or joins a port again, after its opener has ended. Tries until it has succeeded. If this takes long,
/// calls `report` once with the reason.
pub async fn enter_again(
    options: &mut ClusterOptions,
    number: u32,
    report: impl FnOnce(&EnterError),
) -> Role {
    let begin = Instant::now();
    let mut pauses = Pauses::new(LONG_PAUSE);
    let mut report = Some(report);
    loop {
        let error = match attempt(options, Some(number)).await {
            Ok(role) => return role,
            Err(Failure::Final(error)) => error,
            Err(Failure::InUse { error, .. }) => EnterError::Bind(error),
        };
        if begin.elapsed() >= FOUND_LIMIT
            && let Some(report) = report.take()
        {
            report(&error);
        }
        pauses.pause().await;
    }
}

/// Pauses between attempts, each twice as long as the one before.
struct Pauses {
    next: Duration,
    longest: Duration,
}

impl Pauses {
    fn new(longest: Duration) -> Self {
        Self { next: PAUSES[0], longest }
    }

    async fn pause(&mut self) {
        sleep(self.next).await;
        self.next = (2 * self.next).min(self.longest);
    }
}

enum Failure {
    /// Another attempt would fail too.
    Final(EnterError),
    /// The port is in use. `found`: there is the name of an opener, which may be about to end.
    InUse { error: BindError, found: bool },
}

async fn attempt(options: &mut ClusterOptions, number: Option<u32>) -> Result<Role, Failure> {
    let error = match options.target.bind() {
        Ok(listeners) => return open(options, listeners, number).map(Role::Opener),
        Err(error) if error.code == "EADDRINUSE" && options.port != 0 => error,
        Err(error) => return Err(Failure::Final(EnterError::Bind(error))),
    };
    let candidates = find(&options.folders, options.port);
    let found = !candidates.is_empty();
    let mut difference = None;
    for candidate in candidates {
        match join(&candidate, options, number).await {
            Ok(Joining::Joined(membership)) => return Ok(Role::Member(membership)),
            Ok(Joining::Differs(option, value)) => {
                // An opener in another network, such as that of another container, does not have this port.
                if option != NETWORK {
                    difference = Some((option, value));
                }
            }
            Err(_) => {}
        }
    }
    match difference {
        Some((option, value)) => Err(Failure::Final(EnterError::Differs(option, value))),
        None => Err(Failure::InUse { error, found }),
    }
}

/// The shared option that identifies the network of a process.
pub const NETWORK: &str = "network";

fn open(
    options: &mut ClusterOptions,
    listeners: Vec<net::TcpListener>,
    number: Option<u32>,
) -> Result<Opener, Failure> {
    if let Some(Ok(address)) = listeners.first().map(net::TcpListener::local_addr) {
        options.port = address.port();
    }
    // A process that has never had a number takes that of the previous opener, which has ended or is about
    // to end. That number is free; the numbers of its members are not.
    let previous = find(&options.folders, options.port);
    let free = previous.iter().map(Candidate::number).min();
    let own = number.or(free).unwrap_or(1);
    let rendezvous = match Rendezvous::publish(&options.folders, options.port, own) {
        Ok(rendezvous) => Some(rendezvous),
        // A member that takes over must serve the port in any case.
        Err(_) if number.is_some() => None,
        Err(error) => return Err(Failure::Final(EnterError::Folder(error))),
    };
    remove_stale(&options.folders, options.port);
    let has_predecessor = number.is_some() || !previous.is_empty();
    Ok(Opener { listeners, rendezvous, number: own, has_predecessor })
}

enum Joining {
    Joined(Membership),
    Differs(String, String),
}

async fn join(
    candidate: &Candidate,
    options: &ClusterOptions,
    number: Option<u32>,
) -> io::Result<Joining> {
    within(JOIN_LIMIT, async {
        let mut socket = candidate.connect().await?;
        let hello = Hello { version: VERSION.to_owned(), number, options: brief(&options.shared) };
        socket.write_all(&ToOpener::Hello(hello).encode()).await?;
        let mut frames = FrameReader::new(socket, MAX_FRAME);
        let frame = frames.next().await?;
        match ToMember::decode(&frame) {
            Ok(ToMember::Welcome(number)) => {
                let (socket, read) = frames.into_parts();
                Ok(Joining::Joined(Membership { socket, read, number }))
            }
            Ok(ToMember::Differs { option, value }) => Ok(Joining::Differs(option, value)),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    })
    .await
}

async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

impl fmt::Display for EnterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(error) => error.fmt(f),
            Self::Differs(option, value) => {
                write!(
                    f,
                    "the process that serves the port has {option} {value}, and this process does not"
                )
            }
            Self::Folder(error) => write!(f, "no folder for the socket of the port: {error}"),
        }
    }
}
