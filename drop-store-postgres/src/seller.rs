//! Creating and deleting: what a seller or an operator does.

use std::sync::Arc;

use drop_core::StoreError;
use drop_core::model::{DropId, DropSnapshot, NewDrop, Username};
use drop_core::rules::Change;
use drop_core::store::Deletion;

use crate::decode::{self, get};
use crate::facts;
use crate::fault::Fault;
use crate::literal::{Literal, spell};
use crate::opening;
use crate::server::{Server, millis};
use crate::sql;
use crate::transaction::Transaction;
use crate::write;

/// Holds of a drop that are valid. `$1` the drop, `$2` as of.
const LIVE: &str = "SELECT 1 FROM reservations \
WHERE drop_id = $1 AND status = 'active' AND expires_at > $2 LIMIT 1";
/// Whether anything of a drop was sold. `$1` the drop.
const SOLD: &str = "SELECT 1 FROM drops WHERE id = $1 AND sold > 0";
/// Purchases first and at once: the cascade would look for each reservation's on its own.
const DELETE_SALES: &str = "DELETE FROM purchases WHERE drop_id = $1";
const DELETE_DROP: &str = "DELETE FROM drops WHERE id = $1";

const LOCK_USER: &str = "SELECT id FROM users WHERE lower(username COLLATE \"C\") = $1 FOR UPDATE";
const HAS_RESERVATIONS: &str = "SELECT 1 FROM reservations WHERE user_id = $1 LIMIT 1";
const DELETE_USER: &str = "DELETE FROM users WHERE id = $1";

/// Creates a drop with its first change.
pub(crate) async fn create(server: &Server, new: &NewDrop) -> Result<DropSnapshot, StoreError> {
    let mut tries = server.tries();
    loop {
        match try_create(server, new).await {
            Ok(snapshot) => return Ok(snapshot),
            Err(fault) => tries.again(fault).await?,
        }
    }
}

async fn try_create(server: &Server, new: &NewDrop) -> Result<DropSnapshot, Fault> {
    let mut transaction = begin(server).await?;
    let counted = transaction.run(sqlx::query(sql::NEXT_DROP)).await?;
    let row = counted.first().ok_or_else(|| StoreError::corrupt("no counter of drops"))?;
    let id = decode::drop_id(row, 0)?;
    let first = Change::created(id, new, decode::time(row, 1)?);
    let query = write::bind_terms(sqlx::query(sql::CREATE).bind(id.get()), new.terms())?
        .bind(i64::from(first.stock().total()))
        .bind(first.as_of.to_chrono());
    write::agree("drops", transaction.execute(query).await?, 1)?;
    let added = transaction.execute(write::add_variants(&first, 0)).await?;
    write::agree("new variants", added, first.variants.len())?;
    let query = sqlx::query(sql::APPEND)
        .bind(id.get())
        .bind(write::revision(&first)?)
        .bind(first.as_of.to_chrono())
        .bind(facts::encode(&first)?);
    write::agree("changes", transaction.execute(query).await?, 1)?;
    transaction.commit().await?;
    Ok(DropSnapshot {
        id,
        revision: first.revision,
        as_of: first.as_of,
        terms: Arc::new(new.terms().clone()),
        variants: first.variants,
        recent: first.recent,
        created_at: first.as_of,
        updated_at: first.as_of,
    })
}

/// Deletes a drop with everything in it, under its lock.
pub(crate) async fn delete_drop(
    server: &Server,
    id: DropId,
    force: bool,
) -> Result<Deletion, StoreError> {
    let mut tries = server.tries();
    loop {
        match try_delete_drop(server, id, force).await {
            Ok(deletion) => return Ok(deletion),
            Err(fault) => tries.again(fault).await?,
        }
    }
}

async fn try_delete_drop(server: &Server, id: DropId, force: bool) -> Result<Deletion, Fault> {
    let opened = opening::open(server, id).await?;
    let mut transaction = opened.transaction;
    if opened.head.is_none() {
        return Ok(Deletion::NotFound);
    }
    if !force {
        let query = sqlx::query(LIVE).bind(id.get()).bind(opened.as_of.to_chrono());
        let live = !transaction.run(query).await?.is_empty();
        let sold = transaction.run(sqlx::query(SOLD).bind(id.get())).await?;
        if live || !sold.is_empty() {
            return Ok(Deletion::Refused);
        }
    }
    transaction.wait(server.long());
    transaction.execute(sqlx::query(DELETE_SALES).bind(id.get())).await?;
    transaction.execute(sqlx::query(DELETE_DROP).bind(id.get())).await?;
    transaction.commit().await?;
    Ok(Deletion::Deleted)
}

/// Deletes a user who has no reservation.
pub(crate) async fn delete_user(
    server: &Server,
    username: &Username,
) -> Result<Deletion, StoreError> {
    let mut tries = server.tries();
    loop {
        match try_delete_user(server, username).await {
            Ok(deletion) => return Ok(deletion),
            Err(fault) => tries.again(fault).await?,
        }
    }
}

/// A reservation's foreign key locks its user's row as well, in a mode that shares with other
/// reservations and not with ours. So whoever reserves for this user at the same time either
/// has committed before we get the row, or finds no user once we are done (and makes a new
/// one). The first of these is only seen by a statement that begins after the wait: the check
/// in the locking statement itself would look at a snapshot that is older, and the cascade
/// would take the reservation, and perhaps a purchase, with it.
async fn try_delete_user(server: &Server, username: &Username) -> Result<Deletion, Fault> {
    let mut transaction = begin(server).await?;
    transaction.wait(server.long());
    let users = transaction.run(sqlx::query(LOCK_USER).bind(username.key())).await?;
    let Some(row) = users.first() else {
        return Ok(Deletion::NotFound);
    };
    let id: i64 = get(row, 0)?;
    if !transaction.run(sqlx::query(HAS_RESERVATIONS).bind(id)).await?.is_empty() {
        return Ok(Deletion::Refused);
    }
    transaction.execute(sqlx::query(DELETE_USER).bind(id)).await?;
    transaction.commit().await?;
    Ok(Deletion::Deleted)
}

async fn begin(server: &Server) -> Result<Transaction, Fault> {
    let values = [
        Literal::Integer(millis(server.patience.lock)),
        Literal::Integer(millis(server.patience.idle)),
    ];
    let (transaction, _) = Transaction::begin(server, spell(sql::BEGIN, &values)).await?;
    Ok(transaction)
}
