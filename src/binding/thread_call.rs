//! Calls a JavaScript function from any thread.
//!
//! In place of napi's own `ThreadsafeFunction` and `JsDeferred`, as Bare hands the finalizer of a
//! threadsafe function its two pointers the other way round, which those take for one another: a
//! crash. Here both are the same pointer. With `counter::pages`, the only `unsafe` there is.
//!
//! Invariant: the raw function in `Shared` is alive as long as it is there. Whoever uses it holds the
//! lock; the finalizer, which runs on the JavaScript thread before the memory goes, takes it out.

use std::{
    ffi::c_void,
    ptr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use napi::{
    Result, Status,
    bindgen_prelude::{Function, JsValue, check_status, retain_current_module_for_unload_safety},
    sys,
    threadsafe_function::UnknownReturnValue,
};

/// A JavaScript function that takes a number, and whose result is of no interest.
pub type NumberFunction<'a> = Function<'a, u32, UnknownReturnValue>;

/// Calls a JavaScript function on its thread.
pub struct ThreadCall(Arc<Shared>);

struct Shared(Mutex<Option<Raw>>);

struct Raw(sys::napi_threadsafe_function);

// SAFETY: to be used from any thread is what a threadsafe function is for.
#[expect(unsafe_code, reason = "vouches for a pointer of Node-API's")]
unsafe impl Send for Raw {}

impl Shared {
    fn raw(&self) -> MutexGuard<'_, Option<Raw>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ThreadCall {
    /// For calls of this function. With `keeps_alive`, the process does not end before this is dropped.
    pub fn new(function: &NumberFunction<'_>, keeps_alive: bool) -> Result<Self> {
        // Another thread runs this library's code from here on, maybe longer than the environment lives.
        retain_current_module_for_unload_safety();
        let value = function.value();
        let shared = Arc::new(Shared(Mutex::new(None)));
        let pointer = Arc::into_raw(Arc::clone(&shared)).cast_mut().cast::<c_void>();
        let mut raw = ptr::null_mut();
        // SAFETY: the environment and the function are those of the running call; `name` outlives the
        // call that reads it; `pointer` counts as one owner, which `finalize` takes back.
        #[expect(unsafe_code, reason = "makes a threadsafe function through Node-API")]
        let status = unsafe {
            let mut name = ptr::null_mut();
            sys::napi_create_string_utf8(
                value.env,
                c"hypertrace-prometheus".as_ptr(),
                21,
                &raw mut name,
            );
            let status = sys::napi_create_threadsafe_function(
                value.env,
                value.value,
                ptr::null_mut(),
                name,
                0,
                1,
                pointer,
                Some(finalize),
                pointer,
                Some(call),
                &raw mut raw,
            );
            if status != sys::Status::napi_ok {
                drop(Arc::from_raw(pointer.cast::<Shared>()));
            } else if !keeps_alive {
                sys::napi_unref_threadsafe_function(value.env, raw);
            }
            status
        };
        check_status!(status, "the threadsafe function was not made")?;
        *shared.raw() = Some(Raw(raw));
        Ok(Self(shared))
    }

    /// Has the function called with this number, soon; tells whether it will be.
    pub fn call(&self, number: u32) -> bool {
        let mut guard = self.0.raw();
        let Some(Raw(raw)) = *guard else { return false };
        let data = ptr::without_provenance_mut(number as usize);
        // SAFETY: `raw` is alive, as it is there and the lock is held.
        #[expect(unsafe_code, reason = "calls a threadsafe function through Node-API")]
        let status = unsafe {
            let mode = sys::ThreadsafeFunctionCallMode::nonblocking;
            sys::napi_call_threadsafe_function(raw, data, mode)
        };
        // That answer has let go of it for us as well.
        if Status::from(status) == Status::Closing {
            *guard = None;
        }
        status == sys::Status::napi_ok
    }
}

impl Drop for ThreadCall {
    fn drop(&mut self) {
        let mut guard = self.0.raw();
        if let Some(Raw(raw)) = guard.take() {
            // SAFETY: `raw` is alive, as it was there and the lock is held; nobody uses it after this.
            #[expect(unsafe_code, reason = "lets go of a threadsafe function through Node-API")]
            unsafe {
                let mode = sys::ThreadsafeFunctionReleaseMode::release;
                sys::napi_release_threadsafe_function(raw, mode);
            }
        }
    }
}

/// Runs on the JavaScript thread, once, when the threadsafe function is about to go.
extern "C" fn finalize(_: sys::napi_env, pointer: *mut c_void, _: *mut c_void) {
    // SAFETY: whichever of the two pointers it is, it is that of `Arc::into_raw` in `new`.
    #[expect(unsafe_code, reason = "takes back what was lent to Node-API")]
    let shared = unsafe { Arc::from_raw(pointer.cast::<Shared>()) };
    shared.raw().take();
}

/// Runs on the JavaScript thread, for each call; without an environment when that is going away.
extern "C" fn call(
    env: sys::napi_env,
    function: sys::napi_value,
    _: *mut c_void,
    data: *mut c_void,
) {
    if env.is_null() || function.is_null() {
        return;
    }
    let number = u32::try_from(data.addr()).unwrap_or_default();
    // SAFETY: Node-API hands over a live environment and function, inside a handle scope. What the
    // function throws is left pending, which is the runtime's to report.
    #[expect(unsafe_code, reason = "calls a JavaScript function through Node-API")]
    unsafe {
        let (mut this, mut argument) = (ptr::null_mut(), ptr::null_mut());
        if sys::napi_get_undefined(env, &raw mut this) == sys::Status::napi_ok
            && sys::napi_create_uint32(env, number, &raw mut argument) == sys::Status::napi_ok
        {
            sys::napi_call_function(env, this, function, 1, &raw const argument, ptr::null_mut());
        }
    }
}
