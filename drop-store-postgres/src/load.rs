//! Loading: what a batch needs to know and this process has not kept, read behind the drop's
//! lock.

use std::collections::BTreeSet;

use drop_core::StoreError;
use drop_core::model::{DropId, DropSnapshot, Purchaser, Timestamp, UserId};
use drop_core::rules::{ActiveRows, Batch, Command, Customer, Ledger};
use sqlx::postgres::PgRow;

use crate::decode::{self, get, has, sound};
use crate::facts;
use crate::fault::Fault;
use crate::kept::Kept;
use crate::literal::{Literal, spell};
use crate::opening::{self, Head, Opened};
use crate::server::Server;
use crate::sql;
use crate::transaction::Transaction;

/// So many changes of others are followed at least; behind more than that, and than as many as a
/// load would read, the drop is loaded.
pub(crate) const FOLLOWED: u64 = 32;
/// A change has about so many rows.
const ROWS: usize = 256;

/// More holds than these are not loaded while others wait for the lock.
pub(crate) const FEW: u64 = 1_000;

/// The drop as it stands behind the lock: what was kept, if that is at the locked row's change;
/// else one round trip brings it up to date from the feed, or loads it if that reads no more than
/// `most` holds. `None` where it would read more.
pub(crate) async fn current(
    opened: &mut Opened,
    drop_id: DropId,
    head: Head,
    kept: Option<Kept>,
    most: u64,
) -> Result<Option<Kept>, Fault> {
    let transaction = &mut opened.transaction;
    if let Some(kept) = kept {
        if kept.head == head {
            return Ok(Some(kept));
        }
        if let Some(kept) = follow(transaction, drop_id, head, kept).await? {
            return Ok(Some(kept));
        }
    }
    if opened.held > most {
        return Ok(None);
    }
    load(transaction, drop_id, head).await.map(Some)
}

/// The drop as it stood at one moment, without its lock: what it takes to load many holds keeps
/// nobody waiting, and behind the lock the feed has what came about meanwhile. `None` where there
/// is no such drop.
pub(crate) async fn apart(server: &Server, drop_id: DropId) -> Result<Option<Kept>, Fault> {
    let moment = spell(sql::MOMENT, &[Literal::Integer(drop_id.get())]);
    let (mut transaction, rows) = Transaction::begin(server, moment).await?;
    let Some(row) = rows.iter().find(|row| has(row, "revision")) else { return Ok(None) };
    let head = opening::head(row)?;
    transaction.wait(server.long());
    load(&mut transaction, drop_id, head).await.map(Some)
}

/// Follows the feed to the locked row's change, where it leads there from what was kept.
async fn follow(
    transaction: &mut Transaction,
    drop_id: DropId,
    head: Head,
    kept: Kept,
) -> Result<Option<Kept>, Fault> {
    let most = FOLLOWED.max(sound(u64::try_from(kept.size() / ROWS))?);
    let Some(since) = follows_from(&kept, head, most)? else { return Ok(None) };
    let values = [
        Literal::Integer(drop_id.get()),
        Literal::Integer(since),
        Literal::Integer(sound(i64::try_from(most.saturating_add(1)))?),
    ];
    let rows = transaction.script(spell(crate::feed::CHANGES, &values)).await?;
    let facts: Vec<&str> = rows.iter().map(|row| get(row, 0)).collect::<Result<_, _>>()?;
    Ok(followed(kept, head, facts))
}

/// The revision before what was kept, from which the feed is read to the locked row's change;
/// `None` where that is no later one, or later by more than `most`.
pub(crate) fn follows_from(kept: &Kept, head: Head, most: u64) -> Result<Option<i64>, StoreError> {
    let behind = head.revision.get().checked_sub(kept.revision().get());
    if behind.is_none_or(|behind| behind == 0 || behind > most) {
        return Ok(None);
    }
    Ok(Some(sound(i64::try_from(kept.revision().get()))?.saturating_sub(1)))
}

/// What was kept, after the changes in the feed from its own on, where they lead to the locked
/// row's.
pub(crate) fn followed<'a>(
    mut kept: Kept,
    head: Head,
    feed: impl IntoIterator<Item = &'a str>,
) -> Option<Kept> {
    for (index, facts) in feed.into_iter().enumerate() {
        // What cannot be followed is no contradiction: the rows say how the drop stands.
        let change = facts::decode(facts).ok()?;
        if index > 0 {
            kept.follow(&change).ok()?;
        } else if !kept.stands_at(&change) {
            // Trimmed, or of another history.
            return None;
        }
    }
    (kept.head == head).then_some(kept)
}

/// Loads the drop with all its active holds.
async fn load(transaction: &mut Transaction, drop_id: DropId, head: Head) -> Result<Kept, Fault> {
    let script = [sql::VARIANTS, sql::LOAD].concat();
    let rows = transaction.script(spell(&script, &[Literal::Integer(drop_id.get())])).await?;
    Ok(loaded(drop_id, head, &rows)?)
}

