//! Telling watchers that a window opens or closes.

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
        loop {
            let mut agenda = Agenda::new();
            if let Err(error) = self.load(&mut agenda).await {
                tracing::warn!(%error, "windows cannot be read; trying again");
                self.clock.sleep(self.retry).await;
                continue;
            }
            self.follow(&mut agenda, &mut updates).await;
        }
    }

    /// Works the agenda until updates were missed.
    async fn follow(&self, agenda: &mut Agenda<Entry>, updates: &mut Updates) {
        loop {
            let pause = agenda.pause(self.clock.now()).unwrap_or(Self::LONGEST_PAUSE);
            tokio::select! {
                () = self.clock.sleep(pause.min(Self::LONGEST_PAUSE)) => {}
                update = updates.next() => match update {
                    Some(Update::Changed(change)) => {
                        if let Some(terms) = &change.terms {
                            self.note(agenda, change.drop_id, terms.window, change.as_of);
                        }
                    }
                    Some(Update::Refreshed(snapshot)) => {
                        self.note(agenda, snapshot.id, snapshot.terms.window, snapshot.as_of);
                    }
                    Some(Update::Missed(_)) | None => return,
                    Some(_) => {}
                },
            }
            for entry in agenda.take_due(self.clock.now()) {
                if let Err(error) = self.announce(agenda, entry).await {
                    tracing::warn!(drop_id = %entry.0, %error, "window's edge not announced yet");
                    agenda.note(self.clock.now().saturating_add(self.retry), entry);
                }
            }
        }
    }

    async fn load(&self, agenda: &mut Agenda<Entry>) -> Result<(), StoreError> {
        for status in [DropStatus::Upcoming, DropStatus::Open] {
            let mut after = None;
            loop {
                let page = DropPage { status: Some(status), after, limit: Self::PAGE };
                let snapshots = self.store.snapshots(&page).await?;
                for snapshot in &snapshots {
                    self.note(agenda, snapshot.id, snapshot.terms.window, snapshot.as_of);
                }
                match snapshots.last() {
                    Some(last) if snapshots.len() == Self::PAGE => after = Some(last.id),
                    _ => break,
                }
            }
        }
        Ok(())
    }

    /// Notes the edges that lie after `as_of`, the store's time.
    fn note(&self, agenda: &mut Agenda<Entry>, id: DropId, window: Window, as_of: Timestamp) {
        let edges = [(Edge::Opens, Some(window.starts_at())), (Edge::Closes, window.ends_at())];
        for (edge, at) in edges {
            if let Some(at) = at.filter(|at| *at > as_of) {
                agenda.note(self.clock.now().saturating_add(at.since(as_of)), (id, edge, at));
            }
        }
    }

    /// Announces an edge if the drop still has it and the store's time has come.
    async fn announce(&self, agenda: &mut Agenda<Entry>, entry: Entry) -> Result<(), StoreError> {
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
            agenda.note(self.clock.now().saturating_add(rest), entry);
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
