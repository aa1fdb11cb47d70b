//! What the file holds: one table per entity, keys beginning with the drop.

use drop_core::model::{DropTerms, Purchaser, Revision, Timestamp, VariantStock};
use redb::TableDefinition;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Facts about the file itself.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// The format's number, in [`META`].
pub(super) const FORMAT: &str = "format";
/// The highest drop id ever given, in [`META`].
pub(super) const LAST_DROP: &str = "last_drop";
/// The highest user id ever given to a user with a reservation, in [`META`].
pub(super) const LAST_USER: &str = "last_user";
/// The format that this version writes.
pub(super) const PRESENT_FORMAT: u64 = 2;
/// The format before it, which lacks [`CHUNKS`] and [`CROWDS`]. It is read, too.
pub(super) const FORMER_FORMAT: u64 = 1;

/// Drop id to [`TermsRecord`]: written at creation and at amendments.
pub(super) const TERMS: TableDefinition<'_, i64, &[u8]> = TableDefinition::new("terms");
/// Drop id to [`HeadRecord`]: written by every commit.
pub(super) const HEADS: TableDefinition<'_, i64, &[u8]> = TableDefinition::new("heads");
/// Reservation id to `Reservation`. A completed one is its purchase.
pub(super) const RESERVATIONS: TableDefinition<'_, i64, &[u8]> =
    TableDefinition::new("reservations");
/// The reservations that a batch took, under the id of the first: `Vec<Reservation>` in their
/// state of then, by rising number. What became of one since is in [`RESERVATIONS`], which
/// comes before it. One entry a batch is a fraction of the work of one a row.
pub(super) const CHUNKS: TableDefinition<'_, i64, &[u8]> = TableDefinition::new("chunks");
/// Drop id and revision to `Change`.
pub(super) const CHANGES: TableDefinition<'_, (i64, u64), &[u8]> = TableDefinition::new("changes");
/// The users who are told of a reservation by one change, under its drop id and revision:
/// `Vec<User>`. The others are in [`USERS`]; one may be in both, and in several.
pub(super) const CROWDS: TableDefinition<'_, (i64, u64), &[u8]> = TableDefinition::new("crowds");
/// User id to username.
pub(super) const USERS: TableDefinition<'_, i64, &str> = TableDefinition::new("users");

/// What stays of a drop over most commits.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TermsRecord {
    pub(super) created_at: Timestamp,
    pub(super) terms: DropTerms,
}

/// What every commit changes of a drop.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HeadRecord {
    pub(super) revision: Revision,
    pub(super) as_of: Timestamp,
    pub(super) variants: Vec<VariantStock>,
    pub(super) next_number: u32,
    pub(super) recent: Vec<Purchaser>,
}

/// A value as bytes.
pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, redb::Error> {
    postcard::to_stdvec(value).map_err(|error| redb::Error::Corrupted(error.to_string()))
}

/// Bytes as a value; anything left over is damage.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, redb::Error> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(redb::Error::Corrupted("a value is longer than it should be".to_owned())),
        Err(error) => Err(redb::Error::Corrupted(format!("a value cannot be read: {error}"))),
    }
}
