//! What a history shows that must never happen.

use std::fmt;

use crate::model::Revision;

use super::call::Call;

/// The invariants of the design, which every violation is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// `0 <= held`, `0 <= sold`, `held + sold <= total`, for each variant.
    I1,
    /// Counters equal the rows.
    I2,
    /// Each purchase belongs to one completed reservation of the same user.
    I3,
    /// One active hold for a user at most, and never more units than the limit.
    I4,
    /// A reservation leaves `active` once and its claim never changes.
    I5,
    /// Revisions rise by one per change, and what is told is a function of the revision.
    I6,
    /// A hold is valid while `as_of < expires_at`, everywhere.
    I7,
    /// What is acknowledged is there, and what is there was asked for.
    I8,
}

/// Where a violation shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// In the change that made this revision.
    Revision(Revision),
    /// In this call, by its position.
    Call(usize),
}

/// Something in a history that cannot be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which invariant is broken.
    pub invariant: Invariant,
    /// Where it shows.
    pub place: Place,
    /// What it is.
    pub finding: String,
}

impl Violation {
    pub(super) fn at_revision(invariant: Invariant, at: u64, finding: impl Into<String>) -> Self {
        let place = Place::Revision(Revision::new(at));
        Self { invariant, place, finding: finding.into() }
    }

    pub(super) fn of_call(invariant: Invariant, index: usize, call: &Call, why: &str) -> Self {
        let Call { ask, answer, .. } = call;
        let finding = format!("{why}: {ask:?} was answered {answer:?}");
        Self { invariant, place: Place::Call(index), finding }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revision(revision) => write!(f, "revision {revision}"),
            Self::Call(index) => write!(f, "call {index}"),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {}", self.invariant, self.place, self.finding)
    }
}
