//! Prometheus exporter for `hypertrace`, as a Node.js addon.
//!
//! Every `tracer.trace()` of an application is one increment of the counter `trace_counter`. The
//! JavaScript side counts label sets it has seen in memory that it lends to this crate; a label set
//! seen for the first time is interned here, where the series live. A thread of its own serves the
//! page, so that a scrape never runs on the JavaScript thread.
//!
//! # Terms
//!
//! - **label set**: the names and values that tell one series from another.
//! - **series**: one label set and its value; its **slot** is its number, dense from 0.
//! - **page**: 4,096 cells (`f64`) that one JavaScript thread owns and lends to this crate.
//! - **shard**: the pages of one JavaScript thread. A series' value is the sum over the shards.
//! - **sample**: V8's and libuv's own figures, read by the JavaScript thread when asked.
//!
//! # Rooms
//!
//! Arrows point one way: `binding` → [`server`] → [`exposition`] → [`counter`] → [`labels`].
//! Only `binding` names `napi`, only [`server`] names `hyper`.

mod binding;
pub mod counter;
pub mod default_metrics;
pub mod exposition;
pub mod gather;
pub mod labels;
pub mod live;
pub mod server;
pub mod shared_server;
pub mod summary;
