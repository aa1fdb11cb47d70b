//! Fan-out of what was committed, in order per drop.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc};

use crate::model::{DropId, DropSnapshot, Revision};
use crate::rules::Change;

use super::heads::{Heads, Published};
use super::updates::{Update, Updates};
use super::watermark::{Tide, Watermark};

/// Tells subscribers of each drop's changes in the order of revisions, each once, whoever
/// committed them and however they came here.
#[derive(Debug)]
pub(crate) struct Bus {
    heads: Heads,
    sender: broadcast::Sender<Update>,
    gaps: mpsc::Sender<DropId>,
    tide: Tide,
}

impl Bus {
    /// A bus that keeps `capacity` updates for slow subscribers, and the drops in which it
    /// finds gaps.
    pub(crate) fn new(capacity: usize) -> (Self, mpsc::Receiver<DropId>) {
        let (gaps, found) = mpsc::channel(1024);
        let (sender, _) = broadcast::channel(capacity);
        (Self { heads: Heads::new(), sender, gaps, tide: Tide::default() }, found)
    }

    /// Everything published from now on.
    pub(crate) fn subscribe(&self) -> Updates {
        Updates::live(self.sender.subscribe())
    }

    /// How much has happened.
    pub(crate) fn watermark(&self) -> Watermark {
        self.tide.watermark()
    }

    /// Something may have changed that is not published here, or not yet.
    pub(crate) fn stir(&self) {
        self.tide.rise(true);
    }

    /// Publishes a committed change, unless it is old or something before it is missing.
    pub(super) fn publish(&self, change: &Arc<Change>) -> Published {
        // Also where it is not told now: whoever made it is about to hear that it is made.
        self.tide.rise(change.terms.is_some());
        let send = || self.send(Update::Changed(change.clone()));
        self.heads.publish(change.drop_id, change.revision, send)
    }

    /// Asks the feed to fill the gap in a drop. Where too many ask, the poll finds it.
    pub(super) fn report_gap(&self, drop_id: DropId) {
        let _ = self.gaps.try_send(drop_id);
    }

    /// Says that a drop's window has opened or closed.
    pub(super) fn announce(&self, update: Update) {
        // Whose clock is slow may still keep the drop as it stood before.
        self.tide.rise(false);
        self.send(update);
    }

    /// The last revision published of a drop.
    pub(super) fn head(&self, drop_id: DropId) -> Option<Revision> {
        self.heads.head(drop_id)
    }

    /// Whether subscribers were told that a drop was deleted; older deletions are forgotten.
    pub(super) fn is_deleted(&self, drop_id: DropId) -> bool {
        self.heads.is_deleted(drop_id)
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
    pub(crate) fn show(&self, drop_id: DropId, revision: Revision) {
        if self.heads.head(drop_id).is_none_or(|told| told < revision) {
            // Nobody was told of what this reader sees.
            self.tide.rise(false);
        }
        self.heads.show(drop_id);
    }

    /// Everything is known as it is now: who subscribed before has to look at it.
    pub(super) fn met(&self) {
        // Before it is said: whoever looks because of it is among those who were shown a drop.
        self.heads.met();
        // What was read before may be older than what was met.
        self.stir();
        self.send(Update::Missed(0));
    }

    /// Goes over changes that are not to be had any more: subscribers are given the present
    /// state instead.
    pub(super) fn skip_to(&self, snapshot: &Arc<DropSnapshot>) {
        self.stir();
        let send = || self.send(Update::Refreshed(snapshot.clone()));
        self.heads.skip_to(snapshot.id, snapshot.revision, send);
    }

    /// Forgets a deleted drop and says so, once. Nothing more is said of it after that.
    pub(crate) fn forget(&self, drop_id: DropId) {
        self.stir();
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

    use futures::FutureExt;

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

    #[tokio::test]
    async fn once_all_drops_are_met_one_that_is_not_known_is_told_from_its_first_change() {
        let (bus, _gaps) = Bus::new(16);
        bus.met();
        let mut updates = bus.subscribe();
        assert_eq!(bus.publish(&change(2)), Published::Gap, "nobody told of the first");
        bus.show(change(1).drop_id, Revision::FIRST);
        assert_eq!(bus.publish(&change(2)), Published::Gap, "nor did who was shown it");
        assert_eq!(bus.publish(&change(1)), Published::Sent);
        assert_eq!(bus.publish(&change(2)), Published::Sent);
        for expected in 1..=2 {
            assert_eq!(told(&mut updates).await, expected);
        }
    }

    #[tokio::test]
    async fn after_a_deletion_nothing_is_told_of_the_drop() {
        let (bus, _gaps) = Bus::new(16);
        bus.met();
        let mut updates = bus.subscribe();
        assert_eq!(bus.publish(&change(1)), Published::Sent);
        let id = change(1).drop_id;
        bus.forget(id);
        // A drain that committed before the deletion, a reader who read before it, and the poll.
        assert_eq!(bus.publish(&change(2)), Published::Repeated);
        bus.show(id, Revision::FIRST);
        bus.meet(id, Revision::new(2));
        assert!(bus.known().is_empty() && bus.is_deleted(id));
        bus.forget(id);
        assert_eq!(told(&mut updates).await, 1);
        assert!(matches!(updates.next().await, Some(Update::Deleted(_))));
        assert!(updates.next().now_or_never().is_none(), "and nothing more");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (bus, _gaps) = Bus::new(16);
        let ids = || (1..5000).map(|number| DropId::new(number).unwrap());
        ids().for_each(|id| bus.show(id, Revision::FIRST));
        assert!(bus.known().is_empty(), "whose workers do not run keeps nothing of what is read");
        bus.met();
        ids().for_each(|id| bus.show(id, Revision::FIRST));
        assert_eq!(bus.known().len(), 4999);
        ids().for_each(|id| bus.forget(id));
        assert!(bus.known().is_empty());
        assert_eq!(ids().filter(|id| bus.is_deleted(*id)).count(), 1024, "the latest");
    }
}
