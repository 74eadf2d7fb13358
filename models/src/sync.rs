//! The primitives of `src/sync.rs`, simulated.

pub use std::sync::PoisonError;

pub use shuttle::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};

/// A static variable that is created again in each run of a model.
pub struct LazyLock<T: Sync + 'static>(shuttle::lazy_static::Lazy<T>);

impl<T: Sync> LazyLock<T> {
    /// Creates the value at the first use.
    pub const fn new(init: fn() -> T) -> Self {
        let cell = shuttle::sync::Once::new();
        Self(shuttle::lazy_static::Lazy { cell, init, _p: std::marker::PhantomData })
    }

    /// Returns the value.
    pub fn force(this: &'static Self) -> &'static T {
        this.0.get()
    }
}

/// Lets other threads run. `yield_now` would give the other threads a higher priority, so that some orders
/// would never occur.
pub fn step() {
    let _ = atomic::AtomicBool::new(false).load(atomic::Ordering::SeqCst);
}

/// Threads of a model.
pub mod thread {
    pub use shuttle::thread::{ThreadId, current, spawn, yield_now};
}

/// Atomics.
pub mod atomic {
    pub use shuttle::sync::atomic::{AtomicBool, Ordering};

    use std::sync::atomic::AtomicU64 as Cell;

    /// The number of cells of a block, from the first on, whose reads and writes are steps of a model. Models
    /// use only these cells.
    const STEPS: usize = 4;

    /// A cell of a cell block, as long as a cell of the crate. All orderings are sequentially consistent, as
    /// for all atomics of `shuttle`.
    #[derive(Debug, Default)]
    #[repr(transparent)]
    pub struct AtomicU64(Cell);

    impl AtomicU64 {
        /// Reads the cell.
        pub fn load(&self, _: Ordering) -> u64 {
            self.step();
            self.0.load(Ordering::SeqCst)
        }

        /// Writes the cell.
        pub fn store(&self, bits: u64, _: Ordering) {
            self.step();
            self.0.store(bits, Ordering::SeqCst);
        }

        /// Lets other threads run, if this is one of the first cells. A cell block of a model begins at a multiple
        /// of its length, so the address of a cell determines its index.
        fn step(&self) {
            let index = std::ptr::from_ref(self).addr() / size_of::<Self>() % crate::counter::CELLS;
            if index < STEPS {
                super::step();
            }
        }
    }
}
