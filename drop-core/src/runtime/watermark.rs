//! How much has happened, for those who keep what they read.

use std::sync::atomic::{AtomicU64, Ordering};

/// How much a service had committed or heard of at a moment:
/// [`DropService::watermark`](crate::DropService::watermark).
///
/// Two numbers that only rise. What was read after one was taken holds everything that they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// Everything that may show in a drop's snapshot.
    pub changes: u64,
    /// Of that, what may have moved a window: drops that were made, amended or deleted.
    pub terms: u64,
}

/// The numbers themselves.
///
/// Raised after a commit and before anybody hears of it, so that nobody who was told of a change is
/// shown something that was read before it.
#[derive(Debug, Default)]
pub(super) struct Tide {
    changes: AtomicU64,
    terms: AtomicU64,
}

impl Tide {
    /// Something changed, maybe a window.
    pub(super) fn rise(&self, terms: bool) {
        if terms {
            self.terms.fetch_add(1, Ordering::AcqRel);
        }
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// How far it is.
    pub(super) fn watermark(&self) -> Watermark {
        // In the other order than they are raised: who sees the first sees the second.
        let changes = self.changes.load(Ordering::Acquire);
        Watermark { changes, terms: self.terms.load(Ordering::Acquire) }
    }
}
