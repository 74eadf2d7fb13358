//! The rendezvous of the processes of one user: they can find the opener of a port, and no process of another
//! user can act as the opener.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use ring::rand::{SecureRandom as _, SystemRandom};

#[cfg(unix)]
pub use self::unix::{Candidate, Rendezvous, find, folders, remove_stale};
#[cfg(windows)]
pub use self::windows::{Candidate, Rendezvous, find, folders, remove_stale};

/// The start of the name of each opener.
const PREFIX: &str = "hypertrace-";

/// A file or folder that has not changed for this time is not being made by another process.
const UNFINISHED: Duration = Duration::from_secs(60);

/// Returns a new name, which cannot be predicted, for the opener of a port. `number` is that of the opener.
fn new_name(port: u16, number: u32) -> io::Result<String> {
    let mut random = [0; 8];
    SystemRandom::new().fill(&mut random).map_err(|_| io::Error::other("no random numbers"))?;
    Ok(format!("{PREFIX}{port}-{number}-{:016x}", u64::from_le_bytes(random)))
}

/// Returns the number in the name of an opener of this port; `None` for any other name.
fn number_of(name: &str, port: u16) -> Option<u32> {
    let (of, rest) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let (number, random) = rest.split_once('-')?;
    let is_name = of.parse() == Ok(port)
        && random.len() == 16
        && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    number.parse().ok().filter(|&number| is_name && number != 0)
}

/// Lists the paths of the openers of this port in a folder, and the numbers of the openers.
fn names(folder: &Path, port: u16) -> Vec<(PathBuf, u32)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let entry = |entry: io::Result<fs::DirEntry>| {
        let entry = entry.ok()?;
        let number = number_of(entry.file_name().to_str()?, port)?;
        Some((entry.path(), number))
    };
    entries.filter_map(entry).collect()
}

/// Returns whether a name is that of an opener of any port, whether its folder is finished or not.
fn is_name(name: &str) -> bool {
    let name = name.strip_prefix('.').unwrap_or(name);
    let port = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse().ok());
    port.is_some_and(|port| number_of(name, port).is_some())
}

/// Returns whether a file or folder has not changed for [`UNFINISHED`].
fn is_old(entry: &fs::DirEntry) -> bool {
    let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
    modified.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > UNFINISHED)
}

#[cfg(test)]
mod tests;
