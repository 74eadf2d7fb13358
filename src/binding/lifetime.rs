//! The end of a JavaScript thread: what of this crate's lives in it ends with it.
//!
//! One synchronous cleanup hook for each thread, however many exporters it makes: asynchronous hooks
//! abort Deno, and a removed hook would leave its memory behind at each start and stop. Hooks run on
//! natural exit and on `worker.terminate()`, not on `process.exit()`, where nothing needs them.

use std::{
    cell::RefCell,
    sync::{Arc, Weak},
};

use napi::{Env, Result};

/// What has to end before its JavaScript thread does.
pub trait Ends {
    /// Runs on the JavaScript thread, at its end, for at most about 100 ms.
    fn end(&self);
}

thread_local! {
    static LIVE: RefCell<Option<Vec<Weak<dyn Ends>>>> = const { RefCell::new(None) };
}

/// Ends `what` with this thread, unless it is gone by then.
pub fn end_with_thread(env: &Env, what: &Arc<impl Ends + 'static>) -> Result<()> {
    let is_first = LIVE.with_borrow(Option::is_none);
    if is_first {
        env.add_env_cleanup_hook((), |()| end_all())?;
    }
    let what: Arc<dyn Ends> = Arc::clone(what) as Arc<dyn Ends>;
    LIVE.with_borrow_mut(|live| {
        let live = live.get_or_insert_default();
        live.retain(|known| known.strong_count() > 0);
        live.push(Arc::downgrade(&what));
    });
    Ok(())
}

fn end_all() {
    let live = LIVE.take().unwrap_or_default();
    for what in live.iter().filter_map(Weak::upgrade) {
        what.end();
    }
}
