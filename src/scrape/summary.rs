//! One summary: asks the JavaScript thread for a sample, waits a little, sums the counter in steps.
//!
//! Runs on the server thread.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use tokio::task::yield_now;

use super::Scraper;
use crate::{
    process,
    summary::{Figures, Query, Summary},
};

/// A summary in the making: JSON, or what is wrong with the query.
pub type Summing = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>>;

/// The summary that this query string asks for.
pub fn of(scraper: &Arc<Scraper>, query: &str, patience: Duration) -> Summing {
    let scraper = Arc::clone(scraper);
    let query = Query::parse(query, scraper.counter.schema()).map_err(|error| error.to_string());
    Box::pin(async move {
        let query = query?;
        let answering = scraper.node.peek(patience).await;
        let mut summary = Summary::new(Arc::clone(&scraper.counter), query);
        while summary.step() {
            yield_now().await;
        }
        Ok(summary.into_json(&scraper.figures(answering)))
    })
}

impl Scraper {
    fn figures(&self, answering: bool) -> Figures {
        let (wall, monotonic) = self.start;
        let sample = self.node.sample();
        let heap = |at: usize| sample.as_ref()?.heap.as_ref()?.get(at).copied();
        let process = process::figures(sample.as_ref().and_then(|s| s.process.as_ref()));
        Figures {
            start_time: wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            uptime: monotonic.elapsed().as_secs_f64(),
            answering,
            lag: self.node.lag().as_secs_f64(),
            sample_age: self.node.sample_age().map(|age| age.as_secs_f64()),
            process_start_time: process.start_time,
            cpu: process.cpu_user.zip(process.cpu_system).map(|(user, system)| user + system),
            resident_memory: process.resident_memory,
            heap_used: heap(1),
            heap_total: heap(0),
        }
    }
}
