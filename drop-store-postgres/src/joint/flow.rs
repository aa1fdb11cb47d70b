//! The flow of [`crate::apply`] for several drops: lock, load, decide, write, commit.

use std::collections::HashSet;
use std::sync::Arc;

use drop_core::StoreError;
use drop_core::model::VariantStock;
use drop_core::rules::{Applied, Batch, Change, Decision, decide};

use super::follow::follow;
use super::load::load;
use super::met::Met;
use super::opening::{self, Opened};
use super::ticket::Ticket;
use super::write;
use crate::fault::Fault;
use crate::kept::Kept;
use crate::lease::Lease;
use crate::ledgers::Ledgers;
use crate::load::{lacks_a_user, lacks_rows, ledger};
use crate::server::Server;
use crate::transaction::Transaction;

/// So many of the drops may ask for what has ended, each in a round trip of its own while the others
/// wait with their locks.
const TRIPS: usize = 4;

/// Decides and commits what waited, batches of different drops, and tells each what became of it.
/// Whose ticket is dropped goes by himself.
///
/// # Cancel safety
/// Where the COMMIT was sent, all are told that nobody knows.
pub(super) async fn run(
    server: &Server,
    ledgers: &Ledgers,
    mut lease: Lease,
    mut tickets: Vec<Ticket>,
) {
    if tickets.len() < 2 {
        // Nothing was asked of the connection.
        lease.settle();
        if let Some(ticket) = tickets.pop() {
            ticket.alone(Some(lease));
        }
        return;
    }
    let batches: Vec<&Batch> = tickets.iter().map(|ticket| &ticket.batch).collect();
    let Ok(opened) = opening::open(server, lease, &batches).await else { return };
    let Opened { mut transaction, found } = opened;
    let mut joint = Joint::over(ledgers);
    let (mut met, mut unmet, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for (ticket, found) in tickets.into_iter().zip(found) {
        let Some(found) = found else { continue };
        let drop_id = ticket.batch.drop_id();
        if !seen.insert(drop_id) {
            // Two services over one store: one batch after the other.
            joint.aside.push(ticket);
        } else if let Some(kept) = ledgers.take(drop_id) {
            met.push(Met { ticket, found, kept });
        } else {
            unmet.push((ticket, found));
        }
    }
    let mut met = follow(&mut transaction, ledgers, met, &mut unmet).await;
    met.extend(load(&mut transaction, unmet, &mut joint.aside).await);
    let decided = joint.decide(&mut transaction, met).await;
    let written = match decided {
        Ok(()) => joint.write(transaction).await,
        Err(fault) => Err(fault),
    };
    joint.tell(written);
}

/// A batch that was decided, and its drop as it stood before.
struct Member {
    ticket: Ticket,
    kept: Kept,
    decision: Decision,
    change: Arc<Change>,
}

/// What came of the batches, and is not told before the locks are given back: whoever asks again
/// would find his drop's lock with his own neighbours.
struct Joint<'a> {
    ledgers: &'a Ledgers,
    /// With something to write.
    members: Vec<Member>,
    /// With nothing to write.
    answered: Vec<(Ticket, Applied)>,
    /// Who goes by himself.
    aside: Vec<Ticket>,
}

impl<'a> Joint<'a> {
    const fn over(ledgers: &'a Ledgers) -> Self {
        Self { ledgers, members: Vec::new(), answered: Vec::new(), aside: Vec::new() }
    }

    async fn decide(&mut self, transaction: &mut Transaction, met: Vec<Met>) -> Result<(), Fault> {
        let mut trips = TRIPS;
        let mut met = met.into_iter();
        while let Some(next) = met.next() {
            if let Err(fault) = self.decide_one(transaction, next, &mut trips).await {
                for Met { ticket, kept, .. } in met {
                    self.ledgers.keep(ticket.batch.drop_id(), kept);
                }
                return Err(fault);
            }
        }
        Ok(())
    }

    async fn decide_one(
        &mut self,
        transaction: &mut Transaction,
        Met { ticket, found, kept }: Met,
        trips: &mut usize,
    ) -> Result<(), Fault> {
        let (batch, as_of) = (&ticket.batch, found.as_of);
        let drop_id = batch.drop_id();
        let is_trip = lacks_rows(&kept, as_of, batch, &found.customers);
        let mut decision = None;
        if !is_trip || *trips > 0 {
            *trips = trips.saturating_sub(usize::from(is_trip));
            let ledger = ledger(transaction, &kept, as_of, batch, found.customers).await?;
            // Who goes by himself is made a user, or told what contradicts.
            if !lacks_a_user(&ledger, batch) {
                decision = decide(ledger, batch).ok();
            }
        }
        match decision.map(|decision| (decision.change().map(Arc::clone), decision)) {
            Some((Some(change), decision)) => {
                self.members.push(Member { ticket, kept, decision, change });
            }
            Some((None, decision)) => {
                self.ledgers.keep(drop_id, kept);
                self.answered.push((ticket, decision.committed()));
            }
            None => {
                self.ledgers.keep(drop_id, kept);
                self.aside.push(ticket);
            }
        }
        Ok(())
    }

    async fn write(&mut self, mut transaction: Transaction) -> Result<(), Fault> {
        if self.members.is_empty() {
            return Ok(());
        }
        let changes: Vec<(&Change, &[VariantStock])> =
            self.members.iter().map(|member| (&*member.change, &*member.kept.variants)).collect();
        write::changes(&mut transaction, &changes).await?;
        self.members.iter_mut().for_each(|member| member.ticket.doubt());
        transaction.commit().await
    }

    fn tell(self, written: Result<(), Fault>) {
        let fault = written.err();
        for Member { ticket, mut kept, decision, change } in self.members {
            match &fault {
                None => {
                    // What cannot follow is loaded.
                    if kept.follow(&change).is_ok() {
                        self.ledgers.keep(change.drop_id, kept);
                    }
                    ticket.done(Ok(decision.committed()));
                }
                Some(fault) => {
                    // As true as before: the locked row will say. What contradicts it is found once
                    // more, and told, where it belongs: by the batch itself.
                    self.ledgers.keep(change.drop_id, kept);
                    match fault {
                        Fault::Final(error @ StoreError::Unknown(_)) => {
                            ticket.done(Err(error.clone()));
                        }
                        _ => ticket.alone(None),
                    }
                }
            }
        }
        for (ticket, applied) in self.answered {
            ticket.done(Ok(applied));
        }
    }
}
