//! Modules of the crate, compiled with the concurrency primitives of `shuttle`, which runs the threads of a
//! model in many orders. `tests/` has the models.
//!
//! The counter, the shared server, and the shutdown and the end of a server are compiled from the files of
//! the crate. The other modules that these files use are replaced by short substitutes.

#![deny(unsafe_code)]

#[path = "../../src/counter/mod.rs"]
pub mod counter;
#[path = "../../src/labels/mod.rs"]
pub mod labels;
#[path = "../../src/shared_server/mod.rs"]
pub mod shared_server;

pub mod cluster;
pub mod gather;
pub mod server;
pub mod sync;
