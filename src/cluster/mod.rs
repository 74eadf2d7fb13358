//! A port that several processes share.
//!
//! The first process that asks for a port opens it: the *opener*. Other processes of the same user that ask
//! for it with the same options become its *members*, over a local socket. At a scrape, the server thread of
//! the opener sends requests to the server threads of the members. Each member renders the series of its own
//! process, with the label `process`, and the opener passes them on. No JavaScript thread is involved, except
//! for samples.
//!
//! # Invariants
//!
//! - Nothing is added up across processes, so no series falls when a process ends.
//! - The opener holds at most a few chunks of each member, however many series there are: it requests a chunk
//!   when the page needs it.
//! - A member that does not respond in time, or sends bytes that are not its series, is omitted, and the page
//!   says so. A member that sends a message which was not requested is disconnected.
//! - When the opener ends, one of the members opens the port, and the others join it. Each keeps its number.
//! - A process of another user can neither join nor be joined, and cannot prevent others from joining.
//! - Everything here runs on the server thread, except [`enter`], which blocks its thread until the port is
//!   opened or joined.
//!
//! # Files
//!
//! `merge`, `numbers`, `options`, `protocol` and `series_check` are pure. `blocks` compresses and checks
//! series. `rendezvous` lets processes find each other. `contend` opens or joins a port; `role` runs a process
//! in its role after that. `hub`, `link`, `member_series`, `page` and `source` belong to the opener, `member`
//! to a member.

mod blocks;
mod connection;
mod contend;
#[cfg(fuzzing)]
pub mod fuzzing;
mod hub;
mod link;
mod member;
mod member_series;
mod merge;
mod numbers;
mod options;
mod page;
mod protocol;
mod rendezvous;
mod role;
mod series_check;
mod source;
#[cfg(test)]
mod tests;

pub use self::{
    contend::{EnterError, NETWORK, Role, enter},
    hub::Hub,
    options::{ClusterOptions, SharedOptions, differing},
    role::background,
    source::ClusterSource,
};

use crate::gather::PROCESS_LABEL;

/// The version of this package. All processes of a port must have the same version.
const VERSION: &str = env!("CARGO_PKG_VERSION");
