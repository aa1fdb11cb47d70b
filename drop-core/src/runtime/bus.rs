//! Fan-out of what was committed, in order per drop.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, mpsc};

use crate::model::{DropId, DropSnapshot, Revision};
use crate::rules::Change;

use super::updates::{Update, Updates};

/// What became of a change that was handed to the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Published {
    /// Subscribers have it.
    Sent,
    /// They had it before.
    Repeated,
    /// Changes before it are missing here: another instance made them.
    Gap,
}

/// Tells subscribers of each drop's changes in the order of revisions, each once, whoever
/// committed them and however they came here.
#[derive(Debug)]
pub(crate) struct Bus {
    heads: Mutex<HashMap<DropId, Revision>>,
    sender: broadcast::Sender<Update>,
    gaps: mpsc::Sender<DropId>,
}

impl Bus {
    /// A bus that keeps `capacity` updates for slow subscribers, and the drops in which it
    /// finds gaps.
    pub(crate) fn new(capacity: usize) -> (Self, mpsc::Receiver<DropId>) {
        let (gaps, found) = mpsc::channel(1024);
        let (sender, _) = broadcast::channel(capacity);
        (Self { heads: Mutex::new(HashMap::new()), sender, gaps }, found)
    }

    /// Everything published from now on.
    pub(crate) fn subscribe(&self) -> Updates {
        Updates::live(self.sender.subscribe())
    }

    /// Publishes a committed change, unless it is old or something before it is missing.
    pub(super) fn publish(&self, change: &Arc<Change>) -> Published {
        let mut heads = self.lock();
        match heads.get(&change.drop_id) {
            Some(head) if change.revision <= *head => return Published::Repeated,
            Some(head) if change.revision != head.next() => return Published::Gap,
            // Nobody here knows what came before, so nobody misses it.
            _ => {}
        }
        heads.insert(change.drop_id, change.revision);
        // Under the lock, or two changes could overtake each other.
        self.send(Update::Changed(change.clone()));
        Published::Sent
    }

    /// Asks the feed to fill the gap in a drop. Where too many ask, the poll finds it.
    pub(super) fn report_gap(&self, drop_id: DropId) {
        let _ = self.gaps.try_send(drop_id);
    }

    /// Says that a drop's window has opened or closed.
    pub(super) fn announce(&self, update: Update) {
        self.send(update);
    }

    /// The last revision published of a drop.
    pub(super) fn head(&self, drop_id: DropId) -> Option<Revision> {
        self.lock().get(&drop_id).copied()
    }

    /// All drops known here.
    pub(super) fn known(&self) -> Vec<DropId> {
        self.lock().keys().copied().collect()
    }

    /// Takes the present revisions of drops as known, without publishing. What a reader here
    /// was given is known too: whoever subscribed before that hears of everything after it.
    pub(crate) fn meet(&self, revisions: impl IntoIterator<Item = (DropId, Revision)>) {
        let mut heads = self.lock();
        for (drop_id, revision) in revisions {
            heads.entry(drop_id).or_insert(revision);
        }
    }

    /// Goes over changes that are not to be had any more: subscribers are given the present
    /// state instead.
    pub(super) fn skip_to(&self, snapshot: &Arc<DropSnapshot>) {
        let mut heads = self.lock();
        let head = heads.entry(snapshot.id).or_default();
        if snapshot.revision > *head {
            *head = snapshot.revision;
            self.send(Update::Refreshed(snapshot.clone()));
        }
    }

    /// Forgets a deleted drop and says so, once.
    pub(crate) fn forget(&self, drop_id: DropId) {
        let mut heads = self.lock();
        if heads.remove(&drop_id).is_some() {
            self.send(Update::Deleted(drop_id));
        }
    }

    fn send(&self, update: Update) {
        // Without subscribers there is nobody to tell.
        let _ = self.sender.send(update);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DropId, Revision>> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
