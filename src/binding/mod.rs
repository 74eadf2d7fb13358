//! The addon's face to JavaScript: the only place that names `napi`.
//!
//! Every function here runs on the JavaScript thread of its environment, except where it says so.

#![expect(clippy::needless_pass_by_value, reason = "napi hands arguments over by value")]

mod exporter;
mod families;
mod lifetime;
mod listening;
mod options;
mod questions;
mod render_task;
mod sample;
