//! A recording, and the documents that are made from it. Runs on the server thread. A long query is divided
//! into short units of work, so that other work of the thread can run in between.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::task::yield_now;

use crate::{
    counter::TraceCounter,
    recorder::{Document, Groups, History, Query, Window},
    summary::Rates,
};

/// A recording, shared by the task that writes it and the requests that read it.
pub struct Recorder(Mutex<History>);

impl Recorder {
    /// Starts a recording of this many seconds.
    #[must_use]
    pub fn new(seconds: u32, counter: &TraceCounter) -> Self {
        counter.enable_call_readings();
        Self(Mutex::new(History::new(seconds, now())))
    }

    /// Writes the document of a query.
    pub async fn document(self: Arc<Self>, query: Query, counter: Arc<TraceCounter>) -> Vec<u8> {
        let pin = HistoryPin::new(self, query.seconds);
        let mut document = Document::new(query, counter.schema(), pin.window.clone());
        while document.advance(&pin.recorder.history()) {
            yield_now().await;
        }
        document.into_json()
    }

    /// Sums the calls of the last seconds, in total and by the given groups. Returns `None` before the first
    /// step of the recording.
    pub async fn rates(self: Arc<Self>, seconds: u32, groups: Option<GroupQuery>) -> Option<Rates> {
        let pin = HistoryPin::new(self, seconds);
        let (seconds, calls) = pin.recorder.history().measured(&pin.window);
        let is_complete = pin.recorder.history().is_complete(&pin.window);
        if seconds == 0 {
            return None;
        }
        let groups = match groups {
            None => None,
            Some(GroupQuery { by, filters }) => {
                let mut groups = Groups::new(by, filters, pin.window.clone());
                while groups.advance(&pin.recorder.history()) {
                    yield_now().await;
                }
                Some(groups.into_calls())
            }
        };
        Some(Rates { seconds, calls, groups, is_complete })
    }

    /// Locks the recording. Only the server thread locks it, so this call never waits.
    pub fn history(&self) -> MutexGuard<'_, History> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The labels of a query of `/summary.json`, if all of them are labels of a call site.
pub struct GroupQuery {
    /// The names of the labels to group by.
    pub by: Vec<String>,
    /// The names and values of the labels to filter by.
    pub filters: Vec<(String, String)>,
}

/// While a pin exists, the history drops no step, and reuses no number of a call site.
struct HistoryPin {
    recorder: Arc<Recorder>,
    window: Window,
}

impl HistoryPin {
    fn new(recorder: Arc<Recorder>, seconds: u32) -> Self {
        let window = recorder.history().pin(seconds);
        Self { recorder, window }
    }
}

impl Drop for HistoryPin {
    fn drop(&mut self) {
        self.recorder.history().unpin();
    }
}

/// Returns the time since the epoch, in seconds.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
