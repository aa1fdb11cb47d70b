//! Counts of sellable units.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A count is larger than a drop may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a number of units between 0 and {max}", max = Units::MAX.get())]
pub struct InvalidUnits(pub i64);

/// A number of units, `0 ..= 1,000,000,000`.
///
/// The bound keeps every sum of two counts inside an `u32` and every total inside a
/// JavaScript integer.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "i64", into = "i64")]
pub struct Units(u32);

impl Units {
    /// None.
    pub const ZERO: Self = Self(0);
    /// One.
    pub const ONE: Self = Self(1);
    /// The most that a drop can have.
    pub const MAX: Self = Self(1_000_000_000);

    /// Checks `value`.
    ///
    /// # Errors
    /// [`InvalidUnits`] outside `0 ..= Units::MAX`.
    pub fn new(value: i64) -> Result<Self, InvalidUnits> {
        match u32::try_from(value) {
            Ok(small) if small <= Self::MAX.0 => Ok(Self(small)),
            _ => Err(InvalidUnits(value)),
        }
    }

    /// The count.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, if a drop can have that many.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let sum = self.0.checked_add(other.0)?;
        (sum <= Self::MAX.0).then_some(Self(sum))
    }

    /// The difference, if there are that many to take.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(rest) => Some(Self(rest)),
            None => None,
        }
    }

    /// The sum, at most [`Units::MAX`].
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0).min(Self::MAX.0))
    }

    /// The difference, at least zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl TryFrom<i64> for Units {
    type Error = InvalidUnits;

    fn try_from(value: i64) -> Result<Self, InvalidUnits> {
        Self::new(value)
    }
}

impl From<Units> for i64 {
    fn from(units: Units) -> i64 {
        i64::from(units.0)
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::iter::Sum for Units {
    /// At most [`Units::MAX`]: a drop's totals are checked against it when they are set.
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::ZERO, Self::saturating_add)
    }
}
