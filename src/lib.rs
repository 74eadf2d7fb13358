//! Prometheus exporter for `hypertrace`, as a Node.js addon.
//!
//! Every `tracer.trace()` of an application increments the counter `trace_counter`. JavaScript counts
//! the label sets that it has cached, in memory that this crate reads; a new label set is interned in
//! this crate, which holds the series. A separate thread serves the page, so a scrape does not run on
//! a JavaScript thread.
//!
//! # Terms
//!
//! - **label set**: the names and values that distinguish one series from another.
//! - **call site**: class and parent class, id of the call, function and file.
//! - **series**: one label set and its value. Its **slot** is its number, dense from 0; its **start** is
//!   the time when it was interned.
//! - **cell block**: 4,096 cells (`f64`) that one JavaScript thread counts in, one for each slot.
//! - **shard**: the cell blocks of one JavaScript thread. The value of a series is the sum over the shards.
//! - **page**: the text, or the protobuf messages, that a scrape returns.
//! - **range**: 256 slots, the unit of a page that is cached. Its **version** identifies its text.
//! - **scraper**: a client that announces itself as Prometheus does.
//! - **opener**: the process that serves a port. Others that share it are its **members**.
//! - **sample**: figures of V8 and libuv, which a JavaScript thread reads on request.
//! - **recording**: what the process did in the last minutes, in **steps** of a second or longer.
//! - **stall**: the time for which an event loop has not answered a **question** of the recorder.
//!
//! # Modules
//!
//! Dependencies point one way:
//!
//! ```text
//! binding ─► shared_server ─► cluster ─► gather ─► server ─► live
//!                                          │          │
//!                                          ├─► recorder ─► summary, default_metrics
//!                                          ▼          ▼
//!                                          exposition ─► counter ─► labels
//! ```
//!
//! Only `binding` names `napi`; only [`server`] names `hyper`, and it knows one read-only interface,
//! [`server::Source`].

mod binding;
pub mod cluster;
pub mod counter;
pub mod default_metrics;
pub mod exposition;
pub mod gather;
pub mod labels;
pub mod live;
pub mod recorder;
pub mod server;
pub mod shared_server;
mod sort;
pub mod summary;
mod sync;
