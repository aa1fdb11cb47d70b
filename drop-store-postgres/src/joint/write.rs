//! Writing the decisions of several drops: arrays in, every count checked.

use drop_core::StoreError;
use drop_core::model::{Purchase, Reservation, Timestamp, VariantStock};
use drop_core::rules::Change;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;
use sqlx::types::chrono::{DateTime, Utc};

use super::sql;
use crate::decode::{get, sound};
use crate::facts;
use crate::fault::Fault;
use crate::transaction::Transaction;
use crate::write::{Moved, agree, column, moved, revision, written_at};

type Arrays<'q> = Query<'q, Postgres, PgArguments>;

/// Writes changes of different drops, each over its variants as they were before: one round trip,
/// one more where one of them settles.
pub(super) async fn changes(
    transaction: &mut Transaction,
    changes: &[(&Change, &[VariantStock])],
) -> Result<(), Fault> {
    for (change, _) in changes {
        joins(change)?;
    }
    let of = |rows: fn(&Change) -> &[Reservation]| -> Vec<Reservation> {
        changes.iter().flat_map(|(change, _)| rows(change)).copied().collect()
    };
    let settled = of(|change| &change.updated);
    if !settled.is_empty() {
        let rows = transaction.execute(bind_states(sqlx::query(sql::SETTLE), &settled)).await?;
        agree("settled reservations", rows, settled.len())?;
    }
    let taken = of(|change| &change.inserted);
    let sales: Vec<Purchase> = changes.iter().flat_map(|(change, _)| change.purchases()).collect();
    let counters: Vec<(i64, Moved)> = changes
        .iter()
        .flat_map(|(change, before)| {
            let drop_id = change.drop_id.get();
            moved(&change.variants, before).into_iter().map(move |variant| (drop_id, variant))
        })
        .collect();
    let heads: Vec<&Change> = changes.iter().map(|(change, _)| *change).collect();
    let query = bind_claims(bind_states(sqlx::query(sql::WRITE), &taken), &taken);
    let query = bind_counters(bind_sales(query, &sales), &counters);
    let written = transaction.run(bind_heads(query, &heads)?).await?;
    let row = written.first().ok_or_else(|| StoreError::corrupt("a write counted nothing"))?;
    let written = |column: usize| sound(u64::try_from(get::<i64, _>(row, column)?));
    agree("reservations", written(0)?, taken.len())?;
    agree("purchases", written(1)?, sales.len())?;
    agree("variants", written(2)?, counters.len())?;
    agree("drops", written(3)?, heads.len())?;
    agree("changes", written(4)?, heads.len())?;
    Ok(())
}

/// Whether all of a change is written here: not new terms, and not who is forgotten.
fn joins(change: &Change) -> Result<(), StoreError> {
    if change.terms.is_some() || !change.forgotten.is_empty() {
        return Err(StoreError::corrupt("a change of terms or users goes by itself"));
    }
    written_at(change).map(|_| ())
}

fn time(at: Timestamp) -> DateTime<Utc> {
    at.to_chrono()
}

/// Drops, numbers, times, states and deadlines.
fn bind_states<'q>(query: Arrays<'q>, rows: &[Reservation]) -> Arrays<'q> {
    query
        .bind(column(rows, |row| row.id().drop_id().get()))
        .bind(column(rows, |row| i64::from(row.id().number())))
        .bind(column(rows, |row| time(row.updated_at())))
        .bind(column(rows, |row| row.status().as_str()))
        .bind(column(rows, |row| time(row.expires_at())))
}

/// What a reservation claims: see [`crate::write`].
fn bind_claims<'q>(query: Arrays<'q>, rows: &[Reservation]) -> Arrays<'q> {
    query
        .bind(column(rows, |row| row.claim().user_id.get()))
        .bind(column(rows, |row| i64::from(row.claim().variant.get())))
        .bind(column(rows, |row| i64::from(row.claim().quantity)))
        .bind(column(rows, |row| row.claim().price.to_string()))
}

fn bind_sales<'q>(query: Arrays<'q>, sales: &[Purchase]) -> Arrays<'q> {
    query
        .bind(column(sales, |sale| sale.id.drop_id().get()))
        .bind(column(sales, |sale| i64::from(sale.id.number())))
        .bind(column(sales, |sale| time(sale.purchased_at)))
        .bind(column(sales, |sale| sale.user_id.get()))
        .bind(column(sales, |sale| i64::from(sale.variant.get())))
        .bind(column(sales, |sale| i64::from(sale.quantity)))
        .bind(column(sales, |sale| sale.amount_paid.to_string()))
}

fn bind_counters<'q>(query: Arrays<'q>, counters: &[(i64, Moved)]) -> Arrays<'q> {
    query
        .bind(column(counters, |(drop_id, _)| *drop_id))
        .bind(column(counters, |(_, variant)| variant.no))
        .bind(column(counters, |(_, variant)| i64::from(variant.after.total())))
        .bind(column(counters, |(_, variant)| i64::from(variant.after.held())))
        .bind(column(counters, |(_, variant)| i64::from(variant.after.sold())))
        .bind(column(counters, |(_, variant)| i64::from(variant.before.held())))
        .bind(column(counters, |(_, variant)| i64::from(variant.before.sold())))
}

fn bind_heads<'q>(query: Arrays<'q>, heads: &[&Change]) -> Result<Arrays<'q>, StoreError> {
    let recent = |change: &&Change| sound(serde_json::to_string(&change.recent));
    Ok(query
        .bind(column(heads, |change| change.drop_id.get()))
        .bind(heads.iter().map(|change| revision(change)).collect::<Result<Vec<_>, _>>()?)
        .bind(column(heads, |change| time(change.as_of)))
        .bind(column(heads, |change| i64::from(change.next_number)))
        .bind(column(heads, |change| i64::from(change.stock().total())))
        .bind(column(heads, |change| i64::from(change.stock().held())))
        .bind(column(heads, |change| i64::from(change.stock().sold())))
        .bind(heads.iter().map(recent).collect::<Result<Vec<_>, _>>()?)
        .bind(heads.iter().map(|change| facts::encode(change)).collect::<Result<Vec<_>, _>>()?))
}

#[cfg(test)]
mod tests {
    use drop_core::model::{DropId, NewDrop, Timestamp, Units, UserId};
    use drop_core::rules::Change;

    use super::joins;
    use crate::sample::terms;

    #[test]
    fn what_would_be_written_in_part_is_not_written() {
        let (drop_id, as_of) = (DropId::new(1).unwrap(), Timestamp::from_micros(7).unwrap());
        let new = NewDrop::plain(terms(), Units::ONE).unwrap();
        // Of its creation a change has terms.
        let with_terms = Change::created(drop_id, &new, as_of);
        assert!(joins(&with_terms).is_err());
        let mut change = Change { terms: None, ..with_terms };
        assert!(joins(&change).is_ok());
        change.forgotten = vec![UserId::new(1).unwrap()];
        assert!(joins(&change).is_err());
    }
}
