//! A substitute for `src/cluster`. No model opens a port that several processes share.

use std::sync::Arc;

use crate::{
    gather::{Gatherer, GathererSource},
    server::{
        Runtime, Source,
        listen::{BindError, Target},
    },
};

/// Names and values of options.
pub type SharedOptions = Vec<(String, String)>;

/// The name of an option.
pub const NETWORK: &str = "network";

/// The options of a port.
pub struct ClusterOptions {
    /// The address.
    pub target: Target,
    /// The port.
    pub port: u16,
    /// The options that must be equal in all processes.
    pub shared: SharedOptions,
    /// The maximum number of series.
    pub max_series: u32,
    /// The folders that can contain the socket.
    pub folders: Vec<String>,
}

/// The role of a process.
pub struct Role;

/// The reason why a process has no role.
pub enum EnterError {
    /// The port is in use.
    Bind(BindError),
    /// There is no folder for the socket.
    Folder(std::io::Error),
    /// An option differs.
    Differs(String, String),
}

/// The members.
#[derive(Default)]
pub struct Hub;

/// The source of the page of all processes.
pub struct ClusterSource;

impl ClusterSource {
    /// Creates a source.
    #[must_use]
    pub fn new(_: Arc<Gatherer>, _: Arc<Hub>) -> Self {
        Self
    }
}

impl Source for ClusterSource {}

/// Enters no cluster.
///
/// # Errors
///
/// Always.
pub fn enter(_: &Runtime, options: &mut ClusterOptions) -> Result<Role, EnterError> {
    Err(EnterError::Bind(options.target.in_use()))
}

/// Does nothing.
pub fn background(
    _: Role,
    _: ClusterOptions,
    _: Arc<Gatherer>,
    _: Arc<GathererSource>,
    _: Arc<Hub>,
) {
}

/// Returns the first option that differs.
#[must_use]
pub fn differing(ours: &SharedOptions, theirs: &SharedOptions) -> Option<(String, String)> {
    let differs = |option: &&(String, String)| !theirs.contains(option);
    ours.iter().find(differs).cloned()
}
