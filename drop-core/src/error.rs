//! Faults, as opposed to answers.

use std::error::Error;
use std::sync::Arc;

use crate::rules::{Corruption, InvalidBatch, Rejection};

/// What a cause may be.
pub type Cause = Arc<dyn Error + Send + Sync + 'static>;

/// A fault of a store. Refusals by the rules are no faults; they are
/// [`Rejection`]s.
///
/// Where a store answers with it nothing was written, except with [`StoreError::Unknown`]. What
/// takes several steps, as amending a drop and reading it does, answers `Unknown` for any fault
/// once a step is committed, with that fault as its source.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Others kept undoing what was to be written, longer than bounded retries last; nothing was
    /// written.
    #[error("the drop is contended")]
    Contended(#[source] Cause),
    /// The store cannot be reached, has no room for the request now, or did not get the drop's
    /// lock in time; nothing was written. It says nothing of other drops.
    #[error("the store is unavailable")]
    Unavailable(#[source] Cause),
    /// It may have been written: the commit was sent and its answer lost, or what followed the
    /// commit failed. Repeating the request converges, because holds and purchases have natural
    /// keys.
    #[error("the commit's outcome is unknown")]
    Unknown(#[source] Cause),
    /// What is stored contradicts itself; nothing was written. The drop is stopped until a person
    /// has looked.
    #[error("the stored data contradicts itself")]
    Corrupt(#[source] Cause),
    /// Any other fault; nothing was written.
    #[error("the store failed")]
    Backend(#[source] Cause),
}

impl StoreError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Contended(_) | Self::Unavailable(_) | Self::Unknown(_))
    }

    /// [`StoreError::Corrupt`] with what was found, in words.
    #[must_use]
    pub fn corrupt(finding: impl Into<String>) -> Self {
        Self::Corrupt(Arc::new(Finding(finding.into())))
    }

    /// [`StoreError::Unavailable`] with the reason, in words.
    #[must_use]
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable(Arc::new(Finding(reason.into())))
    }
}

impl From<Corruption> for StoreError {
    fn from(corruption: Corruption) -> Self {
        Self::Corrupt(Arc::new(corruption))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Finding(String);

/// Why the service did not do what was asked. Only with [`StoreError::Unknown`] may any of it
/// be done.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The rules refused it. Nothing is broken.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The drop's lane is full: come back in a moment.
    #[error("too many requests wait for this drop")]
    Busy,
    /// The service is shutting down.
    #[error("the service is shutting down")]
    Closed,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ServiceError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Rejected(_) => false,
            Self::Busy | Self::Closed => true,
            Self::Store(error) => error.is_retryable(),
        }
    }
}

impl From<InvalidBatch> for ServiceError {
    /// A reservation number of another drop names no reservation here.
    fn from(_: InvalidBatch) -> Self {
        Self::Rejected(Rejection::ReservationNotFound)
    }
}
