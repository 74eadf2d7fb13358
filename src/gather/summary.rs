//! One summary: requests a sample from each JavaScript thread, waits for a short time, and sums the
//! counter in steps. Runs on the server thread.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use futures_util::future::BoxFuture;
use tokio::task::yield_now;

use super::{Gatherer, JsThread};
use crate::{
    default_metrics::process,
    summary::{Figures, Query, Summary},
};

/// Computes the summary of a query string: JSON, or what is wrong with the query.
pub fn summarise(
    gatherer: &Arc<Gatherer>,
    query: &str,
    js_timeout: Duration,
) -> BoxFuture<'static, Result<Vec<u8>, String>> {
    let gatherer = Arc::clone(gatherer);
    let query = Query::parse(query, gatherer.counter.schema()).map_err(|error| error.to_string());
    Box::pin(async move {
        let query = query?;
        let answering = gatherer.threads.peek(js_timeout).await;
        let mut summary = Summary::new(Arc::clone(&gatherer.counter), query);
        while summary.step() {
            yield_now().await;
        }
        Ok(summary.into_json(&gatherer.figures(answering)))
    })
}

impl Gatherer {
    fn figures(&self, answering: bool) -> Figures {
        let (wall, monotonic) = self.start;
        let threads = self.threads.all();
        // Of several threads: the slowest loop, the oldest sample, all heaps together.
        let heap = |at: usize| {
            let of = |thread: &Arc<JsThread>| thread.node.sample()?.heap.as_ref()?.get(at).copied();
            threads.iter().filter_map(of).reduce(|all, one| all + one)
        };
        let process = process::figures(self.process_sample().as_ref());
        Figures {
            start_time: wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            uptime: monotonic.elapsed().as_secs_f64(),
            answering,
            lag: threads.iter().map(|m| m.node.lag()).max().unwrap_or_default().as_secs_f64(),
            sample_age: threads
                .iter()
                .filter_map(|m| m.node.sample_age())
                .max()
                .map(|age| age.as_secs_f64()),
            process_start_time: process.start_time,
            cpu: process.cpu_user.zip(process.cpu_system).map(|(user, system)| user + system),
            resident_memory: process.resident_memory,
            heap_used: heap(1),
            heap_total: heap(0),
        }
    }
}
