//! A named pipe that only this user can open, under a name that nobody knows in advance.
//!
//! A file in the profile of the user, which no other user can write, has the same name as the pipe. The opener
//! creates the file when the pipe accepts connections, and writes into the file when the pipe no longer accepts
//! any. If there is a file but no pipe, or the file is not empty, the opener has ended or ends.
//!
//! Another user can list the names of pipes, and can take the name of an opener that was killed. So both sides
//! compare users, as on Unix: the opener by the access rights of the pipe, the others by the owner of the pipe.

mod user;

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use futures_util::future::select_all;
use tokio::net::windows::named_pipe::{
    ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions,
};
use windows_sys::Win32::Foundation::ERROR_PIPE_BUSY;

use self::user::User;
use super::{is_name, is_old, names, new_name};
use crate::cluster::connection::BoxSocket;

/// The folder of the names, in that of the user's local data.
const FOLDER: &str = "hypertrace-prometheus";

/// The content of the file of an opener that ends.
const CLOSED: &[u8] = b"closed";

/// The number of instances of a pipe that wait for a connection. Windows has no queue of connections: a
/// connection fails if no instance waits.
const LISTENING: usize = 8;

/// Returns the folders in which processes of this user may meet, the best first. Reads the environment, which
/// the JavaScript thread may change.
pub fn folders() -> Vec<PathBuf> {
    let data = std::env::var_os("LOCALAPPDATA").map(PathBuf::from);
    // A child whose environment the application has set may lack this variable: Node.js adds only the variable
    // of the profile.
    let profile = std::env::home_dir().map(|profile| profile.join("AppData").join("Local"));
    let mut folders: Vec<_> = data.into_iter().chain(profile).collect();
    folders.retain(|folder| folder.is_absolute());
    folders.dedup();
    folders.into_iter().map(|folder| folder.join(FOLDER)).collect()
}

/// The pipe of an opener. The drop removes the file, unless the file must stay as a sign to the next opener.
pub struct Rendezvous {
    user: User,
    pipe: String,
    /// Instances that wait for a connection.
    listening: Vec<NamedPipeServer>,
    is_closed: bool,
    file: PathBuf,
    stays: bool,
}

impl Rendezvous {
    /// Makes a pipe that others can find.
    ///
    /// # Errors
    ///
    /// If none of the folders can hold its name.
    pub fn publish(folders: &[PathBuf], port: u16, number: u32) -> io::Result<Self> {
        let user = User::own()?;
        let mut result = Err(io::Error::new(io::ErrorKind::NotFound, "LOCALAPPDATA is not set"));
        for folder in folders {
            result = Self::publish_in(folder, user.clone(), &new_name(port, number)?);
            if result.is_ok() {
                break;
            }
        }
        result
    }

    fn publish_in(folder: &Path, user: User, name: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let pipe = pipe_of(name);
        let first = user.create_pipe(ServerOptions::new().first_pipe_instance(true), &pipe)?;
        let file = folder.join(name);
        let listening = vec![first];
        let mut rendezvous = Self { user, pipe, listening, is_closed: false, file, stays: false };
        rendezvous.listen()?;
        fs::write(&rendezvous.file, [])?;
        Ok(rendezvous)
    }

    /// Adds instances until enough of them wait. Returns an error only if none waits.
    fn listen(&mut self) -> io::Result<()> {
        while self.listening.len() < LISTENING {
            match self.user.create_pipe(&ServerOptions::new(), &self.pipe) {
                Ok(instance) => self.listening.push(instance),
                Err(error) if self.listening.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Accepts the next connection. Its client is of this user.
    ///
    /// # Errors
    ///
    /// If the system refuses it.
    pub async fn accept(&mut self) -> io::Result<BoxSocket> {
        if self.is_closed {
            return std::future::pending().await;
        }
        self.listen()?;
        let connections = self.listening.iter().map(|instance| Box::pin(instance.connect()));
        let (connected, index, _) = select_all(connections).await;
        let instance = self.listening.swap_remove(index);
        connected?;
        Ok(Box::new(instance))
    }

    /// Refuses connections from now on. The pipe exists and is busy as long as members are connected; the pipe of
    /// an opener with many members is busy too. So the file shows the difference.
    pub fn close(&mut self) {
        self.is_closed = true;
        // Not `fs::write`, which creates a file.
        let file = fs::OpenOptions::new().write(true).open(&self.file);
        let _ = file.and_then(|mut file| file.write_all(CLOSED));
        self.listening.clear();
    }

    /// Sets whether the name stays: the next opener then sees that there may be members of this one.
    pub fn set_stays(&mut self, stays: bool) {
        self.stays = stays;
    }
}

impl Drop for Rendezvous {
    fn drop(&mut self) {
        if !self.stays {
            let _ = fs::remove_file(&self.file);
        }
    }
}

/// The name of an opener, which may have ended.
pub struct Candidate {
    file: PathBuf,
    pipe: String,
    user: User,
    number: u32,
}

impl Candidate {
    fn new(file: PathBuf, user: &User, number: u32) -> Option<Self> {
        let pipe = pipe_of(file.file_name()?.to_str()?);
        Some(Self { file, pipe, user: user.clone(), number })
    }

    /// Returns the number of the opener.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Connects to the opener.
    ///
    /// # Errors
    ///
    /// If the opener ends or has ended, the pipe is busy, or it is a pipe of another user.
    pub async fn connect(&self) -> io::Result<BoxSocket> {
        // A future, as on other systems.
        std::future::ready(()).await;
        Ok(Box::new(self.open()?))
    }

    /// Returns whether the opener ends or has ended. Needs a runtime.
    pub fn is_stale(&self) -> bool {
        self.open().is_err_and(|error| error.raw_os_error() != Some(ERROR_PIPE_BUSY.cast_signed()))
    }

    /// Opens the pipe. The process at the other end cannot act as this user, and nothing is written to the pipe
    /// before its owner is compared.
    fn open(&self) -> io::Result<NamedPipeClient> {
        if fs::metadata(&self.file)?.len() > 0 {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let pipe = ClientOptions::new().open(&self.pipe)?;
        if self.user.owns(&pipe)? { Ok(pipe) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

fn pipe_of(name: &str) -> String {
    format!(r"\\.\pipe\{name}")
}

/// Finds the openers of a port.
pub fn find(folders: &[PathBuf], port: u16) -> Vec<Candidate> {
    let Ok(user) = User::own() else { return Vec::new() };
    let all = folders.iter().flat_map(|folder| names(folder, port));
    all.filter_map(|(file, number)| Candidate::new(file, &user, number)).collect()
}

/// Removes the names of openers of a port that have ended, and old names of other ports, which crashes
/// have left. Needs a runtime.
pub fn remove_stale(folders: &[PathBuf], port: u16) {
    for candidate in find(folders, port).iter().filter(|candidate| candidate.is_stale()) {
        let _ = fs::remove_file(&candidate.file);
    }
    let Ok(user) = User::own() else { return };
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    for entry in entries {
        if entry.file_name().to_str().is_some_and(is_name)
            && is_old(&entry)
            && let Some(candidate) = Candidate::new(entry.path(), &user, 0)
            && candidate.is_stale()
        {
            let _ = fs::remove_file(&candidate.file);
        }
    }
}
