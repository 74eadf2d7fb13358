//! The concurrency primitives of the modules that `models/` compiles a second time, with simulated primitives.
//!
//! For this, `models/` has a module of this name, which re-exports the primitives of `shuttle`. `shuttle` runs the
//! threads of a model in many orders.

pub use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

/// Atomics.
pub mod atomic {
    pub use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
}
