//! Where commits are written before they are acknowledged.

use std::fmt::Debug;
use std::sync::Arc;

use drop_core::StoreError;
use drop_core::model::{DropId, Revision, Timestamp, User, UserId, VariantStock};
use drop_core::rules::Change;

/// Keeps what the shelves are about to take over. Called under the lock of what it is about,
/// and before memory changes: what it refuses does not happen.
///
/// After a failure it keeps nothing more until it is opened again.
pub(crate) trait Log: Debug + Send + Sync {
    /// Whether it can keep anything.
    fn check(&self) -> Result<(), StoreError>;

    /// Whether it has failed and it is time to try [`Log::reopen`].
    fn wants_reopening(&self) -> bool;

    /// Opens it again after a failure, compares it with what memory has, and returns by what
    /// it is ahead. Called while nobody writes.
    ///
    /// At most what went by the one commit whose outcome was unknown is missing in memory. What it
    /// returns is durable, and memory has to take it over before anything else is written.
    ///
    /// # Errors
    /// It still cannot be opened; or `Corrupt`, where it and memory contradict each other.
    fn reopen(&self, memory: &[Head]) -> Result<Vec<Lead>, StoreError>;

    /// Whether it keeps anything at all.
    fn keeps(&self) -> bool;

    /// A change was decided. `users` are those who are told of a reservation by it: they may be new.
    fn changed(&self, change: &Arc<Change>, users: Vec<User>) -> Result<(), StoreError>;

    /// A drop is deleted with everything in it.
    fn drop_deleted(&self, id: DropId) -> Result<(), StoreError>;

    /// A user without reservations is deleted.
    fn user_deleted(&self, id: UserId) -> Result<(), StoreError>;

    /// The changes of a drop up to `upto` leave the feed.
    fn trimmed(&self, id: DropId, upto: Revision) -> Result<(), StoreError>;
}

/// Where a drop in memory stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) id: DropId,
    pub(crate) revision: Revision,
    pub(crate) as_of: Timestamp,
    pub(crate) variants: Vec<VariantStock>,
    pub(crate) next_number: u32,
}

/// A commit that the log has and memory has not.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "journal"), expect(dead_code, reason = "only a journal can lead"))]
pub(crate) enum Lead {
    /// The next change of a drop, or its first.
    Change(Arc<Change>),
    /// The drop is gone.
    Deletion(DropId),
}

impl Lead {
    #[cfg(feature = "journal")]
    pub(crate) fn drop_id(&self) -> DropId {
        match self {
            Self::Change(change) => change.drop_id,
            Self::Deletion(id) => *id,
        }
    }
}

/// Keeps nothing: the memory store.
#[derive(Debug)]
pub(crate) struct NoLog;

impl Log for NoLog {
    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn wants_reopening(&self) -> bool {
        false
    }

    fn reopen(&self, _: &[Head]) -> Result<Vec<Lead>, StoreError> {
        Ok(Vec::new())
    }

    fn keeps(&self) -> bool {
        false
    }

    fn changed(&self, _: &Arc<Change>, _: Vec<User>) -> Result<(), StoreError> {
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
