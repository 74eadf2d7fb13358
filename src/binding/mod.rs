//! The addon's face to JavaScript: the only place that names `napi`.
//!
//! Every function here runs on the JavaScript thread of its environment, except where it says so.

mod exporter;
mod options;
