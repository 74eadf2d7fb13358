//! The recorder: what the process did in the last minutes, also if nobody looked.
//!
//! Once a second the server thread reads the calls of each call site and the figures of the process, and
//! stores them as one **step** of the recording. Four times a second it asks each event loop a **question**,
//! a call that takes some microseconds. A question without an answer for [`STALL_AFTER`] is a **stall**: its
//! start, its length and the calls of the thread meanwhile are stored too.
//!
//! # Invariants
//!
//! - The memory is at most [`MAX_BYTES`], which is 8 MB of resident memory. If that is full, the call sites with the fewest calls are
//!   removed, and their calls are in no row.
//! - In each measured step, the calls of all rows and of `other` have the sum of `points.calls`.
//! - A step that was not measured is `null`, never 0.
//! - The steps grow where a reading takes more than 0.5 % of a step.
//!
//! Everything here is pure but [`LoopWatch`]; `gather` has the clock, the counter and the questions.
//!
//! # The document of `/history.json`
//!
//! `docs/http-interface.md` describes parameters and fields. The document is stable: fields may be added, and the
//! meaning of a field never changes.

mod admission;
mod column;
mod document;
mod groups;
mod history;
mod point;
mod query;
mod sites;
mod stalls;
#[cfg(test)]
mod tests;
mod watch;

use std::time::Duration;

pub use self::{
    document::Document,
    groups::{Group, Groups},
    history::{History, ReadingEnd, Window},
    point::{Figures, Point},
    query::{MAX_SECONDS, Query, QueryError},
    sites::Site,
    stalls::{MAX_STALLS, Stall, StallCalls, Stalls},
    watch::{Answer, LoopWatch, Question, Questioner, StallTotals},
};

/// The memory that a recording allocates, in bytes. With what the allocator adds it is 8 MB of resident memory.
pub const MAX_BYTES: usize = 6 * 1024 * 1024;

/// A question without an answer for this time is a stall.
pub const STALL_AFTER: Duration = Duration::from_millis(250);
