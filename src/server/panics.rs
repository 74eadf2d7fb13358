//! Catches panics of the server thread where a page is made, and logs the first one.
//!
//! Otherwise the standard library would print a message for each scrape, in the log of an application that
//! cannot prevent the panic. The panic hook of this module is set once in a process. It passes panics of all
//! other threads to the hook that was set before.

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::FutureExt as _;

thread_local! {
    static IS_SERVER_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// A panic was caught and logged.
#[derive(Debug)]
pub(crate) struct Panicked;

/// Marks the calling thread: this module logs the panics of marked threads, but only the first one of the
/// process. Returns whether the thread was marked before.
pub(crate) fn log_once_on_this_thread() -> bool {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let other = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IS_SERVER_THREAD.try_with(Cell::get).unwrap_or(false) {
                log_once(info);
            } else {
                other(info);
            }
        }));
    });
    IS_SERVER_THREAD.replace(true)
}

/// Runs `work` on a thread that is not the server thread, and catches and logs its panic in the same way.
pub(crate) fn caught_elsewhere<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    let before = log_once_on_this_thread();
    let result = caught(work);
    IS_SERVER_THREAD.set(before);
    result
}

fn log_once(info: &PanicHookInfo<'_>) {
    static LOGGED: AtomicBool = AtomicBool::new(false);
    if LOGGED.swap(true, Ordering::Relaxed) {
        return;
    }
    let payload = info.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .replace('\n', " ");
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    super::log(&format!(
        "a fault in this package, in {location}: {message}. Further faults are not logged"
    ));
}

/// Runs `work` and catches its panic.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(discard)
}

/// Awaits `work` and catches its panic.
pub(crate) async fn caught_async<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(discard)
}

/// Drops a panic's payload, whose own drop may panic.
fn discard(payload: Box<dyn std::any::Any + Send>) -> Panicked {
    if let Err(again) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
    Panicked
}
