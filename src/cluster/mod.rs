//! Many processes, one port.
//!
//! The first process that asks for a port opens it: the *opener*. Other processes of the same user that ask
//! for it with the same options become its *members*, over a local socket. At a scrape the server thread of
//! the opener asks the server threads of the members; each renders the series of its own process, with the
//! label `process`, and the opener passes them on. No JavaScript thread is involved, except for samples.
//!
//! # Invariants
//!
//! - Nothing is added up across processes, so no series falls when a process ends.
//! - The opener holds a few chunks of each member, however many series there are: it requests a chunk when
//!   the page needs it.
//! - A member that does not respond in time is omitted, and the page says so. A member whose bytes are not
//!   its series is disconnected.
//! - When the opener ends, one of the members opens the port, and the others join it. Each keeps its number.
//! - A process of another user can neither join nor be joined, and cannot prevent it.
//! - Everything here runs on the server thread, except [`enter`], which blocks its thread until the port is
//!   opened or joined.
//!
//! # Files
//!
//! `protocol`, `numbers` and `series_check` are pure; `blocks` compresses and checks series; `rendezvous` is
//! where processes find each other; `contend` opens or joins a port; `hub` and `page` are the opener's side,
//! `member` is a member's.

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

/// The version of this package. Processes of one port have the same one.
const VERSION: &str = env!("CARGO_PKG_VERSION");
