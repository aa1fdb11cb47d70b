//! Writing a decision: arrays in, every count checked.

use drop_core::StoreError;
use drop_core::model::{DropTerms, Purchase, Reservation, Stock, Timestamp, VariantStock};
use drop_core::rules::Change;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;
use sqlx::types::chrono::{DateTime, Utc};

use crate::decode::{get, sound};
use crate::facts;
use crate::fault::Fault;
use crate::sql;
use crate::transaction::Transaction;

/// Writes `change` over the drop whose variants were `before`: one round trip, one more where
/// it both settles and takes holds, and more where it amends or forgets.
pub(crate) async fn change(
    transaction: &mut Transaction,
    change: &Change,
    before: &[VariantStock],
) -> Result<(), Fault> {
    let settles = !change.updated.is_empty();
    let takes = !change.inserted.is_empty();
    let as_of = written_at(change)?;
    if !change.forgotten.is_empty() {
        let users: Vec<i64> = change.forgotten.iter().map(|user_id| user_id.get()).collect();
        let query = sqlx::query(sql::FORGET).bind(change.drop_id.get()).bind(users);
        transaction.execute(query).await?;
    }
    if let Some(terms) = &change.terms {
        amend(transaction, change, terms, before).await?;
    }
    if settles && takes {
        let query = sqlx::query(sql::SETTLE).bind(change.drop_id.get()).bind(as_of);
        let rows = transaction.execute(bind_states(query, &change.updated)).await?;
        agree("settled reservations", rows, change.updated.len())?;
    }
    let (statement, rows) = if takes || !settles {
        (sql::WRITE_TAKEN, &change.inserted)
    } else {
        (sql::WRITE_SETTLED, &change.updated)
    };
    let sales: Vec<Purchase> = change.purchases().collect();
    let counters = moved(&change.variants, before);
    let query = sqlx::query(statement).bind(change.drop_id.get()).bind(as_of);
    let query =
        bind_states(bind_head(bind_counters(bind_sales(query, &sales), &counters), change)?, rows);
    let query = if statement == sql::WRITE_TAKEN { bind_claims(query, rows) } else { query };
    let written = transaction.run(query).await?;
    let row = written.first().ok_or_else(|| StoreError::corrupt("a write counted nothing"))?;
    let written = |column: usize| sound(u64::try_from(get::<i64, _>(row, column)?));
    agree("reservations", written(0)?, rows.len())?;
    agree("purchases", written(1)?, sales.len())?;
    agree("variants", written(2)?, counters.len())?;
    agree("drops", written(3)?, 1)?;
    agree("changes", written(4)?, 1)?;
    Ok(())
}

/// The time of every row that a change writes: its statements take one for all of them.
pub(crate) fn written_at(change: &Change) -> Result<DateTime<Utc>, StoreError> {
    if change.reservations().any(|row| row.updated_at() != change.as_of) {
        return Err(StoreError::corrupt("a change wrote a row at another time"));
    }
    Ok(change.as_of.to_chrono())
}

/// Writes the terms of a new drop or of an amendment, as [`sql::AMEND`] and [`sql::CREATE`]
/// take them.
pub(crate) fn bind_terms<'q>(
    query: Query<'q, Postgres, PgArguments>,
    terms: &DropTerms,
) -> Result<Query<'q, Postgres, PgArguments>, StoreError> {
    let micros = |span: std::time::Duration| sound(i64::try_from(span.as_micros()));
    Ok(query
        .bind(terms.name.as_str().to_owned())
        .bind(terms.price.to_string())
        .bind(terms.window.starts_at().to_chrono())
        .bind(terms.window.ends_at().map(Timestamp::to_chrono))
        .bind(terms.limit.map(i64::from))
        .bind(micros(terms.hold.hold())?)
        .bind(micros(terms.hold.longest())?))
}

/// Adds the variants from position `first` on.
pub(crate) fn add_variants(change: &Change, first: usize) -> Query<'static, Postgres, PgArguments> {
    let (mut numbers, mut names, mut totals) = (Vec::new(), Vec::new(), Vec::new());
    for (no, variant) in (0_i64..).zip(&change.variants).skip(first) {
        numbers.push(no);
        names.push(variant.name.as_ref().map(|name| name.as_str().to_owned()));
        totals.push(i64::from(variant.stock.total()));
    }
    sqlx::query(sql::ADD_VARIANTS).bind(change.drop_id.get()).bind(numbers).bind(names).bind(totals)
}

async fn amend(
    transaction: &mut Transaction,
    change: &Change,
    terms: &DropTerms,
    before: &[VariantStock],
) -> Result<(), Fault> {
    let query = bind_terms(sqlx::query(sql::AMEND).bind(change.drop_id.get()), terms)?;
    agree("drops", transaction.execute(query).await?, 1)?;
    if let Some(added) = change.variants.len().checked_sub(before.len())
        && added > 0
    {
        let rows = transaction.execute(add_variants(change, before.len())).await?;
        agree("new variants", rows, added)?;
    }
    Ok(())
}

/// A variant whose counts differ from before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    pub(crate) no: i64,
    pub(crate) after: Stock,
    pub(crate) before: Stock,
}

