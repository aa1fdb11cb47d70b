//! Loading the ledger: everything a batch needs to know, read behind the drop's lock.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use drop_core::StoreError;
use drop_core::model::{
    DropId, DropSnapshot, DropTerms, Purchaser, Reservation, ReservationId, Revision, Timestamp,
    Units, User, UserId, Username, VariantStock,
};
use drop_core::rules::{Batch, Command, Customer, Ledger};
use sqlx::postgres::PgRow;

use crate::decode::{self, get, has, sound};
use crate::fault::Fault;
use crate::literal::{Literal, spell};
use crate::server::{Server, millis};
use crate::sql;
use crate::transaction::Transaction;

/// A drop whose lock is held, as it stands behind the lock.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) revision: Revision,
    pub(crate) next_number: u32,
    pub(crate) terms: Arc<DropTerms>,
    pub(crate) variants: Vec<VariantStock>,
    pub(crate) recent: Vec<Purchaser>,
}

/// What the first message of a transaction brought.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) transaction: Transaction,
    /// The store's time, read behind the lock, and never before the drop's last change.
    pub(crate) as_of: Timestamp,
    /// `None` where there is no such drop.
    pub(crate) head: Option<Head>,
}

/// Begins the transaction, takes the drop's lock and reads the drop: one round trip.
pub(crate) async fn open(server: &Server, drop_id: DropId) -> Result<Opened, Fault> {
    let values = [
        Literal::Integer(drop_id.get()),
        Literal::Integer(millis(server.patience.lock)),
        Literal::Integer(millis(server.patience.idle)),
    ];
    let (transaction, rows) = Transaction::begin(server, spell(sql::OPENING, &values)).await?;
    let mut locked = false;
    let mut clock = None;
    let mut drops = None;
    let mut variants = Vec::new();
    for row in &rows {
        if has(row, "locked") {
            locked = true;
        } else if has(row, "as_of") {
            clock = Some(decode::time(row, "as_of")?);
        } else if has(row, "revision") {
            drops = Some(row);
        } else {
            variants.push(decode::variant(row)?);
        }
    }
    let clock = clock.ok_or_else(|| StoreError::corrupt("the server told no time"))?;
    // A drop that appeared after the locking statement found none is not locked.
    let Some(row) = drops.filter(|_| locked) else {
        return Ok(Opened { transaction, as_of: clock, head: None });
    };
    let revision: i64 = get(row, "revision")?;
    let next_number: i64 = get(row, "next_number")?;
    let head = Head {
        revision: Revision::new(sound(u64::try_from(revision))?),
        next_number: sound(u32::try_from(next_number))?,
        terms: Arc::new(decode::terms(row)?),
        variants,
        recent: decode::recent(row)?,
    };
    let as_of = clock.max(decode::time(row, "updated_at")?);
    Ok(Opened { transaction, as_of, head: Some(head) })
}

/// Loads the rows that a batch needs: one round trip, and two more where it forgets somebody.
pub(crate) async fn ledger(
    transaction: &mut Transaction,
    head: Head,
    as_of: Timestamp,
    batch: &Batch,
    users: &HashMap<Username, User>,
) -> Result<Ledger, Fault> {
    let drop_id = batch.drop_id();
    let unmet = |command: &Command| matches!(command, Command::Reserve { customer, .. } if !users.contains_key(customer));
    if batch.commands().iter().any(unmet) {
        // The drop was created just after nobody was made for it.
        return Err(Fault::UserGone(Arc::new(Unmet)));
    }
    // A limit counts from the command that sets it.
    let limits = |command: &Command| matches!(command, Command::Amend(a) if a.limit.is_some());
    let limited = head.terms.limit.is_some() || batch.commands().iter().any(limits);
    let named: BTreeSet<i64> = numbers(batch).collect();
    let ids: BTreeSet<i64> = users.values().map(|user| user.id.get()).collect();
    let statement = match (named.is_empty(), limited) {
        (true, false) => sql::LOAD,
        (true, true) => sql::LOAD_BOUGHT,
        (false, false) => sql::LOAD_NAMED,
        (false, true) => sql::LOAD_NAMED_BOUGHT,
    };
    let mut query = sqlx::query(statement)
        .bind(drop_id.get())
        .bind(as_of.to_chrono())
        .bind(Vec::from_iter(ids))
        .bind(sound(i64::try_from(Ledger::SETTLE_LIMIT + 1))?);
    if !named.is_empty() {
        query = query.bind(Vec::from_iter(named));
    }
    let mut loaded = Loaded::default();
    for row in &transaction.run(query).await? {
        loaded.take(row, drop_id)?;
    }
    let more_lapsed = loaded.lapsed > Ledger::SETTLE_LIMIT;
    if loaded.gone || !loaded.agrees_with(batch, users) {
        return Err(Fault::UserGone(Arc::new(Renamed)));
    }
    let mut recent = head.recent;
    let leaving = leaving(batch, users);
    if !leaving.is_empty() {
        let query = sqlx::query(sql::LOAD_FORGOTTEN).bind(drop_id.get()).bind(leaving.clone());
        for row in &transaction.run(query).await? {
            loaded.take(row, drop_id)?;
        }
        recent = staying(transaction, drop_id, leaving, recent).await?;
    }
    let customers = batch.commands().iter().map(|command| {
        let user = users.get(command.customer()?)?.clone();
        let bought = loaded.bought.get(&user.id).copied().unwrap_or_default();
        Some(Customer { user, bought })
    });
    Ok(Ledger {
        drop_id,
        revision: head.revision,
        as_of,
        terms: head.terms,
        variants: head.variants,
        next_number: head.next_number,
        recent,
        customers: customers.collect(),
        rows: loaded.rows,
        more_lapsed,
    })
}

