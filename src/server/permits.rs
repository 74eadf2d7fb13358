//! Permits, which bound the number of concurrent scrapes and summaries.
//!
//! Scrapes have permits of their own ([`Connections`]), so that no other work can delay or reject them.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    connections::{Connection, Connections, CountGuard, ScrapePermit},
    limits::Limits,
    response::Refusal,
};

/// The longest wait for the permit of a summary.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The time between two searches for a summary whose client does not read it.
const RECHECK: Duration = Duration::from_millis(100);

/// A permit. It is freed when it is dropped.
#[expect(dead_code, reason = "a permit is only held")]
pub(crate) enum Permit {
    /// Permits a scrape.
    Scrape(ScrapePermit),
    /// Permits a summary.
    Summary(OwnedSemaphorePermit, CountGuard),
    /// Permits a page that is buffered as a whole.
    BufferedPage(OwnedSemaphorePermit),
}

/// The free permits of a server, except those of scrapes.
pub(crate) struct PermitPools {
    buffered_pages: Arc<Semaphore>,
    summaries: Arc<Semaphore>,
    /// One permit for each request that waits for the permit of a summary.
    waiting: Semaphore,
}

impl PermitPools {
    pub(crate) fn new(limits: &Limits) -> Self {
        let pool = |permits| Arc::new(Semaphore::new(permits));
        Self {
            buffered_pages: pool(limits.buffered_pages),
            summaries: pool(limits.summaries),
            waiting: Semaphore::new(limits.waiting_summaries),
        }
    }

    /// Acquires the permit of a page that is buffered as a whole.
    pub(crate) fn buffered_page(&self) -> Result<Permit, Refusal> {
        let permit = Arc::clone(&self.buffered_pages).try_acquire_owned();
        permit.map(Permit::BufferedPage).map_err(|_| Refusal::BUSY_BUFFERED)
    }

    /// Acquires the permit of a summary; waits for it in the order of the requests.
    pub(crate) async fn summary(
        &self,
        connections: &Connections,
        connection: &Connection,
    ) -> Result<Permit, Refusal> {
        let permit = if let Ok(permit) = Arc::clone(&self.summaries).try_acquire_owned() {
            permit
        } else {
            self.wait_for_summary(connections).await?
        };
        Ok(Permit::Summary(permit, connection.begin_summary()))
    }

    /// Waits for the permit of a summary, and ends summaries whose clients do not read them.
    async fn wait_for_summary(
        &self,
        connections: &Connections,
    ) -> Result<OwnedSemaphorePermit, Refusal> {
        let _waiting = self.waiting.try_acquire().map_err(|_| Refusal::BUSY_SUMMARIES)?;
        let begin = Instant::now();
        let mut permit = pin!(Arc::clone(&self.summaries).acquire_owned());
        while begin.elapsed() < MAX_WAIT {
            connections.end_slow_summary();
            if let Ok(Ok(permit)) = tokio::time::timeout(RECHECK, &mut permit).await {
                return Ok(permit);
            }
        }
        Err(Refusal::BUSY_SUMMARIES)
    }
}
