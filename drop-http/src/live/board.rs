//! The drops as they are now, and what watchers are told when they change.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::sync::Arc;
use std::time::Duration;

use drop_core::Update;
use drop_core::model::{DropId, DropSnapshot, DropStatus, Revision, Timestamp};
use drop_core::rules::Change;

#[cfg(feature = "socketio")]
use crate::dto::StockUpdated;
use crate::dto::{Deleted, DropNews, SoldOut};

use super::entry::{Entry, Listener};
use super::frame::Event;

/// What is left to do after an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing.
    Done,
    /// The board does not know this drop: insert it, then apply the update again.
    Read(DropId),
}

/// Every drop that is open or upcoming, and those that changed since.
///
/// Pure: the time comes in, frames go out to a [`Listener`].
#[derive(Debug)]
pub(super) struct Board {
    entries: BTreeMap<DropId, Entry>,
    /// When what of a drop was kept back is to be told.
    due: BTreeSet<(Timestamp, DropId)>,
    /// Within this long after it was told, a drop's stock is not told again.
    window: Duration,
}

impl Board {
    /// Drops in one snapshot, the newest; a client that wants more pages through the list.
    pub(super) const MAX_SNAPSHOT: usize = 1000;

    pub(super) fn new(window: Duration) -> Self {
        Self { entries: BTreeMap::new(), due: BTreeSet::new(), window }
    }

    /// Takes the present state of everything that is open or upcoming.
    pub(super) fn load(&mut self, snapshots: Vec<DropSnapshot>) {
        self.entries.clear();
        self.due.clear();
        let entry = |snapshot: DropSnapshot| (snapshot.id, Entry::new(snapshot));
        self.entries.extend(snapshots.into_iter().map(entry));
    }

    /// Takes the present state of a drop that the board does not know.
    pub(super) fn insert(&mut self, snapshot: DropSnapshot) {
        self.entries.entry(snapshot.id).or_insert_with(|| Entry::new(snapshot));
    }

    /// Forgets ended drops in which nothing has happened since `before`.
    pub(super) fn prune(&mut self, server_time: Timestamp, before: Timestamp) {
        self.entries.retain(|_, entry| {
            entry.due.is_some()
                || entry.snapshot.updated_at >= before
                || entry.snapshot.status(server_time) != DropStatus::Ended
        });
    }

    /// Takes an update in and tells what it is time to tell.
    pub(super) fn apply(
        &mut self,
        update: &Update,
        now: Timestamp,
        listener: &mut impl Listener,
    ) -> Next {
        match update {
            Update::Changed(change) => return self.changed(change, now, listener),
            Update::Refreshed(snapshot) => {
                self.put(snapshot).stock_moved = true;
                self.announce(snapshot.id, Event::DropChanged, snapshot.as_of, now, listener);
            }
            Update::Opened(snapshot) => {
                self.put(snapshot);
                self.announce(snapshot.id, Event::DropOpened, snapshot.as_of, now, listener);
            }
            Update::Ended(snapshot) => {
                self.put(snapshot);
                self.announce(snapshot.id, Event::DropEnded, snapshot.as_of, now, listener);
            }
            Update::Deleted(drop_id) => {
                let last = self.remove(*drop_id);
                listener.event(*drop_id, Event::DropChanged, &Deleted::new(*drop_id, last));
            }
            // `Missed` is the hub's; what comes later is nothing that watchers know.
            _ => {}
        }
        Next::Done
    }

    fn changed(&mut self, change: &Change, now: Timestamp, listener: &mut impl Listener) -> Next {
        let id = change.drop_id;
        let entry = match self.entries.entry(id) {
            btree_map::Entry::Occupied(known) => known.into_mut(),
            btree_map::Entry::Vacant(place) => match Entry::created(change) {
                Some(created) => place.insert(created),
                None => return Next::Read(id),
            },
        };
        entry.change(change);
        if change.revision == Revision::FIRST {
            // The drop itself is the news, and its stock is in there.
            entry.stock_moved = false;
        }
        if change.terms.is_some() {
            self.announce(id, Event::DropChanged, change.as_of, now, listener);
        }
        if change.sold_out {
            self.flush(id, now, listener);
            if let Some(entry) = self.entries.get(&id) {
                listener.event(id, Event::DropSoldOut, &SoldOut::new(&entry.snapshot));
            }
        }
        self.conflate(id, now, listener);
        Next::Done
    }

