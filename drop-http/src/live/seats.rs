//! How many sockets may be connected, counted over all transports.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metrics::{Metrics, Transport};

/// The seats of one router.
#[derive(Debug)]
pub(crate) struct Seats {
    free: Arc<Semaphore>,
    all: u32,
    metrics: Arc<Metrics>,
}

/// One connected socket; it leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    transport: Transport,
    metrics: Arc<Metrics>,
    _permit: OwnedSemaphorePermit,
}

impl Seats {
    pub(crate) fn new(all: u32, metrics: Arc<Metrics>) -> Self {
        let permits = usize::try_from(all).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(permits)), all, metrics }
    }

    /// A seat, if there is one.
    pub(crate) fn take(&self, transport: Transport) -> Option<Seat> {
        let permit = self.free.clone().try_acquire_owned().ok()?;
        self.metrics.connected(transport);
        Some(Seat { transport, metrics: self.metrics.clone(), _permit: permit })
    }

    /// Waits until everybody has left.
    pub(crate) async fn empty(&self) {
        // Closed never, so an error cannot be.
        let _ = self.free.acquire_many(self.all).await;
    }
}

impl Seat {
    /// This socket was too slow and got the present state.
    pub(crate) fn resynced(&self) {
        self.metrics.resync(self.transport);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.metrics.disconnected(self.transport);
    }
}
