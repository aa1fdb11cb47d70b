//! [`Met`]: a drop whose lock is held, and its batch.

use super::opening::Found;
use super::ticket::Ticket;
use crate::kept::Kept;

/// A drop whose lock is held, its batch, and what is kept of it.
#[derive(Debug)]
pub(super) struct Met {
    pub(super) ticket: Ticket,
    pub(super) found: Found,
    pub(super) kept: Kept,
}

impl Met {
    /// Whether nobody else has changed the drop since it was kept.
    pub(super) fn is_current(&self) -> bool {
        self.kept.head == self.found.head
    }
}
