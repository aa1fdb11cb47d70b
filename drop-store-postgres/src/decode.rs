//! Rows of the database as values of the model. What does not fit is a contradiction in the
//! stored data, and loud.

use std::sync::Arc;
use std::time::Duration;

use drop_core::StoreError;
use drop_core::model::{
    Claim, DropId, DropName, DropTerms, HoldPolicy, Price, Purchaser, Reservation, ReservationId,
    Status, Stock, Timestamp, Units, UserId, Username, VariantName, VariantNo, VariantStock,
    Window,
};
use sqlx::postgres::{PgRow, Postgres};
use sqlx::types::chrono::{DateTime, Utc};
use sqlx::{ColumnIndex, Decode, Row, Type};

/// A value of a row.
pub(crate) fn get<'r, T, I>(row: &'r PgRow, column: I) -> Result<T, StoreError>
where
    T: Decode<'r, Postgres> + Type<Postgres>,
    I: ColumnIndex<PgRow>,
{
    row.try_get(column).map_err(|error| StoreError::Corrupt(Arc::new(error)))
}

/// Whether the row has a column of that name: what tells the rows of a script apart.
pub(crate) fn has(row: &PgRow, column: &str) -> bool {
    row.try_column(column).is_ok()
}

/// Makes a contradiction of a value that the model refuses.
pub(crate) fn sound<T, E>(value: Result<T, E>) -> Result<T, StoreError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    value.map_err(|error| StoreError::Corrupt(Arc::new(error)))
}

pub(crate) fn time<I: ColumnIndex<PgRow>>(row: &PgRow, column: I) -> Result<Timestamp, StoreError> {
    let at: DateTime<Utc> = get(row, column)?;
    sound(Timestamp::from_chrono(at))
}

pub(crate) fn units<I: ColumnIndex<PgRow>>(row: &PgRow, column: I) -> Result<Units, StoreError> {
    sound(Units::new(get(row, column)?))
}

/// A count of rows or units that may be larger than any that is allowed.
pub(crate) fn count<I: ColumnIndex<PgRow>>(row: &PgRow, column: I) -> Result<u64, StoreError> {
    let count: i64 = get(row, column)?;
    sound(u64::try_from(count))
}

pub(crate) fn drop_id<I: ColumnIndex<PgRow>>(row: &PgRow, column: I) -> Result<DropId, StoreError> {
    sound(DropId::new(get(row, column)?))
}

pub(crate) fn user_id<I: ColumnIndex<PgRow>>(row: &PgRow, column: I) -> Result<UserId, StoreError> {
    sound(UserId::new(get(row, column)?))
}

pub(crate) fn username<I: ColumnIndex<PgRow>>(
    row: &PgRow,
    column: I,
) -> Result<Username, StoreError> {
    let name: &str = get(row, column)?;
    sound(Username::new(name))
}

pub(crate) fn reservation_id<I: ColumnIndex<PgRow>>(
    row: &PgRow,
    drop_id: DropId,
    column: I,
) -> Result<ReservationId, StoreError> {
    let number: i64 = get(row, column)?;
    let number = sound(u32::try_from(number))?;
    sound(ReservationId::new(drop_id, number))
}

pub(crate) fn variant_no<I: ColumnIndex<PgRow>>(
    row: &PgRow,
    column: I,
) -> Result<VariantNo, StoreError> {
    let no: i64 = get(row, column)?;
    sound(u16::try_from(no)).map(VariantNo::new)
}

/// A reservation, from nine columns that begin at `first`.
pub(crate) fn reservation(
    row: &PgRow,
    drop_id: DropId,
    first: usize,
) -> Result<Reservation, StoreError> {
    let column = |offset: usize| first + offset;
    let price: &str = get(row, column(4))?;
    let status: &str = get(row, column(5))?;
    let status = Status::from_word(status)
        .ok_or_else(|| StoreError::corrupt(format!("{status} is no status")))?;
    let claim = Claim {
        id: reservation_id(row, drop_id, column(0))?,
        user_id: user_id(row, column(1))?,
        variant: variant_no(row, column(2))?,
        quantity: units(row, column(3))?,
        price: sound(price.parse::<Price>())?,
        created_at: time(row, column(6))?,
    };
    Ok(Reservation::restore(claim, time(row, column(7))?, time(row, column(8))?, status))
}

/// The terms of a drop, by the names of their columns.
pub(crate) fn terms(row: &PgRow) -> Result<DropTerms, StoreError> {
    let price: &str = get(row, "price")?;
    let ends_at: Option<DateTime<Utc>> = get(row, "ends_at")?;
    let ends_at = ends_at.map(Timestamp::from_chrono).transpose();
    let limit: Option<i64> = get(row, "max_per_customer")?;
    let span = |column: &str| {
        let micros: i64 = get(row, column)?;
        sound(u64::try_from(micros)).map(Duration::from_micros)
    };
    Ok(DropTerms {
        name: sound(DropName::new(get(row, "name")?))?,
        price: sound(price.parse::<Price>())?,
        window: sound(Window::new(time(row, "starts_at")?, sound(ends_at)?))?,
        limit: sound(limit.map(Units::new).transpose())?,
        hold: sound(HoldPolicy::new(span("hold_micros")?, span("longest_micros")?))?,
    })
}

/// A variant, by the names of its columns.
pub(crate) fn variant(row: &PgRow) -> Result<VariantStock, StoreError> {
    let name: Option<&str> = get(row, "variant_name")?;
    Ok(VariantStock {
        name: sound(name.map(VariantName::new).transpose())?,
        stock: sound(Stock::restore(
            units(row, "total")?,
            units(row, "held")?,
            units(row, "sold")?,
        ))?,
    })
}

/// The newest purchasers, from the drop's row.
pub(crate) fn recent(row: &PgRow) -> Result<Vec<Purchaser>, StoreError> {
    let recent: &str = get(row, "recent")?;
    sound(serde_json::from_str(recent))
}
