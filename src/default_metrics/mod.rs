//! The default metrics of prom-client: the families of the process and its JavaScript threads.
//!
//! - [`descriptors`]: name, help text and type of each family.
//! - [`process`]: the `process_*` families, read by this crate.
//! - [`node`]: the `nodejs_*` families, sampled on each JavaScript thread.

pub mod descriptors;
pub mod node;
pub mod process;
