//! A named pipe, whose name is in a file of the user's profile, which no other user can write.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeServer, ServerOptions};

use super::{names, new_name};
use crate::cluster::connection::BoxSocket;

/// `ERROR_PIPE_BUSY`: all instances of the pipe are connected.
const BUSY: i32 = 231;

/// The folders in which processes of this user may meet. Reads the environment, so it must run on the thread
/// that calls.
pub fn folders() -> Vec<PathBuf> {
    let profile = std::env::var_os("LOCALAPPDATA").map(PathBuf::from);
    profile.into_iter().map(|profile| profile.join("hypertrace-prometheus")).collect()
}

/// The pipe of an opener. Its drop removes its name, unless that must stay as a sign to the next opener.
pub struct Rendezvous {
    /// `None`: the pipe does not exist any more.
    next: Option<NamedPipeServer>,
    pipe: String,
    file: PathBuf,
    stays: bool,
}

impl Rendezvous {
    /// Makes a pipe that others can find.
    ///
    /// # Errors
    ///
    /// If the profile cannot hold its name.
    pub fn publish(folders: &[PathBuf], port: u16, number: u32) -> io::Result<Self> {
        let folder = folders
            .first()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "LOCALAPPDATA is not set"))?;
        fs::create_dir_all(folder)?;
        let name = new_name(port, number)?;
        let pipe = pipe_of(&name);
        let next = ServerOptions::new().first_pipe_instance(true).create(&pipe)?;
        let file = folder.join(name);
        fs::write(&file, [])?;
        Ok(Self { next: Some(next), pipe, file, stays: false })
    }

    /// Accepts the next connection. The default access of a pipe admits the writes of this user only.
    ///
    /// # Errors
    ///
    /// If the system refuses it.
    pub async fn accept(&mut self) -> io::Result<BoxSocket> {
        let Some(next) = &self.next else { return std::future::pending().await };
        next.connect().await?;
        let next = ServerOptions::new().create(&self.pipe)?;
        match self.next.replace(next) {
            Some(connected) => Ok(Box::new(connected)),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Refuses connections from now on.
    pub fn close(&mut self) {
        self.next = None;
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
    /// If the opener has ended.
    pub async fn connect(&self) -> io::Result<BoxSocket> {
        // A future, as on other systems.
        std::future::ready(()).await;
        Ok(Box::new(ClientOptions::new().open(&self.pipe)?))
    }

    /// Returns whether the opener has ended.
    pub fn is_stale(&self) -> bool {
        match fs::OpenOptions::new().read(true).write(true).open(&self.pipe) {
            Ok(_) => false,
            Err(error) => error.raw_os_error() != Some(BUSY),
        }
    }
}

fn pipe_of(name: &str) -> String {
    format!(r"\\.\pipe\{name}")
}

/// Finds the openers of a port.
pub fn find(folders: &[PathBuf], port: u16) -> Vec<Candidate> {
    let candidate = |(file, number): (PathBuf, u32)| {
        let pipe = pipe_of(file.file_name()?.to_str()?);
        Some(Candidate { file, pipe, number })
    };
    folders
        .iter()
        .flat_map(|folder: &PathBuf| names(folder as &Path, port))
        .filter_map(candidate)
        .collect()
}

/// Removes the names of openers of a port that have ended.
pub fn remove_stale(folders: &[PathBuf], port: u16) {
    for candidate in find(folders, port).iter().filter(|candidate| candidate.is_stale()) {
        let _ = fs::remove_file(&candidate.file);
    }
}
