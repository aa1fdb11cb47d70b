//! The one flow that changes stock: lock, load, decide, write, commit.

use std::sync::Arc;

use drop_core::StoreError;
use drop_core::model::Timestamp;
use drop_core::rules::{Applied, Batch, Customer, Decision, decide};

use crate::fault::Fault;
use crate::kept::Kept;
use crate::lease::Lease;
use crate::ledgers::Ledgers;
use crate::load;
use crate::opening::{self, Make, Opened};
use crate::server::Server;
use crate::transaction::Transaction;
use crate::write;

/// Decides and commits a batch, as often as others undo it, up to a bound; on `lease` first, where
/// it has a connection already.
pub(crate) async fn apply(
    server: &Server,
    ledgers: &Ledgers,
    batch: &Batch,
    mut lease: Option<Lease>,
) -> Result<Applied, StoreError> {
    let mut tries = server.tries();
    let mut make = Make::WhereAvailable;
    let mut loads = 0;
    loop {
        let most = if loads < LOADS { load::FEW } else { u64::MAX };
        let fault = match attempt(server, lease.take(), ledgers, batch, make, most).await {
            Ok(Some(applied)) => return Ok(applied),
            Ok(None) => {
                loads += 1;
                match load::apart(server, batch.drop_id()).await {
                    Ok(Some(kept)) => {
                        ledgers.keep(batch.drop_id(), kept);
                        continue;
                    }
                    Ok(None) => continue,
                    Err(fault) => fault,
                }
            }
            Err(fault) => fault,
        };
        if matches!(fault, Fault::UserGone(_) | Fault::Unmet(_)) {
            make = Make::All;
        }
        tries.again(fault).await?;
    }
}

/// So often a drop with many holds is loaded apart and found too far behind when its lock is had;
/// then others wait.
const LOADS: u32 = 3;

/// One try. `None` where more holds than `most` have to be loaded first.
async fn attempt(
    server: &Server,
    lease: Option<Lease>,
    ledgers: &Ledgers,
    batch: &Batch,
    make: Make,
    most: u64,
) -> Result<Option<Applied>, Fault> {
    let drop_id = batch.drop_id();
    let mut opened = opening::open_for(server, lease, batch, make).await?;
    let kept = ledgers.take(drop_id);
    let Some(head) = opened.head else {
        return Ok(Some(Applied::no_such_drop(batch, opened.as_of)));
    };
    let Some(mut kept) = load::current(&mut opened, drop_id, head, kept, most).await? else {
        return Ok(None);
    };
    let Opened { transaction, as_of, customers, .. } = opened;
    let decided = decide_and_write(transaction, &kept, as_of, batch, customers).await;
    let decision = match decided {
        Ok(decision) => decision,
        Err(fault) => {
            // What is kept is as true as before, whatever became of the change: the locked row
            // will say. Not where it may be what is wrong, as after rows were deleted by hand.
            if !matches!(fault, Fault::Final(StoreError::Corrupt(_)) | Fault::UserGone(_)) {
                ledgers.keep(drop_id, kept);
            }
            return Err(fault);
        }
    };
    if let Some(change) = decision.change() {
        kept.follow(change)?;
    }
    ledgers.keep(drop_id, kept);
    Ok(Some(decision.committed()))
}

/// Everything behind the lock: the rows that nobody keeps, the decision, its writing, the commit.
async fn decide_and_write(
    mut transaction: Transaction,
    kept: &Kept,
    as_of: Timestamp,
    batch: &Batch,
    customers: Vec<Option<Customer>>,
) -> Result<Decision, Fault> {
    let ledger = load::ledger(&mut transaction, kept, as_of, batch, customers).await?;
    if load::lacks_a_user(&ledger, batch) {
        return Err(Fault::Unmet(Arc::new(Unmet)));
    }
    let decision = decide(ledger, batch).map_err(StoreError::from)?;
    // Without a change there is nothing to commit: the transaction rolls back behind the answer.
    if let Some(change) = decision.change().map(Arc::clone) {
        write::change(&mut transaction, &change, &kept.variants).await?;
        transaction.commit().await?;
    }
    Ok(decision)
}

/// Somebody reserves who is no user yet, where there may be something to get.
#[derive(Debug, thiserror::Error)]
#[error("a unit came back, or the drop came, after its customers were looked up")]
struct Unmet;
