//! The first message of a transaction of several drops: their users, the locks that are free, and
//! what is read behind them.

use std::collections::{HashMap, HashSet};

use drop_core::StoreError;
use drop_core::model::Timestamp;
use drop_core::rules::{Batch, Customer};

use super::sql;
use crate::decode::{self, get, has};
use crate::fault::Fault;
use crate::lease::Lease;
use crate::literal::Literal;
use crate::opening::{Head, Names, head};
use crate::script::Script;
use crate::server::{Server, millis};
use crate::transaction::Transaction;

/// What the first message brought.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) transaction: Transaction,
    /// For each batch, in their order: `None` where its drop's lock was not free, or there is no
    /// such drop.
    pub(super) found: Vec<Option<Found>>,
}

/// A drop whose lock is held.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) head: Head,
    /// The store's time, read behind the lock, and never before the drop's last change.
    pub(super) as_of: Timestamp,
    /// The units in its holds, so that many holds at most.
    pub(super) held: u64,
    /// The user of each command's customer.
    pub(super) customers: Vec<Option<Customer>>,
}

/// Makes the users of batches of different drops, begins their transaction, takes the locks that
/// are free, and finds out who the customers are: one round trip.
pub(super) async fn open(
    server: &Server,
    lease: Lease,
    batches: &[&Batch],
) -> Result<Opened, Fault> {
    let names = Names::of(batches);
    let script = script(server, batches, &names);
    let (transaction, rows) = Transaction::begin_with(server, lease, script.message()).await?;
    let mut locked = HashSet::new();
    let mut clock = None;
    let mut heads = HashMap::new();
    let mut customers = vec![None; names.commands];
    for row in &rows {
        if has(row, "locked") {
            locked.insert(decode::drop_id(row, "locked")?);
        } else if has(row, "as_of") {
            clock = Some(decode::time(row, "as_of")?);
        } else if has(row, "revision") {
            heads.insert(decode::drop_id(row, "id")?, (head(row)?, decode::count(row, "held")?));
        } else if let Some(found) = get(row, "customers")? {
            names.take(found, &mut customers)?;
        }
    }
    let clock = clock.ok_or_else(|| StoreError::corrupt("the server told no time"))?;
    let mut customers = customers.into_iter();
    let found = batches.iter().map(|batch| {
        let customers = customers.by_ref().take(batch.commands().len()).collect();
        let (head, held) =
            *heads.get(&batch.drop_id()).filter(|_| locked.contains(&batch.drop_id()))?;
        Some(Found { head, as_of: clock.max(head.updated_at), held, customers })
    });
    Ok(Opened { transaction, found: found.collect() })
}

fn script(server: &Server, batches: &[&Batch], names: &Names<'_>) -> Script {
    // For a user's row that somebody keeps, while many wait: each does so better by himself.
    let lock = Literal::Integer(millis(server.patience.lock / 8));
    let idle = Literal::Integer(millis(server.patience.idle));
    let drops: Vec<i64> = batches.iter().map(|batch| batch.drop_id().get()).collect();
    let drops = Literal::Integers(&drops);
    let mut script = Script::new(server.prepared);
    if !names.reserving.is_empty() {
        let (of, reserving) = Names::columns(&names.reserving);
        script.add(crate::sql::BEGIN_USERS, &[lock]).add(crate::sql::PLANNED_ONCE, &[]);
        script.run(&sql::MAKE_USERS, &[Literal::Integers(&of), Literal::Names(&reserving)]);
        script.add("COMMIT;\n", &[]);
    }
    script.add(crate::sql::OPENING, &[lock, idle]).add(crate::sql::PLANNED_ONCE, &[]);
    script.run(&sql::LOCK, &[drops]);
    script.add(crate::sql::CLOCK, &[]);
    script.run(&sql::HEADS, &[drops]);
    if !names.customers.is_empty() {
        let (of, customers) = Names::columns(&names.customers);
        script.run(&sql::CUSTOMERS, &[Literal::Integers(&of), Literal::Keys(&customers)]);
    }
    script
}
