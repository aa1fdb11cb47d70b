//! The stream as one watcher gets it.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::channel::{Joined, Live};
use super::filter::Filter;
use super::frame::{Frame, News, Position, Snapshot, Written};

/// What a watcher is given next.
#[derive(Debug)]
pub(crate) enum Item {
    /// The present state, to begin with.
    First(Snapshot),
    /// The present state, in place of what the watcher was too slow to take.
    Again(Snapshot),
    /// An event.
    Event(Arc<Written>),
}

/// First the present state or what was missed, then each event once, in order. A watcher that
/// falls too far behind gets the present state again.
#[derive(Debug)]
pub(crate) struct Subscription {
    live: Arc<Live>,
    filter: Filter,
    receiver: broadcast::Receiver<Arc<Frame>>,
    first: Option<Snapshot>,
    missed: VecDeque<Arc<Frame>>,
}

impl Subscription {
    /// Begins after `last`, where that is still to be had, and else with the present state.
    pub(crate) fn begin(live: Arc<Live>, filter: Filter, last: Option<&Position>) -> Self {
        let Joined { receiver, snapshot, missed } = live.join(&filter, last);
        Self { live, filter, receiver, first: snapshot, missed }
    }

    /// What comes next; `None` when the hub is gone.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Item> {
        if let Some(snapshot) = self.first.take() {
            return Some(Item::First(snapshot));
        }
        loop {
            let frame = match self.missed.pop_front() {
                Some(frame) => frame,
                None => match self.receiver.recv().await {
                    Ok(frame) => frame,
                    Err(RecvError::Lagged(_)) => return self.again(),
                    Err(RecvError::Closed) => return None,
                },
            };
            match &frame.news {
                News::Resync => return self.again(),
                News::Event(written) if self.filter.wants(written.drop_id) => {
                    return Some(Item::Event(written.clone()));
                }
                News::Event(_) => {}
            }
        }
    }

    fn again(&mut self) -> Option<Item> {
        let Joined { receiver, snapshot, missed } = self.live.join(&self.filter, None);
        (self.receiver, self.missed) = (receiver, missed);
        snapshot.map(Item::Again)
    }
}
