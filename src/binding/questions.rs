//! Questions and notices to the JavaScript thread, put from the server thread.

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

/// A JavaScript function that takes nothing.
pub type DoneFunction<'a> = Function<'a, (), UnknownReturnValue>;

/// What calls this function on its thread, once, from any thread. The process is kept alive until then.
pub fn notice(function: &DoneFunction<'_>) -> napi::Result<impl FnOnce() + Send + 'static + use<>> {
    let function: ThreadsafeFunction<(), UnknownReturnValue, (), Status, false> =
        function.build_threadsafe_function().build()?;
    Ok(move || {
        // It fails where the environment is going away, with nobody left to hear of it.
        let _ = function.call((), ThreadsafeFunctionCallMode::NonBlocking);
    })
}

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
