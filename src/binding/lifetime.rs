//! The end of a JavaScript thread: ends the exporters that live in it.
//!
//! One synchronous cleanup hook serves each thread, however many exporters it creates: asynchronous
//! hooks abort Deno, and each hook that is removed leaks its memory. Hooks run on a natural exit and
//! on `worker.terminate()`. They do not run on `process.exit()`, where nothing needs them.

use std::{
    cell::RefCell,
    sync::{Arc, Weak},
};

use napi::{Env, Result};

/// State that must end before its JavaScript thread ends.
pub trait Ends {
    /// Runs on the JavaScript thread, at its end, for at most about 100 ms.
    fn end(&self);
}

thread_local! {
    static LIVE: RefCell<Option<Vec<Weak<dyn Ends>>>> = const { RefCell::new(None) };
}

/// Ends `state` with this thread, unless it was dropped before.
///
/// # Errors
///
/// If Node-API refuses the cleanup hook.
pub fn end_with_thread(env: &Env, state: &Arc<impl Ends + 'static>) -> Result<()> {
    let is_first = LIVE.with_borrow(Option::is_none);
    if is_first {
        env.add_env_cleanup_hook((), |()| end_all())?;
    }
    let state: Arc<dyn Ends> = Arc::clone(state) as Arc<dyn Ends>;
    LIVE.with_borrow_mut(|live| {
        let live = live.get_or_insert_default();
        live.retain(|other| other.strong_count() > 0);
        live.push(Arc::downgrade(&state));
    });
    Ok(())
}

fn end_all() {
    let live = LIVE.take().unwrap_or_default();
    for state in live.iter().filter_map(Weak::upgrade) {
        state.end();
    }
}
