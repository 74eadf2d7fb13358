//! One summary: requests a sample from each JavaScript thread, waits for a short time, and sums the
//! counter in steps. Runs on the server thread.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use tokio::task::yield_now;

use super::{Gatherer, JsThread, recorder::GroupQuery};
use crate::{
    default_metrics::process,
    labels::SITE_LABELS,
    recorder,
    server::{BoxFuture, HistoryError},
    summary::{EventLoopStats, ProcessStats, Query, Rates, RuntimeStats, Summary},
};

/// Resolves to the document as JSON, or to a message that says what is wrong with the query.
pub type SummaryFuture = BoxFuture<'static, Result<Vec<u8>, String>>;

/// Computes the summary of a query string.
pub fn summarise(gatherer: &Arc<Gatherer>, query: &str, js_timeout: Duration) -> SummaryFuture {
    let gatherer = Arc::clone(gatherer);
    let query = Query::parse(query, gatherer.counter.schema()).map_err(|error| error.to_string());
    Box::pin(async move {
        let query = query?;
        let answering = gatherer.threads.peek(js_timeout).await;
        let rates = gatherer.rates(&query).await;
        let mut summary = Summary::new(Arc::clone(&gatherer.counter), query, rates);
        while summary.step() {
            yield_now().await;
        }
        Ok(summary.into_json(&gatherer.runtime_stats(answering)))
    })
}

/// Resolves to the document of `/history.json`.
pub type HistoryFuture = BoxFuture<'static, Result<Vec<u8>, HistoryError>>;

/// Writes the document of `/history.json` for a query string.
pub fn history(gatherer: &Arc<Gatherer>, query: &str) -> HistoryFuture {
    let (recorder, counter) = (gatherer.recorder.clone(), Arc::clone(&gatherer.counter));
    let query = recorder::Query::parse(query, counter.schema()).map_err(|error| error.to_string());
    Box::pin(async move {
        let recorder = recorder.ok_or(HistoryError::Off)?;
        Ok(recorder.document(query.map_err(HistoryError::Query)?, counter).await)
    })
}

impl Gatherer {
    /// Returns the rates of the groups of a query.
    async fn rates(&self, query: &Query) -> Option<Rates> {
        let names = self.counter.schema().names();
        let mut labels = query.by.iter().chain(query.filters.iter().map(|(label, _)| label));
        let groups = labels.all(|&label| label < SITE_LABELS).then(|| GroupQuery {
            by: query.by.iter().map(|&label| names[label].clone()).collect(),
            filters: query
                .filters
                .iter()
                .map(|(label, value)| (names[*label].clone(), value.clone()))
                .collect(),
        });
        Arc::clone(self.recorder.as_ref()?).rates(query.window, groups).await
    }

    fn runtime_stats(&self, answering: bool) -> RuntimeStats {
        let (wall, monotonic) = self.start;
        let threads = self.threads.all();
        // With several threads: the slowest loop, the oldest sample, the sum of the heaps.
        let heap = |at: usize| {
            let of = |thread: &Arc<JsThread>| thread.node.sample()?.heap.as_ref()?.get(at).copied();
            threads.iter().filter_map(of).reduce(|all, one| all + one)
        };
        let lags = threads.iter().map(|thread| thread.node.lag());
        let ages = threads.iter().filter_map(|thread| thread.node.sample_age());
        let process = process::figures(self.process_sample().as_ref());
        RuntimeStats {
            start_time: wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            uptime: monotonic.elapsed().as_secs_f64(),
            event_loop: EventLoopStats {
                answering,
                lag_seconds: lags.max().unwrap_or_default().as_secs_f64(),
                sample_age_seconds: ages.max().map(|age| age.as_secs_f64()),
            },
            default_labels: self.counter.default_labels().to_vec(),
            process: ProcessStats {
                name: self.identity.name.clone(),
                pid: std::process::id(),
                node_version: self.identity.node_version.clone(),
                threads: threads.len(),
                start_time_seconds: process.start_time,
                cpu_seconds: process
                    .cpu_user
                    .zip(process.cpu_system)
                    .map(|(user, system)| user + system),
                resident_memory_bytes: process.resident_memory,
                heap_used_bytes: heap(1),
                heap_total_bytes: heap(0),
            },
        }
    }
}
