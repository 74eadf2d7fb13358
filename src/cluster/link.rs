//! The opener's side of the connection to one member.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::sync::mpsc;

use super::{
    blocks::BlockCheck,
    protocol::{ToMember, ToOpener},
};
use crate::exposition::Format;

/// The maximum number of messages that wait until a member reads them.
const OUTGOING: usize = 512;

/// A late member with this number of unanswered requests gets no further request until it responds.
const MAX_UNANSWERED: usize = 8;

/// The maximum number of responses to one request that have not been read. A member sends no response that
/// was not requested.
const INCOMING: usize = 2;

/// The connection to one member.
pub struct Link {
    /// The number of the member.
    pub number: u32,
    outgoing: mpsc::Sender<ToMember>,
    /// The requests that wait for a response, by number.
    requests: Mutex<HashMap<u64, mpsc::Sender<ToOpener>>>,
    next: AtomicU64,
    unanswered: AtomicUsize,
    is_late: AtomicBool,
    checks: [Mutex<BlockCheck>; 2],
}

/// The responses to one request.
pub struct Responses {
    /// The number of the request.
    pub request: u64,
    /// The responses, in order. Ends when the connection ends.
    pub receiver: mpsc::Receiver<ToOpener>,
}

impl Link {
    /// Creates a link, and the queue of the messages to send. `ranges` is the maximum number of ranges of a
    /// member.
    pub fn new(number: u32, ranges: u32) -> (Self, mpsc::Receiver<ToMember>) {
        let (outgoing, queue) = mpsc::channel(OUTGOING);
        let check = || Mutex::new(BlockCheck::new(ranges));
        let link = Self {
            number,
            outgoing,
            requests: Mutex::default(),
            next: AtomicU64::new(0),
            unanswered: AtomicUsize::new(0),
            is_late: AtomicBool::new(false),
            checks: [check(), check()],
        };
        (link, queue)
    }

    /// Sends a request, which `message` makes from its number. Returns `None` if the member is late and has
    /// [`MAX_UNANSWERED`] unanswered requests, or if the request cannot be sent.
    pub fn request(&self, message: impl FnOnce(u64) -> ToMember) -> Option<Responses> {
        if self.unanswered.load(Ordering::Relaxed) >= MAX_UNANSWERED && self.is_late() {
            return None;
        }
        let request = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = mpsc::channel(INCOMING);
        self.requests().insert(request, sender);
        if self.send(message(request)) {
            self.unanswered.fetch_add(1, Ordering::Relaxed);
            return Some(Responses { request, receiver });
        }
        self.forget(request);
        None
    }

    /// Sends a message. Returns `false` if the connection has ended, or the member does not read.
    pub fn send(&self, message: ToMember) -> bool {
        self.outgoing.try_send(message).is_ok()
    }

    /// Drops the responses to a request that are still to come.
    pub fn forget(&self, request: u64) {
        self.requests().remove(&request);
    }

    /// Passes a response to the task that waits for it. Returns `false` if it was not requested, or if the
    /// member leaves.
    pub fn receive(&self, response: ToOpener) -> bool {
        let (request, is_first) = match &response {
            ToOpener::Hello(_) | ToOpener::Leave => return false,
            ToOpener::Head { page, .. } => (*page, true),
            ToOpener::Chunk { page, .. } => (*page, false),
            ToOpener::Answer { request, .. } => (*request, true),
        };
        if request >= self.next.load(Ordering::Relaxed) {
            return false;
        }
        if is_first {
            let decrement = |count: usize| Some(count.saturating_sub(1));
            let _ = self.unanswered.fetch_update(Ordering::Relaxed, Ordering::Relaxed, decrement);
            self.is_late.store(false, Ordering::Relaxed);
        }
        match self.requests().get(&request) {
            Some(sender) => {
                !matches!(sender.try_send(response), Err(mpsc::error::TrySendError::Full(_)))
            }
            // The request has ended meanwhile.
            None => true,
        }
    }

    /// Records that the member has not responded in time.
    pub fn set_late(&self) {
        self.is_late.store(true, Ordering::Relaxed);
    }

    /// Returns whether the member did not respond in time, and has not responded since.
    pub fn is_late(&self) -> bool {
        self.is_late.load(Ordering::Relaxed)
    }

    /// Returns the check of the member's blocks in a format.
    pub fn check(&self, format: Format) -> MutexGuard<'_, BlockCheck> {
        let check = &self.checks[usize::from(format == Format::Protobuf)];
        check.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all requests, because the connection has ended.
    pub fn close(&self) {
        self.requests().clear();
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<u64, mpsc::Sender<ToOpener>>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
