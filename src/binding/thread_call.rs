//! Calls a JavaScript function from any thread.
//!
//! napi's own `ThreadsafeFunction` and `JsDeferred` crash on Bare, which passes the finalizer of a
//! threadsafe function its two pointers in the other order. Here both pointers are the same one.
//!
//! Invariant: the raw function is alive as long as `Shared` contains it. Code that uses the raw function holds
//! the lock of `Shared`. The finalizer, which runs on the JavaScript thread before the memory is freed, removes
//! the function from `Shared`.

use std::{
    ffi::c_void,
    marker::PhantomData,
    ptr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use napi::{
    Env, Result, Status,
    bindgen_prelude::{
        Function, JsValue, JsValuesTupleIntoVec, check_status,
        retain_current_module_for_unload_safety,
    },
    sys,
    threadsafe_function::UnknownReturnValue,
};

/// A JavaScript function with one argument, whose result is ignored.
pub type Callback<'a, A> = Function<'a, A, UnknownReturnValue>;

/// The argument of a call. It crosses the threads as the data pointer of a threadsafe function. A small value
/// is a number in place of the pointer, so that a call allocates nothing. The pointer of a larger value is the
/// address of its memory.
pub trait Argument: Sized {
    /// Converts the argument into the data of one call.
    fn into_data(self) -> *mut c_void;

    /// Converts the data of one call back into its argument.
    ///
    /// # Safety
    ///
    /// `data` must be a result of `into_data`, and must be converted only once.
    #[expect(unsafe_code, reason = "the data may be memory")]
    unsafe fn from_data(data: *mut c_void) -> Self;

    /// Creates the JavaScript value. If that fails, the function gets `undefined`.
    ///
    /// # Safety
    ///
    /// `env` must be the live environment of the current thread, inside a handle scope.
    #[expect(unsafe_code, reason = "Node-API functions are unsafe")]
    unsafe fn create(self, env: sys::napi_env, value: &mut sys::napi_value) -> i32;
}

impl Argument for () {
    fn into_data(self) -> *mut c_void {
        ptr::null_mut()
    }

    #[expect(unsafe_code, reason = "the data may be memory")]
    unsafe fn from_data(_: *mut c_void) -> Self {}

    #[expect(unsafe_code, reason = "Node-API functions are unsafe")]
    unsafe fn create(self, env: sys::napi_env, value: &mut sys::napi_value) -> i32 {
        // SAFETY: the caller's contract.
        unsafe { sys::napi_get_undefined(env, value) }
    }
}

impl Argument for bool {
    fn into_data(self) -> *mut c_void {
        ptr::without_provenance_mut(self.into())
    }

    #[expect(unsafe_code, reason = "the data may be memory")]
    unsafe fn from_data(data: *mut c_void) -> Self {
        data.addr() != 0
    }

    #[expect(unsafe_code, reason = "Node-API functions are unsafe")]
    unsafe fn create(self, env: sys::napi_env, value: &mut sys::napi_value) -> i32 {
        // SAFETY: the caller's contract.
        unsafe { sys::napi_get_boolean(env, self, value) }
    }
}

impl Argument for u32 {
    fn into_data(self) -> *mut c_void {
        ptr::without_provenance_mut(self as usize)
    }

    #[expect(unsafe_code, reason = "the data may be memory")]
    unsafe fn from_data(data: *mut c_void) -> Self {
        Self::try_from(data.addr()).unwrap_or_default()
    }

    #[expect(unsafe_code, reason = "Node-API functions are unsafe")]
    unsafe fn create(self, env: sys::napi_env, value: &mut sys::napi_value) -> i32 {
        // SAFETY: the caller's contract.
        unsafe { sys::napi_create_uint32(env, self, value) }
    }
}

/// Calls one JavaScript function on its thread.
pub struct ThreadCall<A> {
    shared: Arc<Shared>,
    argument: PhantomData<fn(A)>,
}

struct Shared(Mutex<Option<Raw>>);

struct Raw(sys::napi_threadsafe_function);

// SAFETY: a threadsafe function may be used from any thread.
#[expect(unsafe_code, reason = "sends a pointer of Node-API to other threads")]
unsafe impl Send for Raw {}

impl Shared {
    fn raw(&self) -> MutexGuard<'_, Option<Raw>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: Argument> ThreadCall<A> {
    /// Makes a function callable from any thread. With `keeps_alive` the process does not end before this value
    /// is dropped.
    ///
    /// # Errors
    ///
    /// If Node-API refuses, as it does in an environment that is ending.
    pub fn new<V: JsValuesTupleIntoVec>(
        function: &Callback<'_, V>,
        keeps_alive: bool,
    ) -> Result<Self> {
        // From here on another thread runs this library's code, perhaps for longer than the environment exists.
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
                Some(call::<A>),
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
        Ok(Self { shared, argument: PhantomData })
    }

    /// Sets whether the process is kept alive. Runs on the JavaScript thread.
    pub fn set_keeps_alive(&self, env: &Env, keeps_alive: bool) {
        let guard = self.shared.raw();
        let Some(Raw(raw)) = *guard else { return };
        // SAFETY: `raw` is alive, as `Shared` contains it and the lock is held; `env` is that of the running
        // call.
        #[expect(unsafe_code, reason = "changes a threadsafe function through Node-API")]
        unsafe {
            if keeps_alive {
                sys::napi_ref_threadsafe_function(env.raw(), raw);
            } else {
                sys::napi_unref_threadsafe_function(env.raw(), raw);
            }
        }
    }

    /// Queues a call of the function and returns at once. Returns `false` if the environment is ending, so that
    /// the function will not be called.
    pub fn call(&self, argument: A) -> bool {
        let mut guard = self.shared.raw();
        let Some(Raw(raw)) = *guard else { return false };
        let data = argument.into_data();
        // SAFETY: `raw` is alive, as `Shared` contains it and the lock is held. If Node-API refuses the
        // call, it does not pass the data on, and the data is converted back here, once.
        #[expect(unsafe_code, reason = "calls a threadsafe function through Node-API")]
        let status = unsafe {
            let mode = sys::ThreadsafeFunctionCallMode::nonblocking;
            let status = sys::napi_call_threadsafe_function(raw, data, mode);
            if status != sys::Status::napi_ok {
                drop(A::from_data(data));
            }
            status
        };
        // With this status Node-API has released our reference.
        if Status::from(status) == Status::Closing {
            *guard = None;
        }
        status == sys::Status::napi_ok
    }
}

impl<A> Drop for ThreadCall<A> {
    fn drop(&mut self) {
        let mut guard = self.shared.raw();
        if let Some(Raw(raw)) = guard.take() {
            // SAFETY: `raw` is alive, as `Shared` contained it and the lock is held; it is not used after this.
            #[expect(unsafe_code, reason = "releases a threadsafe function through Node-API")]
            unsafe {
                let mode = sys::ThreadsafeFunctionReleaseMode::release;
                sys::napi_release_threadsafe_function(raw, mode);
            }
        }
    }
}

/// Runs on the JavaScript thread, once, when the threadsafe function is about to be freed.
extern "C" fn finalize(_: sys::napi_env, pointer: *mut c_void, _: *mut c_void) {
    // SAFETY: either of the two pointers is the one that `Arc::into_raw` returned in `new`.
    #[expect(unsafe_code, reason = "takes back the owner that Node-API held")]
    let shared = unsafe { Arc::from_raw(pointer.cast::<Shared>()) };
    shared.raw().take();
}

/// Runs on the JavaScript thread, for each call. `env` is null if the environment is ending.
extern "C" fn call<A: Argument>(
    env: sys::napi_env,
    function: sys::napi_value,
    _: *mut c_void,
    data: *mut c_void,
) {
    // SAFETY: Node-API passes the data of each call once.
    #[expect(unsafe_code, reason = "takes back the argument of a call")]
    let argument = unsafe { A::from_data(data) };
    if env.is_null() || function.is_null() {
        return;
    }
    // SAFETY: Node-API passes a live environment and function, inside a handle scope.
    #[expect(unsafe_code, reason = "calls a JavaScript function through Node-API")]
    unsafe {
        let (mut this, mut value) = (ptr::null_mut(), ptr::null_mut());
        if sys::napi_get_undefined(env, &raw mut this) != sys::Status::napi_ok {
            return;
        }
        if argument.create(env, &mut value) != sys::Status::napi_ok {
            value = this;
        }
        let status =
            sys::napi_call_function(env, this, function, 1, &raw const value, ptr::null_mut());
        if status == sys::Status::napi_pending_exception {
            // The functions catch the exceptions of user code. Other exceptions (a full stack, a worker
            // that is being terminated) must not become an uncaught exception of the application.
            let mut exception = ptr::null_mut();
            sys::napi_get_and_clear_last_exception(env, &raw mut exception);
        }
    }
}
