//! Fan-out of what was committed, in order per drop.

use std::collections::{BTreeSet, HashMap};
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
    state: Mutex<State>,
    sender: broadcast::Sender<Update>,
    gaps: mpsc::Sender<DropId>,
}

#[derive(Debug, Default)]
struct State {
    /// The last revision published of each drop.
    heads: HashMap<DropId, Revision>,
    /// Drops that readers here were shown and of which nothing was published yet.
    shown: BTreeSet<DropId>,
    /// Somebody follows who came before the store was met.
    awaited: bool,
    met: bool,
}

impl Bus {
    /// A bus that keeps `capacity` updates for slow subscribers, and the drops in which it
    /// finds gaps.
    pub(crate) fn new(capacity: usize) -> (Self, mpsc::Receiver<DropId>) {
        let (gaps, found) = mpsc::channel(1024);
        let (sender, _) = broadcast::channel(capacity);
        (Self { state: Mutex::new(State::default()), sender, gaps }, found)
    }

    /// Everything published from now on.
    pub(crate) fn subscribe(&self) -> Updates {
        Updates::live(self.sender.subscribe())
    }

    /// As [`Bus::subscribe`], for somebody who reads the present state beside it.
    pub(crate) fn follow(&self) -> Updates {
        let mut state = self.lock();
        state.awaited |= !state.met;
        self.subscribe()
    }

    /// Somebody here was shown these drops: if they are deleted, that is news.
    pub(crate) fn show(&self, drops: impl IntoIterator<Item = DropId>) {
        let mut state = self.lock();
        let State { heads, shown, .. } = &mut *state;
        shown.extend(drops.into_iter().filter(|drop_id| !heads.contains_key(drop_id)));
    }

    /// Whether somebody follows who came before the store was met.
    pub(super) fn is_awaited(&self) -> bool {
        self.lock().awaited
    }

    /// The store was met, and whoever awaited it was told.
    pub(super) fn met(&self) {
        self.lock().met = true;
    }

    /// Takes the present revisions as known, without publishing; `false`, and nothing done, where
    /// somebody awaits them.
    pub(super) fn meet(&self, revisions: impl IntoIterator<Item = (DropId, Revision)>) -> bool {
        let mut state = self.lock();
        if state.awaited {
            return false;
        }
        for (drop_id, revision) in revisions {
            if !state.heads.contains_key(&drop_id) {
                state.head(drop_id, revision);
            }
        }
        state.met = true;
        true
    }

    /// Publishes a committed change, unless it is old or something before it is missing.
    pub(super) fn publish(&self, change: &Arc<Change>) -> Published {
        let mut state = self.lock();
        match state.heads.get(&change.drop_id) {
            Some(head) if change.revision <= *head => return Published::Repeated,
            Some(head) if change.revision != head.next() => return Published::Gap,
            // Nobody here knows what came before, so nobody misses it.
            _ => {}
        }
        state.head(change.drop_id, change.revision);
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
        self.lock().heads.get(&drop_id).copied()
    }

    /// All drops known here.
    pub(super) fn known(&self) -> Vec<DropId> {
        let state = self.lock();
        state.heads.keys().chain(&state.shown).copied().collect()
    }

    /// Goes over changes that are not to be had any more: subscribers are given the present
    /// state instead.
    pub(super) fn skip_to(&self, snapshot: &Arc<DropSnapshot>) {
        let mut state = self.lock();
        let head = state.heads.get(&snapshot.id).copied().unwrap_or_default();
        if snapshot.revision > head {
            state.head(snapshot.id, snapshot.revision);
            self.send(Update::Refreshed(snapshot.clone()));
        }
    }

    /// Forgets a deleted drop and says so, once.
    pub(crate) fn forget(&self, drop_id: DropId) {
        let mut state = self.lock();
        let published = state.heads.remove(&drop_id).is_some();
        if state.shown.remove(&drop_id) || published {
            self.send(Update::Deleted(drop_id));
        }
    }

    fn send(&self, update: Update) {
        // Without subscribers there is nobody to tell.
        let _ = self.sender.send(update);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn head(&mut self, drop_id: DropId, revision: Revision) {
        self.shown.remove(&drop_id);
        self.heads.insert(drop_id, revision);
    }
}
