//! Telling watchers that a window opens or closes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::error::StoreError;
use crate::model::{DropId, DropStatus, Timestamp, Window};
use crate::store::{DropPage, Store};

use super::agenda::Agenda;
use super::bus::Bus;
use super::updates::{Update, Updates};

/// Which end of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    Opens,
    Closes,
}

type Entry = (DropId, Edge, Timestamp);

/// The edges to come, and the windows that they belong to.
#[derive(Debug)]
struct Calendar {
    agenda: Agenda<Entry>,
    /// The edges that are to be announced. One that was heard of twice is in the agenda twice,
    /// a moment apart.
    awaited: BTreeSet<Entry>,
    windows: BTreeMap<DropId, Window>,
}

impl Calendar {
    fn new() -> Self {
        Self { agenda: Agenda::new(), awaited: BTreeSet::new(), windows: BTreeMap::new() }
    }

    /// Notes an edge that comes `at`, by this process's clock.
    fn note(&mut self, at: Timestamp, entry: Entry) {
        self.awaited.insert(entry);
        if let Some(last) = self.agenda.note(at, entry) {
            self.awaited.remove(&last);
        }
    }

    /// The edges that are to be announced now, each once.
    fn take_due(&mut self, now: Timestamp) -> Vec<Entry> {
        let mut due = self.agenda.take_due(now);
        due.retain(|entry| self.awaited.remove(entry));
        due
    }
}

/// Announces the edges of windows. Nothing is committed at an edge: the rules look at the
/// window in each decision, so this only tells those who watch.
#[derive(Debug)]
pub(super) struct Windows {
    pub(super) store: Arc<dyn Store>,
    pub(super) bus: Arc<Bus>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) retry: Duration,
}

impl Windows {
    const PAGE: usize = 256;
    /// Clocks drift: a far edge is looked at again before it comes.
    const LONGEST_PAUSE: Duration = Duration::from_secs(60);

    /// Runs until cancelled from outside.
    pub(super) async fn run(&self, mut updates: Updates) {
        // Kept while windows are read again: an edge that comes meanwhile is past for what is read.
        let mut calendar = Calendar::new();
        loop {
            if let Err(error) = self.load(&mut calendar).await {
                tracing::warn!(%error, "windows cannot be read; trying again");
                self.clock.sleep(self.retry).await;
                continue;
            }
            self.follow(&mut calendar, &mut updates).await;
        }
    }

    /// Works the calendar until updates were missed.
    async fn follow(&self, calendar: &mut Calendar, updates: &mut Updates) {
        loop {
            let pause = calendar.agenda.pause(self.clock.now()).unwrap_or(Self::LONGEST_PAUSE);
            tokio::select! {
                // The edges first: no news keep them from their turn.
                biased;
                () = self.clock.sleep(pause.min(Self::LONGEST_PAUSE)) => {}
                update = updates.next() => match update {
                    Some(Update::Changed(change)) => {
                        if let Some(terms) = &change.terms {
                            self.moved(calendar, change.drop_id, terms.window, change.as_of);
                        }
                    }
                    Some(Update::Refreshed(snapshot)) => {
                        let window = snapshot.terms.window;
                        self.moved(calendar, snapshot.id, window, snapshot.as_of);
                    }
                    Some(Update::Deleted(id)) => {
                        calendar.windows.remove(&id);
                    }
                    Some(Update::Missed(_)) | None => return,
                    Some(_) => {}
                },
            }
            for entry in calendar.take_due(self.clock.now()) {
                if let Err(error) = self.announce(calendar, entry).await {
                    tracing::warn!(drop_id = %entry.0, %error, "window's edge not announced yet");
                    calendar.note(self.clock.now().saturating_add(self.retry), entry);
                }
            }
        }
    }

    /// A window is new or was moved: its edges to come are noted, and an edge that the move
    /// has put behind us is announced now.
    fn moved(&self, calendar: &mut Calendar, id: DropId, window: Window, as_of: Timestamp) {
        if let Some(old) = calendar.windows.insert(id, window) {
            let now = self.clock.now();
            if !old.has_opened(as_of) && window.has_opened(as_of) {
                calendar.note(now, (id, Edge::Opens, window.starts_at()));
            }
            if let Some(ends_at) = window.ends_at()
                && !old.has_closed(as_of)
                && window.has_closed(as_of)
            {
                calendar.note(now, (id, Edge::Closes, ends_at));
            }
        }
        self.note(calendar, id, window, as_of);
    }

    /// Reads the windows that have not closed.
    async fn load(&self, calendar: &mut Calendar) -> Result<(), StoreError> {
        let mut read = BTreeSet::new();
        for status in [DropStatus::Upcoming, DropStatus::Open] {
            let mut after = None;
            loop {
                let page = DropPage { status: Some(status), after, limit: Self::PAGE };
                let snapshots = self.store.snapshots(&page).await?;
                for snapshot in &snapshots {
                    read.insert(snapshot.id);
                    self.moved(calendar, snapshot.id, snapshot.terms.window, snapshot.as_of);
                }
                match snapshots.last() {
                    Some(last) if snapshots.len() == Self::PAGE => after = Some(last.id),
                    _ => break,
                }
            }
        }
        // The others have closed or are deleted: of those nothing is awaited but what is noted.
        calendar.windows.retain(|id, _| read.contains(id));
        Ok(())
    }

    /// Notes the edges that lie after `as_of`, the store's time.
    fn note(&self, calendar: &mut Calendar, id: DropId, window: Window, as_of: Timestamp) {
        let edges = [(Edge::Opens, Some(window.starts_at())), (Edge::Closes, window.ends_at())];
        for (edge, at) in edges {
            if let Some(at) = at.filter(|at| *at > as_of) {
                calendar.note(self.clock.now().saturating_add(at.since(as_of)), (id, edge, at));
            }
        }
    }

    /// Announces an edge if the drop still has it and the store's time has come.
    async fn announce(&self, calendar: &mut Calendar, entry: Entry) -> Result<(), StoreError> {
        let (id, edge, at) = entry;
        let Some(snapshot) = self.store.snapshot(id).await? else {
            return Ok(());
        };
        let window = snapshot.terms.window;
        let present = match edge {
            Edge::Opens => Some(window.starts_at()),
            Edge::Closes => window.ends_at(),
        };
        if present != Some(at) {
            return Ok(());
        }
        if snapshot.as_of < at {
            let rest = at.since(snapshot.as_of);
            calendar.note(self.clock.now().saturating_add(rest), entry);
            return Ok(());
        }
        let snapshot = Arc::new(snapshot);
        self.bus.announce(match edge {
            Edge::Opens => Update::Opened(snapshot),
            Edge::Closes => Update::Ended(snapshot),
        });
        Ok(())
    }
}
