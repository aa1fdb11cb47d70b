//! The one flow that changes stock: lock, load, decide, write, commit.

use std::sync::Arc;

use drop_core::StoreError;
use drop_core::rules::{Applied, Batch, decide};

use crate::fault::Fault;
use crate::load;
use crate::server::Server;
use crate::users::Users;
use crate::write;

/// Decides and commits a batch, as often as others undo it, up to a bound.
pub(crate) async fn apply(
    server: &Server,
    users: &Users,
    batch: &Batch,
) -> Result<Applied, StoreError> {
    let mut tries = server.tries();
    loop {
        match attempt(server, users, batch).await {
            Ok(applied) => return Ok(applied),
            Err(fault) => {
                if matches!(fault, Fault::UserGone(_)) {
                    users.doubt(batch);
                }
                tries.again(fault).await?;
            }
        }
    }
}

async fn attempt(server: &Server, users: &Users, batch: &Batch) -> Result<Applied, Fault> {
    let customers = users.of_batch(server, batch).await?;
    let opened = load::open(server, batch.drop_id()).await?;
    let mut transaction = opened.transaction;
    let Some(head) = opened.head else {
        return Ok(Applied::no_such_drop(batch, opened.as_of));
    };
    let before = head.variants.clone();
    let ledger = load::ledger(&mut transaction, head, opened.as_of, batch, &customers).await?;
    let decision = decide(ledger, batch).map_err(StoreError::from)?;
    // Without a change there is nothing to commit: the transaction rolls back behind the answer.
    if let Some(change) = decision.change().map(Arc::clone) {
        write::change(&mut transaction, &change, &before).await?;
        transaction.commit().await?;
    }
    Ok(decision.committed())
}
