//! The recorder: stores what the process did in the last minutes, whether or not anyone reads it.
//!
//! Once a second the server thread reads the calls of each call site and the figures of the process, and
//! stores them as one **step** of the recording. Four times a second it sends each event loop a
//! **question**: a call of a JavaScript function that takes some microseconds. If a question has no answer
//! for [`STALL_AFTER`], this is a **stall**. Its start, its length, and the calls of the thread during the
//! stall are stored too.
//!
//! # Invariants
//!
//! - A recording allocates at most [`MAX_BYTES`]. When this memory is full, the call sites with the lowest
//!   rates are removed. Their calls are then in `other`.
//! - In each measured step, the calls of all rows and of `other` add up to `points.calls`.
//! - A step that was not measured is `null`, never 0.
//! - When several consecutive readings have each taken more than 0.5 % of a step, the step doubles.
//!
//! All modules except [`LoopWatch`]'s are pure. `gather` supplies the time, reads the counter and sends the
//! questions.
//!
//! # The document of `/history.json`
//!
//! `docs/http-interface.md` describes its parameters and fields. The document is stable: fields may be
//! added, and the meaning of a field never changes.

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

/// The maximum memory that a recording allocates, in bytes. With the overhead of the allocator, this is
/// 8 MB of resident memory.
pub const MAX_BYTES: usize = 6 * 1024 * 1024;

/// If an event loop does not answer a question for this time, this is a stall.
pub const STALL_AFTER: Duration = Duration::from_millis(250);
