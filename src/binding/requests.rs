//! Questions and notices to the JavaScript thread, put from the server thread.

use super::thread_call::{NumberFunction, ThreadCall};
use crate::{default_metrics::node::Sampler, gather::RenderRequester};

/// Asks JavaScript by calling a function of its with the question's number. Keeps no process alive.
pub struct Asker(ThreadCall);

impl Asker {
    /// Asks by this function.
    pub fn new(function: &NumberFunction<'_>) -> napi::Result<Self> {
        ThreadCall::new(function, false).map(Self)
    }
}

impl Sampler for Asker {
    fn ask(&self) -> bool {
        self.0.call(0)
    }

    fn peek(&self) -> bool {
        self.0.call(1)
    }
}

impl RenderRequester for Asker {
    fn request_page(&self, request: u32) -> bool {
        self.0.call(request)
    }
}

/// What calls this function, once, from any thread. The process is kept alive until then.
pub fn notice(
    function: &NumberFunction<'_>,
) -> napi::Result<impl FnOnce() + Send + 'static + use<>> {
    let function = ThreadCall::new(function, true)?;
    // It fails where the environment is going away, with nobody left to hear of it.
    Ok(move || {
        function.call(0);
    })
}
