//! The interface of the addon to JavaScript: the only module that names `napi`.
//!
//! Every function here runs on the JavaScript thread of its environment, unless its comment names another
//! thread.

#![expect(
    clippy::needless_pass_by_value,
    clippy::trivially_copy_pass_by_ref,
    clippy::struct_field_names,
    reason = "napi requires arguments by value and an object for getters; the field names are those of Node.js"
)]

mod access;
mod constants;
mod counting;
mod exporter;
mod families;
mod lifetime;
mod listen;
mod options;
mod packing;
mod reading;
mod renderer;
mod requests;
mod sample;
mod thread_call;
