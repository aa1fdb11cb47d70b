//! Drops that are met for the first time, loaded in one round trip.

use std::collections::HashMap;

use drop_core::model::DropId;
use sqlx::postgres::PgRow;

use super::met::Met;
use super::opening::Found;
use super::sql;
use super::ticket::Ticket;
use crate::decode;
use crate::fault::Fault;
use crate::literal::{Literal, spell};
use crate::load::{FEW, loaded};
use crate::transaction::Transaction;

/// The drops with as many holds as one alone may have that is loaded while others wait. The rest is
/// `aside`, and so is everybody where they cannot be read.
pub(super) async fn load(
    transaction: &mut Transaction,
    unmet: Vec<(Ticket, Found)>,
    aside: &mut Vec<Ticket>,
) -> Vec<Met> {
    let mut holds = 0_u64;
    let (few, many): (Vec<_>, Vec<_>) = unmet.into_iter().partition(|(_, found)| {
        let all = holds.saturating_add(found.held);
        let fits = all <= FEW;
        if fits {
            holds = all;
        }
        fits
    });
    aside.extend(many.into_iter().map(|(ticket, _)| ticket));
    if few.is_empty() {
        return Vec::new();
    }
    let drops: Vec<i64> = few.iter().map(|(ticket, _)| ticket.batch.drop_id().get()).collect();
    let rows = read(transaction, &drops).await.unwrap_or_default();
    let mut met = Vec::new();
    for (ticket, found) in few {
        let drop_id = ticket.batch.drop_id();
        let rows = rows.get(&drop_id).into_iter().flatten();
        match loaded(drop_id, found.head, rows) {
            Ok(kept) => met.push(Met { ticket, found, kept }),
            // What contradicts is told to whom it concerns, by himself.
            Err(_) => aside.push(ticket),
        }
    }
    met
}

async fn read(
    transaction: &mut Transaction,
    drops: &[i64],
) -> Result<HashMap<DropId, Vec<PgRow>>, Fault> {
    let mut by_drop: HashMap<DropId, Vec<PgRow>> = HashMap::new();
    for row in transaction.script(spell(sql::LOAD, &[Literal::Integers(drops)])).await? {
        by_drop.entry(decode::drop_id(&row, "drop_id")?).or_default().push(row);
    }
    Ok(by_drop)
}
