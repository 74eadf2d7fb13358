//! Permits: the bounds on concurrent scrapes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{limits::Limits, response::Refusal};

/// A permit; its drop frees it.
pub(crate) type Permit = OwnedSemaphorePermit;

/// The free permits of a server.
pub(crate) struct PermitPools {
    scrapes: Arc<Semaphore>,
    buffered_pages: Arc<Semaphore>,
}

impl PermitPools {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            scrapes: Arc::new(Semaphore::new(limits.scrapes)),
            buffered_pages: Arc::new(Semaphore::new(limits.buffered_pages)),
        }
    }

    /// Takes a permit of a scrape or a summary.
    pub(crate) fn scrape(&self) -> Result<Permit, Refusal> {
        acquire(&self.scrapes, Refusal::BUSY)
    }

    /// Takes a permit of a page that is buffered as a whole.
    pub(crate) fn buffered_page(&self) -> Result<Permit, Refusal> {
        acquire(&self.buffered_pages, Refusal::BUSY_BUFFERED)
    }
}

fn acquire(pool: &Arc<Semaphore>, refusal: Refusal) -> Result<Permit, Refusal> {
    Arc::clone(pool).try_acquire_owned().map_err(|_| refusal)
}
