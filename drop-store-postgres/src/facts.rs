//! A change as the feed keeps it: in columns, each value once where all rows have the same.
//!
//! The holds of one batch have one price, one deadline and one state between them. Written row by
//! row they are most of what the transaction's longest statement has to read, check and compress.

use std::sync::Arc;

use drop_core::StoreError;
use drop_core::model::{
    Claim, DropId, DropTerms, Price, Purchaser, Reservation, ReservationId, Revision, Status,
    Timestamp, Units, UserId, Username, VariantNo, VariantStock,
};
use drop_core::rules::Change;
use serde::{Deserialize, Serialize};

use crate::decode::sound;

/// The text of a change.
pub(crate) fn encode(change: &Change) -> Result<String, StoreError> {
    sound(serde_json::to_string(&Facts::of(change)))
}

/// The change of a text: of this form, or of the one before it, row by row.
pub(crate) fn decode(text: &str) -> Result<Change, StoreError> {
    match serde_json::from_str::<Facts>(text) {
        Ok(facts) => facts.change(),
        Err(error) => serde_json::from_str(text).or_else(|_| sound(Err(error))),
    }
}

/// The members of a [`Change`], its rows in columns.
#[derive(Serialize, Deserialize)]
struct Facts {
    drop_id: DropId,
    revision: Revision,
    as_of: Timestamp,
    variants: Vec<VariantStock>,
    next_number: u32,
    // Missing is not the same as none.
    #[serde(deserialize_with = "Option::deserialize")]
    updated: Option<Rows>,
    #[serde(deserialize_with = "Option::deserialize")]
    inserted: Option<Rows>,
    forgotten: Vec<UserId>,
    #[serde(deserialize_with = "Option::deserialize")]
    purchasers: Option<Buyers>,
    recent: Vec<Purchaser>,
    terms: Option<Arc<DropTerms>>,
    moved: bool,
    sold_out: bool,
}

/// Reservations.
#[derive(Serialize, Deserialize)]
struct Rows {
    n: Vec<u32>,
    user: Column<UserId>,
    variant: Column<VariantNo>,
    quantity: Column<Units>,
    price: Column<Price>,
    created_at: Column<Timestamp>,
    expires_at: Column<Timestamp>,
    updated_at: Column<Timestamp>,
    status: Column<Status>,
}

/// Purchasers.
#[derive(Serialize, Deserialize)]
struct Buyers {
    username: Vec<Username>,
    purchased_at: Column<Timestamp>,
}

/// A member of many rows.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Column<T> {
    Each(Vec<T>),
    /// Of all of them, one or more.
    Same(T),
}

impl Facts {
    fn of(change: &Change) -> Self {
        Self {
            drop_id: change.drop_id,
            revision: change.revision,
            as_of: change.as_of,
            variants: change.variants.clone(),
            next_number: change.next_number,
            updated: Rows::of(&change.updated),
            inserted: Rows::of(&change.inserted),
            forgotten: change.forgotten.clone(),
            purchasers: Buyers::of(&change.purchasers),
            recent: change.recent.clone(),
            terms: change.terms.clone(),
            moved: change.moved,
            sold_out: change.sold_out,
        }
    }

    fn change(self) -> Result<Change, StoreError> {
        Ok(Change {
            drop_id: self.drop_id,
            revision: self.revision,
            as_of: self.as_of,
            variants: self.variants,
            next_number: self.next_number,
            updated: Rows::reservations(self.updated, self.drop_id)?,
            inserted: Rows::reservations(self.inserted, self.drop_id)?,
            forgotten: self.forgotten,
            purchasers: Buyers::purchasers(self.purchasers)?,
            recent: self.recent,
            terms: self.terms,
            moved: self.moved,
            sold_out: self.sold_out,
        })
    }
}

impl Rows {
    fn of(rows: &[Reservation]) -> Option<Self> {
        Some(Self {
            n: rows.iter().map(|row| row.id().number()).collect(),
            user: Column::of(rows, |row| row.claim().user_id)?,
            variant: Column::of(rows, |row| row.claim().variant)?,
            quantity: Column::of(rows, |row| row.claim().quantity)?,
            price: Column::of_prices(rows)?,
            created_at: Column::of(rows, |row| row.claim().created_at)?,
            expires_at: Column::of(rows, Reservation::expires_at)?,
            updated_at: Column::of(rows, Reservation::updated_at)?,
            status: Column::of(rows, Reservation::status)?,
        })
    }

    fn reservations(rows: Option<Self>, drop_id: DropId) -> Result<Vec<Reservation>, StoreError> {
        let Some(rows) = rows else { return Ok(Vec::new()) };
        let count = rows.n.len();
        let reservation = |(index, number): (usize, &u32)| {
            let claim = Claim {
                id: sound(ReservationId::new(drop_id, *number))?,
                user_id: rows.user.of_row(index, count)?,
                variant: rows.variant.of_row(index, count)?,
                quantity: rows.quantity.of_row(index, count)?,
                price: rows.price.of_row(index, count)?,
                created_at: rows.created_at.of_row(index, count)?,
            };
            Ok(Reservation::restore(
                claim,
                rows.expires_at.of_row(index, count)?,
                rows.updated_at.of_row(index, count)?,
                rows.status.of_row(index, count)?,
            ))
        };
        rows.n.iter().enumerate().map(reservation).collect()
    }
}

