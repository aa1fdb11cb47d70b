//! Catching up with what other instances committed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::error::StoreError;
use crate::model::{DropId, Revision};
use crate::store::Store;

use super::bus::Bus;
use super::heads::Published;

/// Brings the bus up to the store's feed: on hints, on gaps, and by a poll that stands behind
/// both.
#[derive(Debug)]
pub(crate) struct Feed {
    store: Arc<dyn Store>,
    bus: Arc<Bus>,
}

impl Feed {
    /// Changes or drops that are read at once.
    const PAGE: usize = 256;

    pub(crate) fn new(store: Arc<dyn Store>, bus: Arc<Bus>) -> Self {
        Self { store, bus }
    }

    /// Publishes what the feed has of a drop beyond the bus's head.
    ///
    /// # Cancel safety
    /// What was published stays published; the next call goes on from there.
    pub(crate) async fn catch_up(&self, drop_id: DropId) -> Result<(), StoreError> {
        // What was read before a deletion is no news after it.
        while !self.bus.is_deleted(drop_id) {
            let since = self.bus.head(drop_id).unwrap_or(Revision::ZERO);
            let changes = self.store.changes(drop_id, since, Self::PAGE).await?;
            let complete = changes.len() < Self::PAGE;
            for change in &changes {
                if self.bus.publish(change) == Published::Gap {
                    // Trimmed from the feed: the present state has to do.
                    if let Some(snapshot) = self.store.snapshot(drop_id).await? {
                        self.bus.skip_to(&Arc::new(snapshot));
                    }
                    break;
                }
            }
            if complete {
                break;
            }
        }
        Ok(())
    }

    /// Takes the present revisions as known: what happened before the workers ran is no news,
    /// except to those who subscribed before and cannot know whether they read it in time.
    async fn meet_all(&self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let heads = self.store.heads(after, Self::PAGE).await?;
            for (drop_id, revision) in &heads {
                self.bus.meet(*drop_id, *revision);
            }
            match heads.last() {
                Some((last, _)) if heads.len() == Self::PAGE => after = Some(*last),
                _ => break,
            }
        }
        self.bus.met();
        Ok(())
    }

    /// Compares every drop's revision with the bus's. A drop whose feed cannot be read keeps no
    /// other from its turn.
    async fn poll(&self) -> Result<(), StoreError> {
        // Looked at first: a drop created during the poll is not gone because it is not listed.
        let mut gone: BTreeSet<_> = self.bus.known().into_iter().collect();
        let mut after = None;
        loop {
            let heads = self.store.heads(after, Self::PAGE).await?;
            for (drop_id, revision) in &heads {
                gone.remove(drop_id);
                if self.bus.head(*drop_id).is_none_or(|head| head < *revision)
                    && let Err(error) = self.catch_up(*drop_id).await
                {
                    tracing::warn!(%drop_id, %error, "catching up failed; the next poll will");
                }
            }
            match heads.last() {
                Some((last, _)) if heads.len() == Self::PAGE => after = Some(*last),
                _ => break,
            }
        }
        for drop_id in gone {
            self.bus.forget(drop_id);
        }
        Ok(())
    }

    /// Follows hints, gaps and the poll until cancelled from outside.
    pub(super) async fn run(
        &self,
        clock: &dyn Clock,
        every: Duration,
        mut gaps: mpsc::Receiver<DropId>,
    ) {
        let mut hints = self.store.hints().fuse();
        let mut met = false;
        loop {
            let done = if met { self.poll().await } else { self.meet_all().await };
            match done {
                Ok(()) => met = true,
                Err(error) => tracing::warn!(%error, "the feed cannot be read; trying again"),
            }
            let pause = clock.sleep(every);
            tokio::pin!(pause);
            loop {
                let drop_id = tokio::select! {
                    // The poll first: no number of hints keeps it from its turn.
                    biased;
                    () = &mut pause => break,
                    Some(drop_id) = gaps.recv() => drop_id,
                    Some(drop_id) = hints.next() => drop_id,
                };
                if let Err(error) = self.catch_up(drop_id).await {
                    tracing::warn!(%drop_id, %error, "catching up failed; the poll will");
                }
            }
        }
    }
}
