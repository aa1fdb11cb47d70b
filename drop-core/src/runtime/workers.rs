//! The tasks that the host runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::model::DropId;
use crate::store::Store;

use super::bus::Bus;
use super::expiry::Expiry;
use super::feed::Feed;
use super::windows::Windows;
use super::writer::Writer;

/// How often workers look, where nothing tells them to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Between two sweeps for lapsed holds.
    pub(crate) sweep: Duration,
    /// Between two polls of the feed.
    pub(crate) poll: Duration,
    /// Changes kept of each drop.
    pub(crate) keep_changes: u32,
}

/// What has to run beside the service: expiry, the feed, windows, and the feed's trimming.
///
/// The host owns their life. Without them sales are still right (each batch settles what has
/// lapsed before it decides), but nobody is told that a hold lapsed or that another instance
/// sold something.
#[derive(Debug)]
#[must_use = "without its workers a service does not tell watchers of lapsed holds"]
pub struct Workers {
    store: Arc<dyn Store>,
    writer: Arc<Writer>,
    bus: Arc<Bus>,
    feed: Arc<Feed>,
    clock: Arc<dyn Clock>,
    pace: Pace,
    gaps: mpsc::Receiver<DropId>,
}

impl Workers {
    /// Between two trims of the feed.
    const TRIM_EVERY: Duration = Duration::from_secs(60);

    pub(crate) fn new(
        store: Arc<dyn Store>,
        writer: Arc<Writer>,
        bus: Arc<Bus>,
        feed: Arc<Feed>,
        clock: Arc<dyn Clock>,
        pace: Pace,
        gaps: mpsc::Receiver<DropId>,
    ) -> Self {
        Self { store, writer, bus, feed, clock, pace, gaps }
    }

    /// Runs until `cancel`, then refuses new commands, finishes those accepted and returns.
    ///
    /// # Cancel safety
    /// Dropping the future stops the workers at once; commands in flight still run to their
    /// end in tasks of their own.
    pub async fn run(self, cancel: CancellationToken) {
        let Self { store, writer, bus, feed, clock, pace, gaps } = self;
        let expiry = Expiry {
            store: store.clone(),
            writer: writer.clone(),
            clock: clock.clone(),
            sweep: pace.sweep,
        };
        let windows = Windows {
            store: store.clone(),
            bus: bus.clone(),
            clock: clock.clone(),
            retry: pace.poll,
        };
        // Subscribed before anything runs, so that no commit falls between.
        let (for_expiry, for_windows) = (bus.subscribe(), bus.subscribe());
        let work = futures::future::join4(
            expiry.run(for_expiry),
            windows.run(for_windows),
            feed.run(&*clock, pace.poll, gaps),
            trim(&*store, &*clock, pace.keep_changes),
        );
        tokio::select! {
            biased;
            () = cancel.cancelled() => {}
            _ = work => {}
        }
        writer.close().await;
    }
}

async fn trim(store: &dyn Store, clock: &dyn Clock, keep: u32) {
    loop {
        clock.sleep(Workers::TRIM_EVERY).await;
        match store.trim(keep).await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "feed trimmed"),
            Err(error) => tracing::warn!(%error, "feed not trimmed; trying again"),
        }
    }
}
