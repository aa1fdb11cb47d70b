//! The store contract: where drops are kept.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::error::StoreError;
use crate::model::{
    DropId, DropSnapshot, DropStatus, NewDrop, Purchase, Reservation, ReservationId, Revision,
    Timestamp, Username,
};
use crate::rules::{Applied, Audit, Batch, Change};

/// A part of the list of drops, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropPage {
    /// Only drops of this status; [`DropStatus::Open`] includes those sold out inside their
    /// window, and [`DropStatus::SoldOut`] is only those.
    pub status: Option<DropStatus>,
    /// Only drops older than this one.
    pub after: Option<DropId>,
    /// At most so many.
    pub limit: usize,
}

/// Whose holds or purchases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of a drop.
    Drop(DropId),
    /// All of a customer, over all drops.
    Customer(Username),
}

/// A part of a list of reservations, by falling number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only those with a lower number.
    pub before: Option<ReservationId>,
    /// At most so many.
    pub limit: usize,
}

/// An active reservation and its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The reservation.
    pub reservation: Reservation,
    /// Its holder.
    pub username: Username,
}

/// A purchase and its buyer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// The purchase.
    pub purchase: Purchase,
    /// Its buyer.
    pub username: Username,
}

/// A reservation as read, with the moment of the reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The reservation as it stands in the store.
    pub reservation: Reservation,
    /// The store's time.
    pub as_of: Timestamp,
}

/// The drops whose holds end next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The store's time.
    pub as_of: Timestamp,
    /// Each drop with active holds and its earliest deadline, soonest first.
    pub deadlines: Vec<(DropId, Timestamp)>,
}

/// What became of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It is gone.
    Deleted,
    /// It was not there.
    NotFound,
    /// It stays: there are sales or live holds (of a user: any reservation).
    Refused,
}

/// A place where drops are kept. Object safe, and without default bodies: each method
/// guards something.
///
/// To be correct, a store must:
/// - **lock, load, decide, write, commit.** [`Store::apply`] takes the drop's lock, loads the
///   [`Ledger`](crate::rules::Ledger) as its documentation says, calls
///   [`decide`](crate::rules::decide), writes the change and commits, and only then answers.
///   A second `apply` on the same drop, from this instance or any other, waits, and
///   not for long: then it is [`StoreError::Unavailable`]. No other drop's lock is waited for.
/// - **read nothing that a lock protects before the lock is held**, the time included.
/// - **raise the revision by exactly one** per written change, and keep the change in the
///   feed in the same commit. A batch without a change writes nothing.
/// - **be durable as it says**: where [`Store::is_durable`], an answer is given only after
///   the commit cannot be lost.
/// - **fail whole.** An error means that nothing was written, except
///   [`StoreError::Unknown`], where the commit may or may not have happened.
/// - **count lapsed holds as available** in everything it reads out.
///
/// The suite in `drop_core::conformance` (feature `conformance`) tests all of it.
///
/// # Cancel safety
/// Every future may be dropped at any await: the change is then either committed whole or
/// not at all, no lock stays behind, and a committed change is still in the feed.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// What an operator reads at start, without secrets: `memory`, `file:DIR`, `postgres`.
    fn describe(&self) -> String;

    /// Whether what was acknowledged survives a crash.
    fn is_durable(&self) -> bool;

    /// Whether the store can serve now, and its time.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be reached or its schema is not the one expected.
    async fn ready(&self) -> Result<Timestamp, StoreError>;

    /// Creates a drop at [`Revision::FIRST`], with a change in the feed that carries its
    /// terms.
    ///
    /// # Errors
    /// [`StoreError`] when it was not created, or `Unknown`.
    async fn create_drop(&self, new: &NewDrop) -> Result<DropSnapshot, StoreError>;

    /// Decides and commits a batch: the only way stock changes.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written unless it is `Unknown`.
    async fn apply(&self, batch: &Batch) -> Result<Applied, StoreError>;

    /// Deletes a drop with everything in it. Without `force` it refuses while there are sales
    /// or live holds.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn delete_drop(&self, id: DropId, force: bool) -> Result<Deletion, StoreError>;

    /// Deletes a user who has no reservation left; refuses while there is one. Reservations
    /// are removed drop by drop, by [`Command::Forget`](crate::rules::Command::Forget), so
    /// that counters and watchers follow.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn delete_user(&self, username: &Username) -> Result<Deletion, StoreError>;

    /// The drops in which a user has any reservation.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn drops_of(&self, username: &Username) -> Result<Vec<DropId>, StoreError>;

    /// One drop.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn snapshot(&self, id: DropId) -> Result<Option<DropSnapshot>, StoreError>;

    /// A part of the drops, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn snapshots(&self, page: &DropPage) -> Result<Vec<DropSnapshot>, StoreError>;

    /// One reservation, in any state.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn reservation(&self, id: ReservationId) -> Result<Option<Reading>, StoreError>;

    /// The holds that are valid now, by falling number.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn holds(&self, scope: &Scope, page: Page) -> Result<Vec<Held>, StoreError>;

    /// The purchases, by falling number.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn purchases(&self, scope: &Scope, page: Page) -> Result<Vec<Sale>, StoreError>;

    /// The drops whose holds end next, at most `limit`, soonest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn due(&self, limit: usize) -> Result<Due, StoreError>;

    /// The revisions of the drops after `after`, by rising id, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn heads(
        &self,
        after: Option<DropId>,
        limit: usize,
    ) -> Result<Vec<(DropId, Revision)>, StoreError>;

    /// The changes of a drop after `since`, in order, at most `limit`. Where the first is not
    /// the next after `since`, older ones were trimmed.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn changes(
        &self,
        id: DropId,
        since: Revision,
        limit: usize,
    ) -> Result<Vec<Arc<Change>>, StoreError>;

    /// Names drops that may have changed, by whomever. A hint only: it may repeat, be late
    /// or be lost; the feed is the truth. Ends only with the store.
    fn hints(&self) -> BoxStream<'static, DropId>;

    /// Removes from the feed all but the newest `keep` changes of each drop, and returns how
    /// many it removed. The newest of all stays, also where `keep` is 0: by it is seen what was
    /// trimmed.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn trim(&self, keep: u32) -> Result<u64, StoreError>;

    /// Recounts a drop from its rows, under its lock.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn audit(&self, id: DropId) -> Result<Option<Audit>, StoreError>;
}
