//! What a subscriber hears.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::model::{DropId, DropSnapshot, Revision};
use crate::rules::Change;

/// One piece of news for subscribers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Update {
    /// A committed change. Of one drop, revisions come in order and each once.
    Changed(Arc<Change>),
    /// The present state of a drop, in place of changes that are not to be had any more.
    Refreshed(Arc<DropSnapshot>),
    /// A drop's window has opened.
    Opened(Arc<DropSnapshot>),
    /// A drop's window has closed.
    Ended(Arc<DropSnapshot>),
    /// A drop was deleted.
    Deleted(DropId),
    /// So many updates were missed, or 0 where nobody can know: this subscriber was too slow, or
    /// came before the workers had met the store. Read the present state of what you follow,
    /// and go on.
    Missed(u64),
}

/// The updates of one subscriber, from [`DropService::subscribe`](crate::DropService::subscribe).
#[derive(Debug)]
pub struct Updates {
    live: broadcast::Receiver<Update>,
    replay: Option<Replay>,
}

/// A subscription to one drop that begins in the past.
#[derive(Debug)]
struct Replay {
    drop_id: DropId,
    waiting: VecDeque<Update>,
    seen: Revision,
    /// The drop is said to be gone: nothing more comes of it.
    gone: bool,
}

impl Updates {
    pub(super) fn live(live: broadcast::Receiver<Update>) -> Self {
        Self { live, replay: None }
    }

    /// Only this drop, beginning with `waiting`; live updates up to `seen` are in there.
    pub(crate) fn replayed(
        self,
        drop_id: DropId,
        waiting: VecDeque<Update>,
        seen: Revision,
    ) -> Self {
        let gone = matches!(waiting.back(), Some(Update::Deleted(_)));
        Self { live: self.live, replay: Some(Replay { drop_id, waiting, seen, gone }) }
    }

    /// The next update; `None` when the service is gone.
    ///
    /// # Cancel safety
    /// Dropping the future loses no update.
    pub async fn next(&mut self) -> Option<Update> {
        if let Some(update) = self.replay.as_mut().and_then(|replay| replay.waiting.pop_front()) {
            return Some(update);
        }
        loop {
            let update = match self.live.recv().await {
                Ok(update) => update,
                Err(RecvError::Lagged(missed)) => Update::Missed(missed),
                Err(RecvError::Closed) => return None,
            };
            if self.replay.as_ref().is_none_or(|replay| replay.wants(&update)) {
                return Some(update);
            }
        }
    }
}

impl Replay {
    fn wants(&self, update: &Update) -> bool {
        match update {
            Update::Missed(_) => true,
            _ if self.gone => false,
            Update::Changed(change) => {
                change.drop_id == self.drop_id && change.revision > self.seen
            }
            Update::Refreshed(snapshot) => {
                snapshot.id == self.drop_id && snapshot.revision > self.seen
            }
            Update::Opened(snapshot) | Update::Ended(snapshot) => snapshot.id == self.drop_id,
            Update::Deleted(drop_id) => *drop_id == self.drop_id,
        }
    }
}
