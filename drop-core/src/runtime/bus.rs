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

    /// Somebody here was shown a drop: if it is deleted, that is news.
    pub(crate) fn show(&self, drop_id: DropId) {
        self.heads.show(drop_id);
    }

    /// Everything is known as it is now: who subscribed before has to look at it.
    pub(super) fn met(&self) {
        self.send(Update::Missed(0));
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Bus, Change, DropId, Published, Revision, Update, Updates};
    use crate::model::{DropTerms, NewDrop, Timestamp, Units};

    fn change(revision: u64) -> Arc<Change> {
        let terms = DropTerms::new("Air One", "149.99", Default::default()).unwrap();
        let new = NewDrop::plain(terms, Units::ONE).unwrap();
        let first = Change::created(DropId::new(1).unwrap(), &new, Timestamp::EPOCH);
        Arc::new(Change { revision: Revision::new(revision), ..first })
    }

    async fn told(updates: &mut Updates) -> u64 {
        match updates.next().await {
            Some(Update::Changed(change)) => change.revision.get(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn each_change_is_told_once_and_none_before_the_one_before_it() {
        let (bus, _gaps) = Bus::new(16);
        let mut updates = bus.subscribe();
        assert_eq!(bus.publish(&change(4)), Published::Sent, "nobody knew the drop");
        assert_eq!(bus.publish(&change(4)), Published::Repeated);
        assert_eq!(bus.publish(&change(3)), Published::Repeated);
        assert_eq!(bus.publish(&change(6)), Published::Gap);
        assert_eq!(bus.head(change(1).drop_id), Some(Revision::new(4)));
        assert_eq!(bus.publish(&change(5)), Published::Sent);
        assert_eq!(bus.publish(&change(6)), Published::Sent);
        for expected in 4..=6 {
            assert_eq!(told(&mut updates).await, expected);
        }
        bus.forget(change(1).drop_id);
        assert!(matches!(updates.next().await, Some(Update::Deleted(_))), "nothing between");
    }
}
