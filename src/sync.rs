//! The concurrency primitives of the modules that `models/` compiles too, there with simulated primitives.
//!
//! `models/` has a module of this name, which re-exports the primitives of `shuttle`. `shuttle` runs the
//! threads of a model in many orders.

pub use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

/// Atomics.
pub mod atomic {
    pub use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
}
