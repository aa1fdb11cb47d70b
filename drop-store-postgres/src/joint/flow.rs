//! The flow of [`crate::apply`] for several drops: lock, load, decide, write, commit.

use std::sync::Arc;

use drop_core::StoreError;
use drop_core::model::VariantStock;
use drop_core::rules::{Applied, Batch, Change, Decision, decide};

use super::opening::{self, Found, Opened};
use super::ticket::Ticket;
use super::write;
use crate::fault::Fault;
use crate::kept::Kept;
use crate::lease::Lease;
use crate::ledgers::Ledgers;
use crate::load;
use crate::server::Server;
use crate::transaction::Transaction;

/// Decides and commits what waited, batches of different drops, and tells each what became of it.
///
/// # Cancel safety
/// Who is not told by then is told that he cannot know, by the end of his ticket.
pub(super) async fn run(
    server: Server,
    ledgers: Arc<Ledgers>,
    mut lease: Lease,
    mut tickets: Vec<Ticket>,
) {
    if tickets.len() < 2 {
        // Nothing was asked of the connection: the batch gets it, or the next one that is free.
        lease.settle();
        drop(lease);
        return tickets.into_iter().for_each(Ticket::alone);
    }
    let batches: Vec<&Batch> = tickets.iter().map(|ticket| &ticket.batch).collect();
    let Ok(Opened { mut transaction, found }) = opening::open(&server, lease, &batches).await
    else {
        return tickets.into_iter().for_each(Ticket::alone);
    };
    let mut joint = Joint { ledgers: &ledgers, members: Vec::new() };
    let mut waiting = tickets.drain(..).zip(found);
    while let Some((ticket, found)) = waiting.next() {
        match step(&mut transaction, &ledgers, &ticket.batch, found).await {
            Ok(Step::Alone) => ticket.alone(),
            Ok(Step::Answered(applied)) => ticket.done(Ok(applied)),
            Ok(Step::Decided(kept, decision, change)) => {
                joint.members.push(Member { ticket, kept, decision, change });
            }
            Err(fault) => {
                ticket.alone();
                waiting.for_each(|(ticket, _)| ticket.alone());
                return joint.fail(fault);
            }
        }
    }
    if joint.members.is_empty() {
        return;
    }
    match joint.write(transaction).await {
        Ok(()) => joint.finish(),
        Err(fault) => joint.fail(fault),
    }
}

/// What a batch comes to behind its drop's lock.
enum Step {
    /// It has to go by itself.
    Alone,
    /// There is nothing to write.
    Answered(Applied),
    /// There is.
    Decided(Kept, Decision, Arc<Change>),
}

/// Brings what is kept of a drop up to date and decides its batch. A round trip only for changes of
/// others, and for what has ended.
async fn step(
    transaction: &mut Transaction,
    ledgers: &Ledgers,
    batch: &Batch,
    found: Option<Found>,
) -> Result<Step, Fault> {
    let drop_id = batch.drop_id();
    let Some(Found { head, as_of, customers }) = found else { return Ok(Step::Alone) };
    let Some(kept) = ledgers.take(drop_id) else { return Ok(Step::Alone) };
    let Some(kept) = load::followed(transaction, drop_id, head, kept).await? else {
        return Ok(Step::Alone);
    };
    let ledger = load::ledger(transaction, &kept, as_of, batch, customers).await?;
    let lacks_a_user = load::lacks_a_user(&ledger, batch);
    let decision = match decide(ledger, batch) {
        Ok(decision) if !lacks_a_user => decision,
        // Who goes by himself is made a user, or told what contradicts.
        _ => {
            ledgers.keep(drop_id, kept);
            return Ok(Step::Alone);
        }
    };
    Ok(match decision.change().map(Arc::clone) {
        Some(change) => Step::Decided(kept, decision, change),
        None => {
            ledgers.keep(drop_id, kept);
            Step::Answered(decision.committed())
        }
    })
}

/// A batch that was decided, and its drop as it stood before.
struct Member {
    ticket: Ticket,
    kept: Kept,
    decision: Decision,
    change: Arc<Change>,
}

/// What is decided and not committed yet.
struct Joint<'a> {
    ledgers: &'a Ledgers,
    members: Vec<Member>,
}

impl Joint<'_> {
    async fn write(&self, mut transaction: Transaction) -> Result<(), Fault> {
        let changes: Vec<(&Change, &[VariantStock])> =
            self.members.iter().map(|member| (&*member.change, &*member.kept.variants)).collect();
        write::changes(&mut transaction, &changes).await?;
        transaction.commit().await
    }

    /// It is committed.
    fn finish(self) {
        for Member { ticket, mut kept, decision, change } in self.members {
            // What cannot follow is loaded.
            if kept.follow(&change).is_ok() {
                self.ledgers.keep(change.drop_id, kept);
            }
            ticket.done(Ok(decision.committed()));
        }
    }

    /// Nothing is written, or nobody knows.
    fn fail(self, fault: Fault) {
        let unknown = match fault {
            Fault::Final(error @ StoreError::Unknown(_)) => Some(error),
            _ => None,
        };
        for Member { ticket, kept, change, .. } in self.members {
            // As true as before: the locked row will say. What contradicts it is told to whom it
            // concerns, who goes by himself.
            self.ledgers.keep(change.drop_id, kept);
            match &unknown {
                Some(error) => ticket.done(Err(error.clone())),
                None => ticket.alone(),
            }
        }
    }
}
