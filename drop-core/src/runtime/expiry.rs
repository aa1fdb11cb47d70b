//! Expiry on the deadline, with a sweep behind it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::clock::Clock;
use crate::error::{ServiceError, StoreError};
use crate::model::{DropId, Timestamp};
use crate::rules::Command;
use crate::store::Store;

use super::agenda::Agenda;
use super::updates::{Update, Updates};
use super::writer::Writer;

/// Settles each hold within milliseconds of its deadline, by a command in the drop's lane.
///
/// Deadlines are the store's time, sleeping is this process's. What is slept is the distance
/// between a deadline and the `as_of` of the decision that set it, so a wrong clock here has
/// no effect. Every `sweep` the store is asked for deadlines that nobody here heard of:
/// another instance's, or those from before a restart.
#[derive(Debug)]
pub(super) struct Expiry {
    pub(super) store: Arc<dyn Store>,
    pub(super) writer: Arc<Writer>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) sweep: Duration,
}

impl Expiry {
    /// Drops that one sweep looks at.
    const SWEEP_LIMIT: usize = 1000;

    /// Runs until cancelled from outside.
    pub(super) async fn run(&self, mut updates: Updates) {
        let mut agenda = Agenda::new();
        let mut expiring = FuturesUnordered::new();
        // One command per drop is in its lane at a time; it settles all that is due by then.
        // The latest deadline that came up meanwhile is kept.
        let mut in_lane: BTreeMap<DropId, Timestamp> = BTreeMap::new();
        loop {
            self.sweep(&mut agenda).await;
            let next_sweep = self.clock.sleep(self.sweep);
            tokio::pin!(next_sweep);
            loop {
                let pause = agenda.pause(self.clock.now()).unwrap_or(self.sweep);
                tokio::select! {
                    () = self.clock.sleep(pause) => {}
                    Some(update) = updates.next() => match update {
                        Update::Changed(change) => {
                            if let Some(deadline) = change.next_deadline() {
                                self.note(&mut agenda, change.drop_id, change.as_of, deadline);
                            }
                        }
                        Update::Missed(_) => break,
                        _ => {}
                    },
                    Some((drop_id, answer)) = expiring.next() => {
                        if let Some(deadline) = in_lane.remove(&drop_id) {
                            self.settled(&mut agenda, drop_id, deadline, answer);
                        }
                    }
                    () = &mut next_sweep => break,
                }
                for (drop_id, deadline) in agenda.take_due(self.clock.now()) {
                    let latest = in_lane.entry(drop_id).or_insert_with(|| {
                        expiring.push(self.expire(drop_id));
                        deadline
                    });
                    *latest = deadline.max(*latest);
                }
            }
        }
    }

    async fn expire(&self, drop_id: DropId) -> (DropId, Result<Timestamp, ServiceError>) {
        let answer = self.writer.submit(drop_id, Command::Expire).await;
        (drop_id, answer.map(|answer| answer.as_of))
    }

    /// A decision that came before the deadline has not settled it: once more.
    fn settled(
        &self,
        agenda: &mut Agenda<(DropId, Timestamp)>,
        drop_id: DropId,
        deadline: Timestamp,
        answer: Result<Timestamp, ServiceError>,
    ) {
        match answer {
            Ok(as_of) if as_of < deadline => self.note(agenda, drop_id, as_of, deadline),
            Ok(_) => {}
            Err(error) => tracing::debug!(%drop_id, %error, "expiry failed; the sweep will"),
        }
    }

    fn note(
        &self,
        agenda: &mut Agenda<(DropId, Timestamp)>,
        drop_id: DropId,
        as_of: Timestamp,
        deadline: Timestamp,
    ) {
        let at = self.clock.now().saturating_add(deadline.since(as_of));
        agenda.note(at, (drop_id, deadline));
    }

    async fn sweep(&self, agenda: &mut Agenda<(DropId, Timestamp)>) {
        match self.store.due(Self::SWEEP_LIMIT).await {
            Ok(due) => {
                for (drop_id, deadline) in due.deadlines {
                    self.note(agenda, drop_id, due.as_of, deadline);
                }
            }
            Err(error) => report(&error),
        }
    }
}

fn report(error: &StoreError) {
    tracing::warn!(%error, "the sweep cannot read deadlines; trying again");
}
