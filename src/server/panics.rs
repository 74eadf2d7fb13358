//! Panics stay inside: they are caught where a page is made, and said once.
//!
//! A panic on the server thread would otherwise print a message of the standard library's for each
//! scrape, in the log of an application that can do nothing about it. The hook that prevents this is
//! set once in a process and hands on every panic of other threads unchanged.

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    pin::pin,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

thread_local! {
    static OURS: Cell<bool> = const { Cell::new(false) };
}

/// What is left of a panic that was caught: it has been told already.
#[derive(Debug)]
pub(crate) struct Panicked;

/// Makes the calling thread one whose panics are said once in a process.
pub(crate) fn keep_quiet() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if OURS.try_with(Cell::get).unwrap_or(false) { tell(info) } else { others(info) }
        }));
    });
    OURS.set(true);
}

fn tell(info: &PanicHookInfo<'_>) {
    static TOLD: AtomicBool = AtomicBool::new(false);
    if TOLD.swap(true, Ordering::Relaxed) {
        return;
    }
    let payload = info.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .replace('\n', " ");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    super::log(&format!(
        "a fault in this package, in {place}: {message}. The server goes on; further faults \
         are not logged"
    ));
}

/// Runs `work`, and catches its panic.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(discard)
}

/// Awaits `work`, and catches its panic.
pub(crate) async fn caught_async<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| match caught(|| work.as_mut().poll(cx)) {
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}

/// Drops a panic's payload, which may panic in turn.
fn discard(payload: Box<dyn std::any::Any + Send>) -> Panicked {
    if let Err(again) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
    Panicked
}
