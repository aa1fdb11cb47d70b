//! Where commits are written before they are acknowledged.

use std::fmt::Debug;

use drop_core::StoreError;
use drop_core::model::{DropId, Revision, User, UserId};
use drop_core::rules::Change;

/// Keeps what the shelves are about to take over. Called under the lock of what it is about,
/// and before memory changes: what it refuses does not happen.
pub(crate) trait Log: Debug + Send + Sync {
    /// Whether it can keep anything.
    fn check(&self) -> Result<(), StoreError>;

    /// A change was decided. `users` are those of its inserted reservations: they may be new.
    fn changed(&self, change: &Change, users: &[User]) -> Result<(), StoreError>;

    /// A drop is deleted with everything in it.
    fn drop_deleted(&self, id: DropId) -> Result<(), StoreError>;

    /// A user without reservations is deleted.
    fn user_deleted(&self, id: UserId) -> Result<(), StoreError>;

    /// The changes of a drop up to `upto` leave the feed.
    fn trimmed(&self, id: DropId, upto: Revision) -> Result<(), StoreError>;
}

/// Keeps nothing: the memory store.
#[derive(Debug)]
pub(crate) struct NoLog;

impl Log for NoLog {
    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn changed(&self, _: &Change, _: &[User]) -> Result<(), StoreError> {
        Ok(())
    }

    fn drop_deleted(&self, _: DropId) -> Result<(), StoreError> {
        Ok(())
    }

    fn user_deleted(&self, _: UserId) -> Result<(), StoreError> {
        Ok(())
    }

    fn trimmed(&self, _: DropId, _: Revision) -> Result<(), StoreError> {
        Ok(())
    }
}
