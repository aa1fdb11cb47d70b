//! The task behind the sockets.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use drop_core::model::{DropSnapshot, DropStatus};
use drop_core::store::DropPage;
use drop_core::{Clock, DropService, ServiceError, Update, Updates};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::metrics::Metrics;
use crate::throttle::Throttle;

use super::board::Next;
use super::channel::Live;

/// What has to run beside the router: it follows the service and feeds every socket.
///
/// The host owns its life. While it does not run, REST works and sockets are refused; when it
/// is cancelled or dropped, they are closed.
#[must_use = "without its hub a router refuses every socket"]
pub struct Hub {
    parts: HubParts,
    _closing: DropGuard,
}

/// What a hub is made of.
pub(crate) struct HubParts {
    pub(crate) service: DropService,
    pub(crate) live: Arc<Live>,
    /// What has to be tidied now and then.
    pub(crate) throttles: Vec<Arc<Throttle>>,
    pub(crate) metrics: Arc<Metrics>,
    #[cfg(feature = "socketio")]
    pub(crate) io: socketioxide::SocketIo,
}

/// How the following of the service ended.
enum Followed {
    /// Updates were missed: everything has to be read anew.
    Behind,
    /// The service is gone.
    Over,
}

impl Hub {
    /// Between two readings of the store's time.
    const TIDY_EVERY: Duration = Duration::from_secs(10);
    /// Between two attempts to read the drops.
    const RETRY_AFTER: Duration = Duration::from_secs(1);
    /// A drop that ended is remembered for as long as holds may still move it.
    const FORGET_AFTER: Duration = Duration::from_secs(600);
    /// When nothing is due, there is nothing to wake up for.
    const IDLE: Duration = Duration::from_secs(3600);
    /// How long sockets may take to say goodbye.
    const GOODBYE: Duration = Duration::from_secs(3);
    const PAGE: usize = 256;
    /// Drops on the board at most, the newest.
    const MAX_DROPS: usize = 10_000;

    pub(crate) fn new(parts: HubParts) -> Self {
        let closing = parts.live.closing().clone().drop_guard();
        Self { parts, _closing: closing }
    }

    /// Runs until `cancel`, then closes every socket (`/ws` with 1001; Socket.IO's engine sends a
    /// close without a code) and returns.
    ///
    /// # Cancel safety
    /// Dropping the future closes every socket without waiting for it.
    pub async fn run(self, cancel: CancellationToken) {
        tokio::select! {
            () = self.follow() => {}
            () = self.tidy() => {}
            () = cancel.cancelled() => {}
        }
        let live = self.live();
        live.closing().cancel();
        #[cfg(feature = "socketio")]
        self.parts.io.close().await;
        if tokio::time::timeout(Self::GOODBYE, live.empty()).await.is_err() {
            tracing::warn!("some sockets did not close in time");
        }
    }

    fn live(&self) -> &Arc<Live> {
        &self.parts.live
    }

    fn clock(&self) -> &dyn Clock {
        &**self.live().clock()
    }

    async fn follow(&self) {
        // Subscribed before the drops are read, so that no change falls between.
        let mut updates = self.parts.service.subscribe();
        loop {
            if let Err(error) = self.load().await {
                tracing::warn!(%error, "the drops cannot be read; trying again");
                self.clock().sleep(Self::RETRY_AFTER).await;
                continue;
            }
            match self.pump(&mut updates).await {
                Ok(Followed::Behind) => {}
                Ok(Followed::Over) => return,
                Err(error) => {
                    tracing::warn!(%error, "a drop cannot be read; reading all again");
                    self.clock().sleep(Self::RETRY_AFTER).await;
                }
            }
        }
    }

    async fn load(&self) -> Result<(), ServiceError> {
        let mut drops: Vec<DropSnapshot> = Vec::new();
        for status in [DropStatus::Upcoming, DropStatus::Open] {
            let mut after = None;
            loop {
                let page = DropPage { status: Some(status), after, limit: Self::PAGE };
                let snapshots = self.parts.service.drop_snapshots(&page).await?;
                after = snapshots.last().map(|last| last.id);
                let complete = snapshots.len() < Self::PAGE;
                drops.extend(snapshots);
                if complete || drops.len() >= Self::MAX_DROPS {
                    break;
                }
            }
        }
        let store_time = self.parts.service.ready().await?;
        self.live().load(drops, store_time);
        Ok(())
    }

    async fn pump(&self, updates: &mut Updates) -> Result<Followed, ServiceError> {
        loop {
            let pause = self.live().pause().unwrap_or(Self::IDLE);
            // Under load there is always news: what is due is told after each of them, and the
            // clock is asked only where there is none.
            let quiet = async { self.clock().sleep(pause).await };
            let update = tokio::select! {
                biased;
                update = updates.next() => Some(update),
                () = quiet => None,
            };
            match update {
                Some(None) => return Ok(Followed::Over),
                Some(Some(Update::Missed(missed))) => {
                    if missed > 0 {
                        tracing::warn!(missed, "the hub fell behind; reading all drops again");
                    }
                    return Ok(Followed::Behind);
                }
                Some(Some(update)) => self.apply(&update).await?,
                None => {}
            }
            self.live().flush_due();
        }
    }

    async fn apply(&self, update: &Update) -> Result<(), ServiceError> {
        if let Next::Read(id) = self.live().apply(update) {
            // A drop that ended before the hub began; if it is gone, so is the news.
            if let Some(snapshot) = self.parts.service.drop_snapshot(id).await? {
                self.live().insert(snapshot);
                self.live().apply(update);
            }
        }
        Ok(())
    }

    async fn tidy(&self) {
        loop {
            self.clock().sleep(Self::TIDY_EVERY).await;
            match self.parts.service.ready().await {
                Ok(store_time) => self.live().tidy(store_time, Self::FORGET_AFTER),
                Err(error) => tracing::debug!(%error, "the store's time cannot be read"),
            }
            for throttle in &self.parts.throttles {
                throttle.tidy();
            }
            self.parts.metrics.tidy();
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("live", &self.parts.live).finish_non_exhaustive()
    }
}