/// The variants whose counts differ from before. One that is new had none: it is written with
/// its total already.
pub(crate) fn moved(after: &[VariantStock], before: &[VariantStock]) -> Vec<Moved> {
    let before = before.iter().map(|variant| Some(variant.stock)).chain(std::iter::repeat(None));
    (0..)
        .zip(after)
        .zip(before)
        .filter(|((_, after), before)| Some(after.stock) != *before)
        .map(|((no, after), before)| {
            let before = before.unwrap_or(Stock::new(after.stock.total()));
            Moved { no, after: after.stock, before }
        })
        .collect()
}

fn bind_sales<'q>(
    query: Query<'q, Postgres, PgArguments>,
    sales: &[Purchase],
) -> Query<'q, Postgres, PgArguments> {
    query
        .bind(column(sales, |sale| i64::from(sale.id.number())))
        .bind(column(sales, |sale| sale.user_id.get()))
        .bind(column(sales, |sale| i64::from(sale.variant.get())))
        .bind(column(sales, |sale| i64::from(sale.quantity)))
        .bind(column(sales, |sale| sale.amount_paid.to_string()))
}

fn bind_counters<'q>(
    query: Query<'q, Postgres, PgArguments>,
    counters: &[Moved],
) -> Query<'q, Postgres, PgArguments> {
    query
        .bind(column(counters, |variant| variant.no))
        .bind(column(counters, |variant| i64::from(variant.after.total())))
        .bind(column(counters, |variant| i64::from(variant.after.held())))
        .bind(column(counters, |variant| i64::from(variant.after.sold())))
        .bind(column(counters, |variant| i64::from(variant.before.held())))
        .bind(column(counters, |variant| i64::from(variant.before.sold())))
}

fn bind_head<'q>(
    query: Query<'q, Postgres, PgArguments>,
    change: &Change,
) -> Result<Query<'q, Postgres, PgArguments>, StoreError> {
    let stock = change.stock();
    Ok(query
        .bind(revision(change)?)
        .bind(i64::from(change.next_number))
        .bind(i64::from(stock.total()))
        .bind(i64::from(stock.held()))
        .bind(i64::from(stock.sold()))
        .bind(sound(serde_json::to_string(&change.recent))?)
        .bind(facts::encode(change)?))
}

/// Numbers, states and deadlines.
fn bind_states<'q>(
    query: Query<'q, Postgres, PgArguments>,
    rows: &[Reservation],
) -> Query<'q, Postgres, PgArguments> {
    query
        .bind(column(rows, |row| i64::from(row.id().number())))
        .bind(column(rows, |row| row.status().as_str()))
        .bind(column::<_, DateTime<Utc>>(rows, |row| row.expires_at().to_chrono()))
}

/// What a reservation claims. A price travels as text, because a zero loses its decimal places
/// on the way through a binary `NUMERIC`.
fn bind_claims<'q>(
    query: Query<'q, Postgres, PgArguments>,
    rows: &[Reservation],
) -> Query<'q, Postgres, PgArguments> {
    query
        .bind(column(rows, |row| row.claim().user_id.get()))
        .bind(column(rows, |row| i64::from(row.claim().variant.get())))
        .bind(column(rows, |row| i64::from(row.claim().quantity)))
        .bind(column(rows, |row| row.claim().price.to_string()))
}

pub(crate) fn column<R, T>(rows: &[R], value: impl Fn(&R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// A change's revision as the database has it.
pub(crate) fn revision(change: &Change) -> Result<i64, StoreError> {
    sound(i64::try_from(change.revision.get()))
}

/// What was written is what was decided, or nothing of it is committed.
pub(crate) fn agree(what: &str, written: u64, decided: usize) -> Result<(), StoreError> {
    if u64::try_from(decided) == Ok(written) {
        Ok(())
    } else {
        Err(StoreError::corrupt(format!("{decided} {what} were decided, {written} written")))
    }
}

#[cfg(test)]
mod tests {
    use drop_core::model::{
        Claim, DropId, Hold, NewDrop, ReservationId, Timestamp, Units, UserId, VariantNo,
    };
    use drop_core::rules::Change;

    use super::written_at;
    use crate::sample::terms;

    #[test]
    fn a_change_whose_rows_are_of_two_times_is_not_written() {
        let terms = terms();
        let (drop_id, as_of) = (DropId::new(1).unwrap(), Timestamp::from_micros(7).unwrap());
        let claim = Claim {
            id: ReservationId::new(drop_id, 1).unwrap(),
            user_id: UserId::new(1).unwrap(),
            variant: VariantNo::new(0),
            quantity: Units::ONE,
            price: terms.price,
            created_at: as_of,
        };
        let hold = Hold::take(claim, terms.hold);
        let new = NewDrop::plain(terms, Units::ONE).unwrap();
        let mut change = Change::created(drop_id, &new, as_of);
        change.inserted = vec![hold.into()];
        assert_eq!(written_at(&change).unwrap(), as_of.to_chrono());
        change.updated = vec![hold.release(Timestamp::from_micros(8).unwrap())];
        assert!(written_at(&change).is_err());
    }
}
