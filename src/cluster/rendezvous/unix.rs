//! A Unix socket in a folder of its own, which only this user can enter.
//!
//! The folder is made under a name that cannot be predicted, with mode 0700, in a folder where other users
//! cannot rename it. It gets its final name when the socket accepts connections. So if a process finds the
//! name but its connection is refused, the opener has ended.

use std::{
    fs::{self, DirBuilder, Metadata},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{UnixListener, UnixStream};

use super::{is_name, is_old, names, new_name};
use crate::cluster::connection::BoxSocket;

/// The name of the socket in its folder.
const SOCKET: &str = "s";

/// Returns the folders in which processes of this user can find each other, in the order of preference. Reads
/// environment variables, which only the JavaScript thread changes, so it must be called on this thread. Must
/// be called in the context of a runtime.
pub fn folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    folders.extend(std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from));
    if let Ok(user) = own_user()
        && cfg!(target_os = "linux")
    {
        folders.push(PathBuf::from(format!("/run/user/{user}")));
    }
    folders.push(std::env::temp_dir());
    folders.push(PathBuf::from("/tmp"));
    folders.retain(|folder| folder.is_absolute());
    let mut seen = Vec::new();
    folders.retain(|folder| {
        let is_new = !seen.contains(folder);
        seen.push(folder.clone());
        is_new
    });
    folders
}

/// Returns the effective user of this process, which is the user of a socket that it has made.
fn own_user() -> io::Result<u32> {
    let (one, _other) = UnixStream::pair()?;
    user_of(&one)
}

/// Returns the user of the process at the other end.
fn user_of(stream: &UnixStream) -> io::Result<u32> {
    stream.peer_cred().map(|credentials| credentials.uid())
}

/// Returns whether other users, except root, cannot rename the folders of this user in a folder.
fn is_safe(folder: &Path, user: u32) -> bool {
    fs::metadata(folder).is_ok_and(|metadata: Metadata| {
        let mode = metadata.mode();
        let is_sticky = mode & 0o1000 != 0;
        metadata.is_dir()
            && (metadata.uid() == user || metadata.uid() == 0)
            && (is_sticky || mode & 0o022 == 0)
    })
}

/// Returns whether only this user can enter a folder, and it is not a link.
fn is_own(folder: &Path, user: u32) -> bool {
    fs::symlink_metadata(folder).is_ok_and(|metadata| {
        metadata.is_dir() && metadata.uid() == user && metadata.mode() & 0o777 == 0o700
    })
}

/// The socket of an opener. It is removed when this value is dropped, unless the next opener must find its
/// name.
pub struct Rendezvous {
    /// `None` when connections are refused.
    listener: Option<UnixListener>,
    user: u32,
    folder: PathBuf,
    stays: bool,
}

impl Rendezvous {
    /// Makes a socket that other processes of this user can find.
    ///
    /// # Errors
    ///
    /// If none of the folders can contain a socket.
    pub fn publish(folders: &[PathBuf], port: u16, number: u32) -> io::Result<Self> {
        let user = own_user()?;
        let mut result = Err(io::Error::new(io::ErrorKind::NotFound, "no safe folder"));
        for parent in folders.iter().filter(|parent| is_safe(parent, user)) {
            result = Self::publish_in(parent, user, &new_name(port, number)?);
            if result.is_ok() {
                break;
            }
        }
        result
    }

    fn publish_in(parent: &Path, user: u32, name: &str) -> io::Result<Self> {
        let unfinished = parent.join(format!(".{name}"));
        DirBuilder::new().mode(0o700).create(&unfinished)?;
        let finish = || {
            if !is_own(&unfinished, user) {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            let listener = UnixListener::bind(unfinished.join(SOCKET))?;
            let folder = parent.join(name);
            fs::rename(&unfinished, &folder)?;
            Ok(Self { listener: Some(listener), user, folder, stays: false })
        };
        finish().inspect_err(|_| remove(&unfinished))
    }

    /// Accepts the next connection of a process of this user.
    ///
    /// # Errors
    ///
    /// If the system cannot accept a connection.
    pub async fn accept(&mut self) -> io::Result<BoxSocket> {
        let Some(listener) = &self.listener else { return std::future::pending().await };
        loop {
            let (stream, _) = listener.accept().await?;
            if user_of(&stream).is_ok_and(|user| user == self.user) {
                return Ok(Box::new(stream));
            }
        }
    }

    /// Refuses connections from now on.
    pub fn close(&mut self) {
        self.listener = None;
    }

    /// Sets whether the name stays. From the name, the next opener knows that there may be members.
    pub fn set_stays(&mut self, stays: bool) {
        self.stays = stays;
    }
}

impl Drop for Rendezvous {
    fn drop(&mut self) {
        if !self.stays {
            remove(&self.folder);
        }
    }
}

/// The name of an opener, which may have ended.
pub struct Candidate {
    folder: PathBuf,
    user: u32,
    number: u32,
}

impl Candidate {
    /// Returns the number of the opener.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Connects to the opener.
    ///
    /// # Errors
    ///
    /// If the opener has ended, or is a process of another user.
    pub async fn connect(&self) -> io::Result<BoxSocket> {
        let stream = UnixStream::connect(self.folder.join(SOCKET)).await?;
        if user_of(&stream)? != self.user {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(Box::new(stream))
    }

    /// Returns whether the opener has ended.
    pub fn is_stale(&self) -> bool {
        use io::ErrorKind::{ConnectionRefused, NotFound};
        let connect = || {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            // If the opener is suspended and its queue is full, a blocking connection would wait.
            socket.set_nonblocking(true)?;
            socket.connect(&SockAddr::unix(self.folder.join(SOCKET))?)
        };
        connect().is_err_and(|error| matches!(error.kind(), ConnectionRefused | NotFound))
    }
}

/// Finds the openers of a port.
pub fn find(folders: &[PathBuf], port: u16) -> Vec<Candidate> {
    let Ok(user) = own_user() else { return Vec::new() };
    let all = folders.iter().filter(|folder| is_safe(folder, user)).flat_map(|f| names(f, port));
    all.filter(|(folder, _)| is_own(folder, user))
        .map(|(folder, number)| Candidate { folder, user, number })
        .collect()
}

/// Removes the names of openers of a port that have ended. Removes the old names of other ports too, which
/// remain after crashes.
pub fn remove_stale(folders: &[PathBuf], port: u16) {
    for candidate in find(folders, port).iter().filter(|candidate| candidate.is_stale()) {
        remove(&candidate.folder);
    }
    let Ok(user) = own_user() else { return };
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    for entry in entries {
        let folder = entry.path();
        let is_ours = entry.file_name().to_str().is_some_and(is_name) && is_own(&folder, user);
        if is_ours && is_old(&entry) {
            let candidate = Candidate { folder, user, number: 0 };
            if candidate.is_stale() {
                remove(&candidate.folder);
            }
        }
    }
}

/// Removes a folder and its socket, and nothing else.
fn remove(folder: &Path) {
    let _ = fs::remove_file(folder.join(SOCKET));
    let _ = fs::remove_dir(folder);
}