/// The drop that these rows tell of: its own, its variants in their order, and its active holds.
pub(crate) fn loaded<'r>(
    drop_id: DropId,
    head: Head,
    rows: impl IntoIterator<Item = &'r PgRow>,
) -> Result<Kept, StoreError> {
    let mut variants = Vec::new();
    let mut drop_row = None;
    let mut holds = Vec::new();
    for row in rows {
        if has(row, "next_number") {
            drop_row = Some(row);
        } else if has(row, "variant_name") {
            variants.push(decode::variant(row)?);
        } else {
            holds.push(decode::reservation(row, drop_id, 0)?);
        }
    }
    let row = drop_row.ok_or_else(|| StoreError::corrupt("a locked drop is not there"))?;
    let next_number: i64 = get(row, "next_number")?;
    let next_number = sound(u32::try_from(next_number))?;
    let mut kept =
        Kept::new(head, next_number, decode::terms(row)?, variants, decode::recent(row)?);
    for hold in holds {
        kept.hold(hold)?;
    }
    Ok(kept)
}

/// The ledger of a batch. A round trip only for what has ended, which nobody keeps: rows that
/// the batch names, and two for customers whom it forgets.
pub(crate) async fn ledger(
    transaction: &mut Transaction,
    kept: &Kept,
    as_of: Timestamp,
    batch: &Batch,
    customers: Vec<Option<Customer>>,
) -> Result<Ledger, Fault> {
    let drop_id = batch.drop_id();
    let users = customers.iter().flatten().map(|customer| &customer.user.id);
    let ActiveRows { mut rows, more_lapsed, others } = kept.rows(batch, users, as_of);
    if !others.is_empty() {
        let numbers: BTreeSet<i64> = others.iter().map(|id| i64::from(id.number())).collect();
        let numbers = Vec::from_iter(numbers);
        let values = [Literal::Integer(drop_id.get()), Literal::Integers(&numbers)];
        for row in &transaction.script(spell(sql::LOAD_NAMED, &values)).await? {
            rows.push(decode::reservation(row, drop_id, 0)?);
        }
    }
    let mut recent = kept.recent.clone();
    let leaving = leaving(batch, &customers);
    if !leaving.is_empty() {
        let values = [Literal::Integer(drop_id.get()), Literal::Integers(&leaving)];
        for row in &transaction.script(spell(sql::LOAD_FORGOTTEN, &values)).await? {
            rows.push(decode::reservation(row, drop_id, 0)?);
        }
        recent = staying(transaction, drop_id, &leaving, recent).await?;
    }
    Ok(Ledger {
        drop_id,
        revision: kept.revision(),
        as_of,
        terms: kept.terms.clone(),
        variants: kept.variants.clone(),
        next_number: kept.next_number,
        recent,
        customers,
        rows,
        more_lapsed,
    })
}

/// Whether [`ledger`] would ask for rows: of what is named and has ended.
pub(crate) fn lacks_rows(
    kept: &Kept,
    as_of: Timestamp,
    batch: &Batch,
    customers: &[Option<Customer>],
) -> bool {
    let users = customers.iter().flatten().map(|customer| &customer.user.id);
    batch.commands().iter().any(|command| command.reservation().is_some())
        && !kept.rows(batch, users, as_of).others.is_empty()
}

/// Whether somebody reserves who is no user yet, where there may be something to get.
pub(crate) fn lacks_a_user(ledger: &Ledger, batch: &Batch) -> bool {
    let lacks = batch.commands().iter().zip(&ledger.customers).any(|(command, customer)| {
        matches!(command, Command::Reserve { .. }) && customer.is_none()
    });
    lacks && !ledger.has_nothing_for(batch)
}

/// The users whom a batch forgets.
fn leaving(batch: &Batch, customers: &[Option<Customer>]) -> Vec<i64> {
    let commands = batch.commands().iter().zip(customers);
    let leaving = commands.filter_map(|(command, customer)| match command {
        Command::Forget { .. } => Some(customer.as_ref()?.user.id),
        _ => None,
    });
    Vec::from_iter(leaving.map(UserId::get).collect::<BTreeSet<_>>())
}

/// The newest purchasers, with and without those who are about to be forgotten.
async fn staying(
    transaction: &mut Transaction,
    drop_id: DropId,
    leaving: &[i64],
    mut recent: Vec<Purchaser>,
) -> Result<Vec<Purchaser>, Fault> {
    let values = [
        Literal::Integer(drop_id.get()),
        Literal::Integers(leaving),
        Literal::Integer(sound(i64::try_from(DropSnapshot::RECENT))?),
    ];
    let mut known = recent.clone();
    for row in &transaction.script(spell(sql::LOAD_RECENT, &values)).await? {
        let username = decode::username(row, 0)?;
        let purchaser = Purchaser { username, purchased_at: decode::time(row, 1)? };
        // Purchase by purchase: who bought twice in one moment stands there twice.
        match known.iter().position(|known| *known == purchaser) {
            Some(index) => drop(known.swap_remove(index)),
            None => recent.push(purchaser),
        }
    }
    // Stable: who bought in one decision stays in the order of that decision.
    recent.sort_by_key(|purchaser| std::cmp::Reverse(purchaser.purchased_at));
    Ok(recent)
}
