//! Readings of all series, for the user's registry and for metric producers. Runs on the JavaScript
//! thread.

use napi::{Env, Result, bindgen_prelude::Float64ArraySlice};
use napi_derive::napi;

use super::thread_call::{Callback, ThreadCall};
use crate::counter::{Reading, Start};

/// A reading of all series, in steps.
#[napi]
pub struct SeriesReading {
    reading: Option<Reading>,
}

impl SeriesReading {
    /// Creates the object of a reading.
    pub fn new(reading: Reading) -> Self {
        Self { reading: Some(reading) }
    }
}

#[napi]
impl SeriesReading {
    /// Returns three numbers for each of the next slots: the value of its series, and the start in seconds and
    /// nanoseconds. The value is 0 if the series was interned after the start of the reading. All three are 0
    /// for a free slot. Returns `null` at the end. The array has memory of V8, because Electron accepts no
    /// other memory.
    #[napi(catch_unwind, ts_return_type = "Float64Array | null")]
    pub fn step<'env>(&mut self, env: &'env Env) -> Result<Option<Float64ArraySlice<'env>>> {
        let Some(step) = self.reading.as_mut().and_then(Reading::step) else { return Ok(None) };
        let numbers = step.iter().flat_map(|series| {
            let [seconds, nanoseconds] = time(series.start);
            [series.value, seconds, nanoseconds]
        });
        Float64ArraySlice::copy_from(env, numbers.collect::<Vec<f64>>()).map(Some)
    }

    /// Returns the labels of slots that have been read, as names and values, alternating.
    #[napi(catch_unwind)]
    pub fn labels(&self, slots: Vec<u32>) -> Vec<Vec<String>> {
        self.reading.as_ref().map(|reading| reading.labels(slots)).unwrap_or_default()
    }

    /// Calls `done` in a later turn of the event loop, which does not depend on the clock of the
    /// application.
    ///
    /// # Errors
    ///
    /// If the environment is ending.
    #[napi(catch_unwind, ts_args_type = "done: () => void")]
    pub fn pause(done: Callback<'_, ()>) -> Result<()> {
        ThreadCall::new(&done, true)?.call(());
        Ok(())
    }

    /// Ends the reading as complete, and returns its time in seconds and nanoseconds; `null` if it has
    /// ended before.
    #[napi(catch_unwind, ts_return_type = "[seconds: number, nanoseconds: number] | null")]
    pub fn complete(&mut self) -> Option<Vec<f64>> {
        self.reading.take().map(|reading| time(reading.complete()).to_vec())
    }

    /// Ends a reading that is not complete.
    #[napi]
    pub fn end(&mut self) {
        self.reading = None;
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
fn time(start: Start) -> [f64; 2] {
    let (seconds, nanoseconds) = start.seconds();
    [seconds as f64, nanoseconds as f64]
}
