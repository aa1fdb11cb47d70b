//! Fan-out of what was committed, in order per drop.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc};

use crate::model::{DropId, DropSnapshot, Revision};
use crate::rules::Change;

use super::heads::{Heads, Published};
use super::updates::{Update, Updates};

/// Tells subscribers of each drop's changes in the order of revisions, each once, whoever
/// committed them and however they came here.
#[derive(Debug)]
pub(crate) struct Bus {
    heads: Heads,
    sender: broadcast::Sender<Update>,
    gaps: mpsc::Sender<DropId>,
}

impl Bus {
    /// A bus that keeps `capacity` updates for slow subscribers, and the drops in which it
    /// finds gaps.
    pub(crate) fn new(capacity: usize) -> (Self, mpsc::Receiver<DropId>) {
        let (gaps, found) = mpsc::channel(1024);
        let (sender, _) = broadcast::channel(capacity);
        (Self { heads: Heads::new(), sender, gaps }, found)
    }

    /// Everything published from now on.
    pub(crate) fn subscribe(&self) -> Updates {
        Updates::live(self.sender.subscribe())
    }

    /// Publishes a committed change, unless it is old or something before it is missing.
    pub(super) fn publish(&self, change: &Arc<Change>) -> Published {
        let send = || self.send(Update::Changed(change.clone()));
        self.heads.publish(change.drop_id, change.revision, send)
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
        self.heads.head(drop_id)
    }

    /// All drops known here.
    pub(super) fn known(&self) -> Vec<DropId> {
        self.heads.known()
    }

    /// Takes a drop's present revision as known, without publishing.
    pub(super) fn meet(&self, drop_id: DropId, revision: Revision) {
        self.heads.meet(drop_id, revision);
    }

    /// Goes over changes that are not to be had any more: subscribers are given the present
    /// state instead.
    pub(super) fn skip_to(&self, snapshot: &Arc<DropSnapshot>) {
        let send = || self.send(Update::Refreshed(snapshot.clone()));
        self.heads.skip_to(snapshot.id, snapshot.revision, send);
    }

    /// Forgets a deleted drop and says so, once.
    pub(crate) fn forget(&self, drop_id: DropId) {
        self.heads.forget(drop_id, || self.send(Update::Deleted(drop_id)));
    }

    fn send(&self, update: Update) {
        // Without subscribers there is nobody to tell.
        let _ = self.sender.send(update);
    }
}
