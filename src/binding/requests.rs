//! Requests and notices from the server thread to the JavaScript thread.

use super::thread_call::{Callback, ThreadCall};
use crate::{
    default_metrics::node::{DelayWindow, SampleRequester},
    gather::RenderRequester,
    recorder::Questioner,
};

/// A function that takes a sample. Its argument is true if the current window of event-loop delay continues.
pub type SampleCallback<'a> = Callback<'a, bool>;

/// A function that renders the registry's page. Its argument is the number of the request.
pub type RenderCallback<'a> = Callback<'a, u32>;

/// A function that answers a question of the recorder.
pub type QuestionCallback<'a> = Callback<'a, ()>;

/// Requests samples by a JavaScript function. Does not keep the process alive.
pub struct SampleRequests(ThreadCall<bool>);

impl SampleRequests {
    /// Creates a requester that calls this function.
    pub fn new(function: &SampleCallback<'_>) -> napi::Result<Self> {
        ThreadCall::new(function, false).map(Self)
    }
}

impl SampleRequester for SampleRequests {
    fn request(&self, window: DelayWindow) -> bool {
        self.0.call(window == DelayWindow::Keep)
    }
}

/// Sends questions of the recorder by a JavaScript function. Does not keep the process alive.
pub struct Questions(ThreadCall<()>);

impl Questions {
    /// Creates a questioner that calls this function.
    pub fn new(function: &QuestionCallback<'_>) -> napi::Result<Self> {
        ThreadCall::new(function, false).map(Self)
    }
}

impl Questioner for Questions {
    fn ask(&self) -> bool {
        self.0.call(())
    }
}

/// Requests pages of a registry by a JavaScript function. Does not keep the process alive.
pub struct PageRequests(ThreadCall<u32>);

impl PageRequests {
    /// Creates a requester that calls this function.
    pub fn new(function: &RenderCallback<'_>) -> napi::Result<Self> {
        ThreadCall::new(function, false).map(Self)
    }
}

impl RenderRequester for PageRequests {
    fn request_page(&self, request: u32) -> bool {
        self.0.call(request)
    }
}

/// Returns a closure that calls a JavaScript function once, from any thread. The process is kept alive
/// until then.
pub fn notice(function: &Callback<'_, ()>) -> napi::Result<impl FnOnce() + Send + 'static + use<>> {
    let function = ThreadCall::new(function, true)?;
    // A call fails in an environment that is ending: nothing waits for the notice then.
    Ok(move || {
        function.call(());
    })
}
