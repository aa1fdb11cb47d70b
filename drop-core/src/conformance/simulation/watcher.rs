//! Who watches an instance: a subscriber that reads the present state when it comes.

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt;

use crate::error::ServiceError;
use crate::model::{DropId, Revision};
use crate::runtime::{Update, Updates};
use crate::service::DropService;
use crate::store::DropPage;

use super::states::Incarnation;
use super::witness::Witness;

/// A subscriber, and what it knows.
#[derive(Debug)]
pub(super) struct Watcher {
    updates: Updates,
    /// The newest state that it knows of each drop, read or heard of.
    known: BTreeMap<DropId, Revision>,
    /// The last revision that it heard of, of each drop, on this subscription.
    heard: BTreeMap<DropId, Revision>,
    /// The drops that were said to be deleted.
    gone: BTreeSet<DropId>,
    /// A change that began further on than with the next after what it had read. It is right only
    /// where the instance had not met the drops yet, and then everybody has to come again.
    skipped: Option<String>,
}

impl Watcher {
    /// Subscribes and then reads what there is, as every watcher has to.
    pub(super) async fn come(service: DropService) -> Result<Self, ServiceError> {
        let updates = service.subscribe();
        let all = DropPage { status: None, after: None, limit: 1_000_000 };
        let read = service.drop_snapshots(&all).await?;
        let known = read.iter().map(|drop| (drop.id, drop.revision)).collect();
        let (heard, gone) = (BTreeMap::new(), BTreeSet::new());
        Ok(Self { updates, known, heard, gone, skipped: None })
    }

    /// Hears all there is to hear, and counts it; `None` once it has missed something and has
    /// to come again.
    ///
    /// # Panics
    /// Where it hears what is not so.
    pub(super) fn listen(&mut self, witness: &Witness) -> Option<u64> {
        let mut count = 0;
        while let Some(Some(update)) = self.updates.next().now_or_never() {
            count += 1;
            if let Update::Missed(_) = update {
                return None;
            }
            self.hear(&update, witness);
        }
        Some(count)
    }

    fn hear(&mut self, update: &Update, witness: &Witness) {
        match update {
            Update::Changed(change) => {
                let (id, revision) = (change.drop_id, change.revision);
                let committed = witness.change(id, revision);
                assert_eq!(committed, Some(&**change), "a watcher hears what was not committed");
                assert!(!self.gone.contains(&id), "a change of drop {id}, which was deleted");
                if let Some(last) = self.heard.insert(id, revision) {
                    assert_eq!(revision, last.next(), "a watcher of drop {id} after {last}");
                }
                let read = self.known.get(&id).copied().unwrap_or_default();
                // Who looked when it was deleted already did not miss what came before.
                let missed = revision > read.next() && !witness.is_deleted(id);
                if missed && self.skipped.is_none() {
                    self.skipped = Some(format!("of drop {id} from {read} to {revision}"));
                }
                self.knows(id, revision);
            }
            Update::Refreshed(snapshot) => {
                let (id, revision) = (snapshot.id, snapshot.revision);
                assert!(witness.change(id, revision).is_some(), "a state that never was");
                assert!(!self.gone.contains(&id), "a state of drop {id}, which was deleted");
                if let Some(last) = self.heard.insert(id, revision) {
                    assert!(revision > last, "drop {id} goes back from {last} to {revision}");
                }
                self.knows(id, revision);
            }
            Update::Opened(snapshot) => {
                let opened = snapshot.terms.window.has_opened(snapshot.as_of);
                assert!(opened, "a drop is said to be open before it is: {snapshot:?}");
            }
            Update::Ended(snapshot) => {
                let closed = snapshot.terms.window.has_closed(snapshot.as_of);
                assert!(closed, "a drop is said to have ended before it has: {snapshot:?}");
            }
            Update::Deleted(id) => {
                assert!(witness.is_deleted(*id), "drop {id} is said to be deleted and is not");
                assert!(self.gone.insert(*id), "drop {id} is said to be deleted twice");
                self.known.remove(id);
                self.heard.remove(id);
            }
            Update::Missed(_) => {}
        }
    }

    /// Takes a state over unless it knows a newer one.
    fn knows(&mut self, id: DropId, revision: Revision) {
        let known = self.known.entry(id).or_default();
        *known = revision.max(*known);
    }

    /// # Panics
    /// Where it does not know the present state of each drop, or has not heard every change.
    pub(super) fn converged(&self, incarnation: Incarnation, witness: &Witness) {
        assert_eq!(
            self.skipped, None,
            "changes that a watcher of incarnation {incarnation} never heard"
        );
        let present = witness.heads();
        assert_eq!(self.known, present, "what a watcher of incarnation {incarnation} knows");
    }
}
