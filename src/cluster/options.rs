//! The options of a port that is shared. Pure.

use std::path::PathBuf;

use crate::server::listen::Target;

/// Options that must be equal in all threads and processes that share a port: their names, and their values
/// in a canonical form.
pub type SharedOptions = Vec<(String, String)>;

/// Returns the first option of `ours` whose value differs in `theirs`, with its value in `ours`.
#[must_use]
pub fn differing(ours: &SharedOptions, theirs: &SharedOptions) -> Option<(String, String)> {
    let differs = |(name, value): &&(String, String)| {
        theirs.iter().find(|(other, _)| other == name).is_none_or(|(_, other)| other != value)
    };
    ours.iter().find(differs).cloned()
}

/// The port, and the options that all its processes have.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The address to listen on.
    pub target: Target,
    /// The port. With 0 the system chooses a free port, which other processes can join.
    pub port: u16,
    /// The options that must be equal in all processes.
    pub shared: SharedOptions,
    /// The maximum number of series of a process.
    pub max_series: u32,
    /// The folders in which processes of a user can find each other.
    pub folders: Vec<PathBuf>,
}
