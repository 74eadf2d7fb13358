//! Renders pages for `metrics()` on a thread that is not a JavaScript thread.
//!
//! The renderer has a thread of its own and does not use libuv's pool, whose threads an application can
//! keep busy for long (DNS, slow file systems). If the system starts no thread, the page is rendered on
//! the calling thread.

use std::{
    collections::VecDeque,
    ffi::c_void,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use napi::sys;

use super::thread_call::{Argument, ThreadCall};
use crate::exposition::Page;

const THREAD_NAME: &str = "hypertrace-page";

/// Renders the pages of one exporter one after the other, on a thread that exists while there are pages to
/// render.
#[derive(Clone, Default)]
pub struct Renderer(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    is_running: bool,
}

struct Job {
    page: Page,
    done: ThreadCall<PageText>,
}

impl Renderer {
    /// Renders a page and passes it to `done`.
    pub fn render(&self, page: Page, done: ThreadCall<PageText>) {
        let is_idle = {
            let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            queue.jobs.push_back(Job { page, done });
            !std::mem::replace(&mut queue.is_running, true)
        };
        if !is_idle {
            return;
        }
        let renderer = self.clone();
        let thread = thread::Builder::new().name(THREAD_NAME.to_owned());
        if thread.spawn(move || renderer.run()).is_err() {
            self.run();
        }
    }

    /// Renders until the queue is empty.
    fn run(&self) {
        while let Some(Job { page, done }) = self.next() {
            let text = catch_unwind(AssertUnwindSafe(|| page.into_bytes())).ok();
            // The call fails only if the environment is ending; then nothing waits for the page.
            done.call(PageText(text));
        }
    }

    fn next(&self) -> Option<Job> {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let job = queue.jobs.pop_front();
        queue.is_running = job.is_some();
        job
    }
}

/// The text of a page; `undefined` in JavaScript if it was not rendered or is too long for a string.
pub struct PageText(Option<Vec<u8>>);

impl Argument for PageText {
    fn into_data(self) -> *mut c_void {
        Box::into_raw(Box::new(self)).cast()
    }

    #[expect(unsafe_code, reason = "takes back the memory of `into_data`")]
    unsafe fn from_data(data: *mut c_void) -> Self {
        // SAFETY: `data` is a box of `into_data`, which the caller passes once.
        unsafe { *Box::from_raw(data.cast()) }
    }

    #[expect(unsafe_code, reason = "Node-API functions are unsafe")]
    unsafe fn create(self, env: sys::napi_env, value: &mut sys::napi_value) -> i32 {
        let Some(page) = self.0 else { return sys::Status::napi_generic_failure };
        // Every page is UTF-8; the fallback only avoids a panic.
        let page = String::from_utf8(page)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        let (text, length) = (page.as_ptr().cast(), page.len().cast_signed());
        // SAFETY: the caller's contract for `env`; `text` and `length` are those of `page`.
        unsafe {
            if page.is_ascii() {
                // V8 copies Latin-1 without decoding.
                sys::napi_create_string_latin1(env, text, length, ptr::from_mut(value))
            } else {
                sys::napi_create_string_utf8(env, text, length, ptr::from_mut(value))
            }
        }
    }
}
