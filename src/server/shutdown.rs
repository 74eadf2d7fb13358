//! Shutdown phases: set by any thread, awaited by the server thread.

use std::time::Duration;

use tokio::sync::watch;

use super::panics;
use crate::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A phase of a server. Phases only advance.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    /// The server responds to requests.
    Serving,
    /// The server responds to no new request; responses under way may finish.
    Stopping,
    /// Every connection is closed at once.
    Cut,
}

/// A flag that is set when `stop` is called, before the server thread wakes up. The server checks it before
/// each request.
#[derive(Clone, Default)]
pub(crate) struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The sending side of the phases.
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

    /// Advances to `phase`; an earlier phase changes nothing. Returns `false` if the server thread could not be
    /// woken, because the application has closed the descriptor for that; tokio then panics.
    pub(crate) fn advance(&self, phase: Phase) -> bool {
        self.stopping.0.store(true, Ordering::SeqCst);
        let advance = |now: &mut Phase| {
            let later = phase > *now;
            *now = phase.max(*now);
            later
        };
        panics::caught_elsewhere(|| self.phase.send_if_modified(advance)).is_ok()
    }
}

/// Waits until `phase` is reached. A server that no longer exists has reached every phase.
pub(crate) async fn reached(receiver: &mut watch::Receiver<Phase>, phase: Phase) {
    let _ = receiver.wait_for(|now| *now >= phase).await;
}

/// Awaits `work` for at most `limit`, and only until `phase` is reached. Returns `None` if `work` was
/// cancelled.
pub(crate) async fn until<T>(
    receiver: &mut watch::Receiver<Phase>,
    phase: Phase,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        value = work => Some(value),
        () = reached(receiver, phase) => None,
        () = tokio::time::sleep(limit) => None,
    }
}