/// The numbers of the reservations that a batch names.
fn numbers(batch: &Batch) -> impl Iterator<Item = i64> {
    let named = batch.commands().iter().filter_map(Command::reservation);
    named.map(|id| i64::from(id.number()))
}

/// The users whom a batch forgets.
fn leaving(batch: &Batch, users: &HashMap<Username, User>) -> Vec<i64> {
    let leaving = batch.commands().iter().filter_map(|command| match command {
        Command::Forget { customer } => Some(users.get(customer)?.id.get()),
        _ => None,
    });
    Vec::from_iter(leaving.collect::<BTreeSet<_>>())
}

/// The newest purchasers, with and without those who are about to be forgotten.
async fn staying(
    transaction: &mut Transaction,
    drop_id: DropId,
    leaving: Vec<i64>,
    mut recent: Vec<Purchaser>,
) -> Result<Vec<Purchaser>, Fault> {
    let query = sqlx::query(sql::LOAD_RECENT)
        .bind(drop_id.get())
        .bind(leaving)
        .bind(sound(i64::try_from(DropSnapshot::RECENT))?);
    let mut known = recent.clone();
    for row in &transaction.run(query).await? {
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

/// What the loading statements brought so far.
#[derive(Debug, Default)]
struct Loaded {
    rows: Vec<Reservation>,
    owners: HashMap<ReservationId, (UserId, Username)>,
    bought: HashMap<UserId, Units>,
    lapsed: usize,
    /// Whether some customer is no user any more.
    gone: bool,
}

impl Loaded {
    fn take(&mut self, row: &PgRow, drop_id: DropId) -> Result<(), StoreError> {
        let part: i64 = get(row, 0)?;
        match part {
            // The one beyond the limit only says that there are more.
            1 if self.lapsed == Ledger::SETTLE_LIMIT => self.lapsed += 1,
            0 | 1 | 2 | 5 => {
                let reservation = decode::reservation(row, drop_id, 1)?;
                self.lapsed += usize::from(part == 1);
                if part == 2 {
                    let owner = (reservation.claim().user_id, decode::username(row, 10)?);
                    self.owners.insert(reservation.id(), owner);
                }
                self.rows.push(reservation);
            }
            3 => {
                self.bought.insert(decode::user_id(row, 2)?, decode::units(row, 4)?);
            }
            6 => self.gone = true,
            _ => {}
        }
        Ok(())
    }

    /// Whether the owners of the named reservations are who this instance takes the customers
    /// for. A name that was free when it was looked up may be somebody's behind the lock, and
    /// believing that it is free would refuse the holder.
    fn agrees_with(&self, batch: &Batch, users: &HashMap<Username, User>) -> bool {
        batch.commands().iter().all(|command| {
            let owner = command.reservation().and_then(|id| self.owners.get(&id));
            let (Some((owner, name)), Some(customer)) = (owner, command.customer()) else {
                return true;
            };
            name != customer || users.get(customer).is_some_and(|user| user.id == *owner)
        })
    }
}

/// A name belongs to another user than this instance believed, or to none.
#[derive(Debug, thiserror::Error)]
#[error("a user was deleted or made anew meanwhile")]
struct Renamed;

/// Somebody reserves who is no user yet.
#[derive(Debug, thiserror::Error)]
#[error("the drop was not there when its customers were looked up")]
struct Unmet;
