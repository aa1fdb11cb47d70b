//! One drop on the board.

use std::collections::VecDeque;
use std::sync::Arc;

use drop_core::model::{DropId, DropSnapshot, DropStatus, Revision, Timestamp, Username};
use drop_core::rules::Change;

use crate::dto::{DropView, PurchaseCompleted, StockUpdated};

use super::frame::Event;

/// What is told, in order. The one who listens numbers and writes it.
pub(super) trait Listener {
    fn event(&mut self, drop_id: DropId, event: Event, payload: &impl serde::Serialize);
}

/// A drop as it is now, and what of its changes was not told yet.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) snapshot: DropSnapshot,
    /// The drop as JSON, as long as it and its status are what they were.
    rendered: Option<(DropStatus, Arc<str>)>,
    /// When stock was last told.
    pub(super) told_at: Option<Timestamp>,
    /// When it is to be told next, if something is kept back.
    pub(super) due: Option<Timestamp>,
    pub(super) stock_moved: bool,
    /// Who bought since stock was last told.
    buyers: VecDeque<Username>,
}

impl Entry {
    /// Purchases of one drop that are told after one `stockUpdated`; of more than that, the
    /// newest.
    const MAX_BUYERS: usize = 1024;

    pub(super) fn new(snapshot: DropSnapshot) -> Self {
        Self {
            snapshot,
            rendered: None,
            told_at: None,
            due: None,
            stock_moved: false,
            buyers: VecDeque::new(),
        }
    }

    /// The drop that a change created.
    pub(super) fn created(change: &Change) -> Option<Self> {
        let terms = change.terms.as_ref().filter(|_| change.revision == Revision::FIRST)?;
        Some(Self::new(DropSnapshot {
            id: change.drop_id,
            revision: change.revision,
            as_of: change.as_of,
            terms: terms.clone(),
            variants: change.variants.clone(),
            recent: change.recent.clone(),
            created_at: change.as_of,
            updated_at: change.as_of,
        }))
    }

    /// Takes a state that was read, unless it is older.
    pub(super) fn replace(&mut self, snapshot: &DropSnapshot) {
        if snapshot.revision >= self.snapshot.revision {
            self.snapshot = snapshot.clone();
            self.rendered = None;
        }
    }

    /// Takes a change in.
    pub(super) fn change(&mut self, change: &Change) {
        if change.revision > self.snapshot.revision {
            let snapshot = &mut self.snapshot;
            snapshot.revision = change.revision;
            snapshot.as_of = change.as_of;
            snapshot.updated_at = change.as_of;
            snapshot.variants.clone_from(&change.variants);
            snapshot.recent.clone_from(&change.recent);
            if let Some(terms) = &change.terms {
                snapshot.terms = terms.clone();
            }
            self.rendered = None;
        }
        // Told even if the state was read in the meantime: not the state is news, but that
        // it moved and who bought.
        self.stock_moved |= change.moved;
        self.buyers.extend(change.purchasers.iter().map(|buyer| buyer.username.clone()));
        while self.buyers.len() > Self::MAX_BUYERS {
            self.buyers.pop_front();
        }
    }

    /// Whether something is to be told.
    pub(super) fn has_news(&self) -> bool {
        self.stock_moved || !self.buyers.is_empty()
    }

    /// Tells what was kept back: the stock, then who bought. All of it has the drop's newest
    /// version, because it shows the newest state.
    pub(super) fn tell(&mut self, now: Timestamp, listener: &mut impl Listener) {
        let id = self.snapshot.id;
        if self.stock_moved {
            listener.event(id, Event::StockUpdated, &StockUpdated::new(&self.snapshot));
            self.stock_moved = false;
            self.told_at = Some(now);
        }
        for buyer in std::mem::take(&mut self.buyers) {
            let payload = PurchaseCompleted::new(&self.snapshot, &buyer);
            listener.event(id, Event::PurchaseCompleted, &payload);
        }
    }

    /// The drop as JSON, as it stands at `server_time`.
    pub(super) fn render(&mut self, server_time: Timestamp) -> Arc<str> {
        let status = self.snapshot.status(server_time);
        if let Some((_, json)) = self.rendered.as_ref().filter(|(known, _)| *known == status) {
            return json.clone();
        }
        let view = DropView::new(&self.snapshot, server_time);
        let json: Arc<str> = match serde_json::to_string(&view) {
            Ok(json) => json.into(),
            Err(error) => {
                tracing::error!(%error, "a drop cannot be written");
                "null".into()
            }
        };
        self.rendered = Some((status, json.clone()));
        json
    }
}
