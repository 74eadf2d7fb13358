//! Questions to the JavaScript thread, put from the server thread.

use napi::{
    Status,
    bindgen_prelude::Function,
    threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode, UnknownReturnValue},
};

use crate::{node_metrics::Sampler, scrape::PageAsker};

/// A JavaScript function that takes a question's number. Weak: it keeps no process alive.
type Ask = ThreadsafeFunction<u32, UnknownReturnValue, u32, Status, false, true>;

/// A JavaScript function as it comes.
pub type AskFunction<'a> = Function<'a, u32, UnknownReturnValue>;

/// Asks JavaScript by calling a function of its on its thread.
pub struct Asker(Ask);

impl Asker {
    /// Asks by this function.
    pub fn new(function: &AskFunction<'_>) -> napi::Result<Self> {
        function.build_threadsafe_function().weak::<true>().build().map(Self)
    }

    fn put(&self, question: u32) -> bool {
        self.0.call(question, ThreadsafeFunctionCallMode::NonBlocking) == Status::Ok
    }
}

impl Sampler for Asker {
    fn ask(&self) -> bool {
        self.put(0)
    }
}

impl PageAsker for Asker {
    fn ask(&self, question: u32) -> bool {
        self.put(question)
    }
}
