//! The concurrency primitives of the modules that `models/` compiles with simulated ones.
//!
//! `models/` has a module of this name that re-exports those of `shuttle`, which runs the threads of a model
//! in many orders.

pub use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

/// Atomics.
pub mod atomic {
    pub use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
}
