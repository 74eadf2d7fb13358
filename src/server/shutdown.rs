//! How far the end of a server has come: set from any thread, seen by its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

/// How far the end of a server has come. Only ever goes on.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    /// Requests are answered.
    Serving,
    /// No new request is answered; what is under way may finish.
    Stopping,
    /// Everything is closed at once.
    Cut,
}

/// Asked before each request: true from the moment `stop` was called, not from when the server's
/// thread heard of it.
#[derive(Clone, Default)]
pub(crate) struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The side that ends a server.
pub(crate) struct Shutdown {
    stopping: StopFlag,
    phase: watch::Sender<Phase>,
}

impl Shutdown {
    pub(crate) fn new() -> Self {
        Self { stopping: StopFlag::default(), phase: watch::Sender::new(Phase::Serving) }
    }

    pub(crate) fn stopping(&self) -> StopFlag {
        self.stopping.clone()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Goes on to `phase`, and never back.
    pub(crate) fn advance(&self, phase: Phase) {
        self.stopping.0.store(true, Ordering::SeqCst);
        self.phase.send_if_modified(|now| {
            let later = phase > *now;
            *now = phase.max(*now);
            later
        });
    }
}

/// Waits until `phase` is reached. A server that is gone has reached every phase.
pub(crate) async fn reached(receiver: &mut watch::Receiver<Phase>, phase: Phase) {
    let _ = receiver.wait_for(|now| *now >= phase).await;
}

/// Awaits `work` for `limit` at most, or until `phase` is reached. `None` when it was given up.
pub(crate) async fn until<T>(
    receiver: &mut watch::Receiver<Phase>,
    phase: Phase,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    use std::{pin::pin, task::Poll};
    let (mut work, mut end) = (pin!(work), pin!(reached(receiver, phase)));
    let mut time = pin!(tokio::time::sleep(limit));
    std::future::poll_fn(|cx| {
        if let Poll::Ready(value) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(value));
        }
        let over = end.as_mut().poll(cx).is_ready() || time.as_mut().poll(cx).is_ready();
        if over { Poll::Ready(None) } else { Poll::Pending }
    })
    .await
}
