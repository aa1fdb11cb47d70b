//! Expiry on the deadline, with a sweep behind it.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::clock::Clock;
use crate::error::ServiceError;
use crate::model::{DropId, Timestamp};
use crate::rules::Command;
use crate::store::Store;

use super::deadlines::{Deadlines, Origin};
use super::updates::{Update, Updates};
use super::writer::Writer;

/// Settles each hold within milliseconds of its deadline, by a command in the drop's lane.
///
/// Deadlines are the store's time, sleeping is this process's. What is slept is the distance
/// between a deadline and the `as_of` of the decision that set it, so a wrong clock here has
/// no effect. Every `sweep` the store is asked for deadlines that nobody here heard of:
/// another instance's, or those from before a restart. The store tells the earliest of each
/// drop; once such a one is settled it is asked for the next.
#[derive(Debug)]
pub(super) struct Expiry {
    pub(super) store: Arc<dyn Store>,
    pub(super) writer: Arc<Writer>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) sweep: Duration,
}

impl Expiry {
    /// How long to wait at least after an expiry that came too early: a store whose clock was
    /// set back may stand a moment before the deadline for long.
    const EARLY_PAUSE: Duration = Duration::from_millis(50);
    /// Drops that one sweep looks at.
    const SWEEP_LIMIT: usize = 1000;

    /// Runs until cancelled from outside.
    pub(super) async fn run(&self, mut updates: Updates) {
        let mut deadlines = Deadlines::new();
        let mut expiring = FuturesUnordered::new();
        loop {
            self.sweep(&mut deadlines).await;
            let next_sweep = self.clock.sleep(self.sweep);
            tokio::pin!(next_sweep);
            loop {
                let pause = deadlines.pause(self.clock.now()).unwrap_or(self.sweep);
                tokio::select! {
                    // In this order, so that news without end keep nothing else from its turn,
                    // and so that a simulation is the same each time.
                    biased;
                    () = &mut next_sweep => break,
                    () = self.clock.sleep(pause) => {}
                    Some((drop_id, answer)) = expiring.next() => {
                        if self.settled(&mut deadlines, drop_id, answer) {
                            break;
                        }
                    }
                    Some(update) = updates.next() => match update {
                        Update::Changed(change) => {
                            for deadline in change.deadlines() {
                                let at = self.at(change.as_of, deadline);
                                deadlines.note(at, change.drop_id, deadline, Origin::Heard);
                            }
                        }
                        Update::Missed(_) => break,
                        _ => {}
                    },
                }
                for drop_id in deadlines.take_due(self.clock.now()) {
                    expiring.push(self.expire(drop_id));
                }
            }
        }
    }

    async fn expire(&self, drop_id: DropId) -> (DropId, Result<Timestamp, ServiceError>) {
        let answer = self.writer.submit(drop_id, Command::Expire).await;
        (drop_id, answer.map(|answer| answer.as_of))
    }

    /// Says whether the store has to be asked for the drop's next deadline.
    fn settled(
        &self,
        deadlines: &mut Deadlines,
        drop_id: DropId,
        answer: Result<Timestamp, ServiceError>,
    ) -> bool {
        let Some((deadline, origin)) = deadlines.settled(drop_id) else {
            return false;
        };
        match answer {
            // A decision that came before the deadline has not settled it: once more.
            Ok(as_of) if as_of < deadline => {
                let soon = self.clock.now().saturating_add(Self::EARLY_PAUSE);
                let at = self.at(as_of, deadline).max(soon);
                deadlines.note(at, drop_id, deadline, origin);
                false
            }
            Ok(_) => origin == Origin::Swept,
            Err(error) => {
                tracing::debug!(%drop_id, %error, "expiry failed; the sweep will");
                false
            }
        }
    }

    /// When a deadline comes by this process's clock.
    fn at(&self, as_of: Timestamp, deadline: Timestamp) -> Timestamp {
        self.clock.now().saturating_add(deadline.since(as_of))
    }

    async fn sweep(&self, deadlines: &mut Deadlines) {
        match self.store.due(Self::SWEEP_LIMIT).await {
            Ok(due) => {
                for (drop_id, deadline) in due.deadlines {
                    let at = self.at(due.as_of, deadline);
                    deadlines.note(at, drop_id, deadline, Origin::Swept);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the sweep cannot read deadlines; trying again");
            }
        }
    }
}
