//! The addon's face to JavaScript: the only place that names `napi`.
//!
//! Every function here runs on the JavaScript thread of its environment, except where it says so.

#![expect(
    clippy::needless_pass_by_value,
    clippy::trivially_copy_pass_by_ref,
    clippy::unused_self,
    clippy::struct_field_names,
    reason = "napi's shapes: arguments by value, getters on an object, Node's names of fields"
)]

mod access;
mod counting;
mod exporter;
mod families;
mod lifetime;
mod listen;
mod options;
mod packing;
mod render_task;
mod requests;
mod sample;
mod thread_call;
