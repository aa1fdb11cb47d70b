//! The answers to a batch that was committed.

use std::sync::Arc;

use crate::model::{Purchase, Reservation, Revision, Timestamp, Username};

use super::{Batch, Change, Rejection};

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// Units are held.
    Reserved {
        /// The hold.
        reservation: Reservation,
        /// Whether it is the hold that the customer had already.
        extended: bool,
    },
    /// The hold is over, whether now or before.
    Released {
        /// The reservation.
        reservation: Reservation,
    },
    /// The units are the customer's.
    Purchased {
        /// The purchase.
        purchase: Purchase,
        /// The buyer, in the spelling that the store keeps.
        username: Username,
        /// Whether it was made before.
        repeated: bool,
    },
    /// What had lapsed is settled.
    Settled,
    /// The terms are changed.
    Amended,
    /// The customer's rows are gone.
    Forgotten,
}

/// The answer to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done(Effect),
    /// The rules refused it.
    Rejected(Rejection),
    /// More holds have lapsed than one batch settles, and the answer depends on them: ask
    /// again in the next batch.
    Deferred,
}

/// A batch that was decided and committed; made by
/// [`Decision::committed`](super::Decision::committed) only.
#[derive(Clone, Debug)]
pub struct Applied {
    as_of: Timestamp,
    revision: Revision,
    outcomes: Vec<Outcome>,
    change: Option<Arc<Change>>,
}

impl Applied {
    pub(super) fn new(
        as_of: Timestamp,
        revision: Revision,
        outcomes: Vec<Outcome>,
        change: Option<Arc<Change>>,
    ) -> Self {
        Self { as_of, revision, outcomes, change }
    }

    /// The answers where the drop does not exist.
    #[must_use]
    pub fn no_such_drop(batch: &Batch, as_of: Timestamp) -> Self {
        let outcome = Outcome::Rejected(Rejection::DropNotFound);
        Self::new(as_of, Revision::ZERO, vec![outcome; batch.commands().len()], None)
    }

    /// The store's time of the decision.
    #[must_use]
    pub const fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// The drop's revision after it.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// One answer per command, in order.
    #[must_use]
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// The answers, one per command, in order.
    #[must_use]
    pub fn into_outcomes(self) -> Vec<Outcome> {
        self.outcomes
    }

    /// What was committed; `None` where nothing had to be written.
    #[must_use]
    pub const fn change(&self) -> Option<&Arc<Change>> {
        self.change.as_ref()
    }
}