    /// Tells a drop's stock at once if it was quiet, or when its window is over.
    fn conflate(&mut self, id: DropId, now: Timestamp, listener: &mut impl Listener) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if !entry.has_news() {
            return;
        }
        match entry.told_at.map(|told_at| told_at.saturating_add(self.window)) {
            // A clock that was set back must not silence a drop.
            Some(open_at) if open_at > now && entry.told_at <= Some(now) => {
                if entry.due.is_none() {
                    entry.due = Some(open_at);
                    self.due.insert((open_at, id));
                }
            }
            _ => self.flush(id, now, listener),
        }
    }

    fn flush(&mut self, id: DropId, now: Timestamp, listener: &mut impl Listener) {
        if let Some(entry) = self.entries.get_mut(&id) {
            if let Some(due) = entry.due.take() {
                self.due.remove(&(due, id));
            }
            entry.tell(now, listener);
        }
    }

    /// Tells everything whose time has come.
    pub(super) fn flush_due(&mut self, now: Timestamp, listener: &mut impl Listener) {
        while let Some((due, id)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.due.remove(&(due, id));
            self.flush(id, now, listener);
        }
    }

    /// When the next has to be told.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    /// What is told at once, after what was kept back: versions do not go back.
    fn announce(
        &mut self,
        id: DropId,
        event: Event,
        as_of: Timestamp,
        now: Timestamp,
        listener: &mut impl Listener,
    ) {
        self.flush(id, now, listener);
        if let Some(entry) = self.entries.get(&id) {
            let as_of = as_of.max(entry.snapshot.as_of);
            listener.event(id, event, &DropNews::new(&entry.snapshot, as_of));
        }
    }

    fn put(&mut self, snapshot: &Arc<DropSnapshot>) -> &mut Entry {
        let entry = self
            .entries
            .entry(snapshot.id)
            .or_insert_with(|| Entry::new(snapshot.as_ref().clone()));
        entry.replace(snapshot);
        entry
    }

    fn remove(&mut self, id: DropId) -> Option<Revision> {
        let entry = self.entries.remove(&id)?;
        if let Some(due) = entry.due {
            self.due.remove(&(due, id));
        }
        Some(entry.snapshot.revision)
    }

    /// The open and upcoming drops as a JSON list, newest first as everywhere.
    pub(super) fn render(
        &mut self,
        only: Option<&BTreeSet<DropId>>,
        server_time: Timestamp,
    ) -> String {
        let mut list = String::from("[");
        for (count, entry) in self.present(only, server_time).enumerate() {
            if count > 0 {
                list.push(',');
            }
            list.push_str(&entry.render(server_time));
        }
        list.push(']');
        list
    }

    /// `stockUpdated` of each of them.
    #[cfg(feature = "socketio")]
    pub(super) fn stock(
        &mut self,
        only: Option<&BTreeSet<DropId>>,
        server_time: Timestamp,
    ) -> Vec<Box<serde_json::value::RawValue>> {
        self.present(only, server_time)
            .filter_map(|entry| {
                serde_json::value::to_raw_value(&StockUpdated::new(&entry.snapshot)).ok()
            })
            .collect()
    }

    fn present<'a>(
        &'a mut self,
        only: Option<&'a BTreeSet<DropId>>,
        server_time: Timestamp,
    ) -> impl Iterator<Item = &'a mut Entry> {
        self.entries
            .iter_mut()
            .rev()
            .filter(move |(id, _)| only.is_none_or(|only| only.contains(id)))
            .map(|(_, entry)| entry)
            .filter(move |entry| entry.snapshot.status(server_time) != DropStatus::Ended)
            .take(Self::MAX_SNAPSHOT)
    }
}

#[cfg(test)]
mod tests;
