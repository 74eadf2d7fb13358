//! The end of the server thread, for which any thread can wait.
//!
//! Each callback runs exactly once: on the thread that sets the end or, after the end, on the calling thread.

use std::time::{Duration, Instant};

use super::panics;
use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError};

type Callback = Box<dyn FnOnce() + Send>;

enum State {
    /// The thread runs, and calls these at its end.
    Pending(Vec<Callback>),
    /// The thread has ended.
    Reached,
}

/// The end of one server thread.
pub(crate) struct End {
    state: Mutex<State>,
    reached: Condvar,
}

impl End {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State::Pending(Vec::new())), reached: Condvar::new() }
    }

    /// Registers a callback for the end, and returns `true`. If the end is reached already, calls it at once
    /// and returns `false`.
    pub(crate) fn on_reached(&self, callback: impl FnOnce() + Send + 'static) -> bool {
        let mut state = self.state();
        if let State::Pending(callbacks) = &mut *state {
            callbacks.push(Box::new(callback));
            return true;
        }
        drop(state);
        callback();
        false
    }

    /// Runs the callbacks, also those that are added meanwhile, and then sets the end.
    pub(crate) fn reach(&self) {
        loop {
            let callbacks = match &mut *self.state() {
                State::Pending(callbacks) => std::mem::take(callbacks),
                State::Reached => return,
            };
            for callback in callbacks {
                let _ = panics::caught(callback);
            }
            let mut state = self.state();
            if matches!(&*state, State::Pending(callbacks) if callbacks.is_empty()) {
                *state = State::Reached;
                self.reached.notify_all();
                return;
            }
        }
    }

    /// Waits for the end, for at most `limit`, and returns whether it is reached.
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let mut state = self.state();
        while matches!(*state, State::Pending(_)) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.reached.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