impl Buyers {
    fn of(purchasers: &[Purchaser]) -> Option<Self> {
        Some(Self {
            username: purchasers.iter().map(|one| one.username.clone()).collect(),
            purchased_at: Column::of(purchasers, |one| one.purchased_at)?,
        })
    }

    fn purchasers(buyers: Option<Self>) -> Result<Vec<Purchaser>, StoreError> {
        let Some(Self { username, purchased_at }) = buyers else { return Ok(Vec::new()) };
        let count = username.len();
        let purchaser = |(index, username)| {
            Ok(Purchaser { username, purchased_at: purchased_at.of_row(index, count)? })
        };
        username.into_iter().enumerate().map(purchaser).collect()
    }
}

impl<T: Copy + PartialEq> Column<T> {
    /// `None` where there are no rows.
    fn of<R>(rows: &[R], value: impl Fn(&R) -> T) -> Option<Self> {
        Self::alike(rows, value, |one, other| one == other)
    }

    fn alike<R>(rows: &[R], value: impl Fn(&R) -> T, alike: impl Fn(T, T) -> bool) -> Option<Self> {
        let first = value(rows.first()?);
        Some(if rows.iter().all(|row| alike(value(row), first)) {
            Self::Same(first)
        } else {
            Self::Each(rows.iter().map(value).collect())
        })
    }

    /// The member of the row at `index` of so many `rows`.
    fn of_row(&self, index: usize, rows: usize) -> Result<T, StoreError> {
        let value = match self {
            Self::Same(value) => Some(value),
            Self::Each(values) => values.get(index).filter(|_| values.len() == rows),
        };
        value.copied().ok_or_else(|| StoreError::corrupt("a change's columns differ in length"))
    }
}

impl Column<Price> {
    /// 1.5 is worth as much as 1.50, and is not written alike.
    fn of_prices(rows: &[Reservation]) -> Option<Self> {
        let price = |row: &Reservation| row.claim().price;
        Self::alike(rows, price, |one, other| {
            one == other && one.get().scale() == other.get().scale()
        })
    }
}

#[cfg(test)]
mod tests {
    use drop_core::StoreError;
    use drop_core::model::{
        Claim, DropId, Hold, HoldPolicy, NewDrop, Purchaser, ReservationId, Timestamp, Units,
        UserId, VariantNo,
    };
    use drop_core::rules::Change;

    use super::{decode, encode};
    use crate::sample::terms;

    fn time(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).unwrap()
    }

    /// A creation, to which holds at these prices are added.
    fn change(prices: &[&str]) -> Change {
        let terms = terms();
        let drop_id = DropId::new(7).unwrap();
        let new = NewDrop::plain(terms.clone(), Units::ONE).unwrap();
        let mut change = Change::created(drop_id, &new, time(7));
        let hold = |(number, price): (u32, &&str)| {
            let claim = Claim {
                id: ReservationId::new(drop_id, number).unwrap(),
                user_id: UserId::new(i64::from(number) * 3).unwrap(),
                variant: VariantNo::new(0),
                quantity: Units::ONE,
                price: price.parse().unwrap(),
                created_at: time(7),
            };
            Hold::take(claim, terms.hold)
        };
        change.inserted = (1..).zip(prices).map(hold).map(Into::into).collect();
        change
    }

    /// Told apart by their words too: a price by its decimal places.
    fn assert_same(read: &Change, written: &Change) {
        assert_eq!(format!("{read:?}"), format!("{written:?}"));
    }

    #[test]
    fn what_is_written_is_read() {
        let mut some = change(&["1.50", "1.5", "2"]);
        some.updated =
            vec![Hold::take(*some.inserted[0].claim(), HoldPolicy::seconds(9)).release(time(8))];
        some.forgotten = vec![UserId::new(4).unwrap()];
        let buyer =
            |name: &str, at| Purchaser { username: name.parse().unwrap(), purchased_at: time(at) };
        some.purchasers = vec![buyer("ann", 7), buyer("Bob", 8)];
        some.recent = vec![buyer("Bob", 8)];
        let alike =
            [change(&[]), change(&["1.50"]), change(&["1.50"; 2]), change(&["1.5", "1.50"])];
        for written in alike.into_iter().chain([some]) {
            assert_same(&decode(&encode(&written).unwrap()).unwrap(), &written);
        }
    }

    #[test]
    fn what_was_written_row_by_row_is_read() {
        for written in [change(&[]), change(&["1.50", "1.5", "2"])] {
            let rows = serde_json::to_string(&written).unwrap();
            assert_same(&decode(&rows).unwrap(), &written);
        }
    }

    #[test]
    fn many_holds_are_not_many_words() {
        let one = encode(&change(&["1.50"])).unwrap().len();
        let many = encode(&change(&["1.50"; 101])).unwrap().len();
        // A number and a user each.
        assert!(many - one < 100 * 10, "{many} bytes, of one hold {one}");
    }

    #[test]
    fn what_lacks_a_member_is_corrupt() {
        let text = encode(&change(&["1", "2"])).unwrap();
        let users = |users: &str| text.replace("[3,6]", users);
        let without = |member: &str| text.replace(member, "\"_\":");
        let bad = [users("[3]"), users("[3,6,9]"), users("[]"), without("\"updated\":")];
        assert!(bad.iter().all(|bad| *bad != text));
        for bad in bad.iter().map(String::as_str).chain(["{}", "", "[]"]) {
            assert!(matches!(decode(bad), Err(StoreError::Corrupt(_))), "{bad}");
        }
    }
}
