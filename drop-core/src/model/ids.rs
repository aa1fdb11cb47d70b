//! Identifiers: integers that JavaScript can hold, each with its own type.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How many bits of a [`ReservationId`] count the reservations of one drop.
const RESERVATION_BITS: u32 = 29;

/// An integer is outside what its kind of id can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value} is not a valid {kind}")]
pub struct InvalidId {
    /// Which id was meant, in words.
    pub kind: &'static str,
    /// What was given.
    pub value: i64,
}

/// Names one drop: `1 ..= 2^24 - 1`.
///
/// The bound leaves room for 2^29 reservations of each drop below 2^53, the largest
/// integer that JavaScript holds exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct DropId(NonZeroU32);

impl DropId {
    /// The largest drop id.
    pub const MAX: i64 = (1 << 24) - 1;

    /// Checks `value`.
    ///
    /// # Errors
    /// [`InvalidId`] outside `1 ..= DropId::MAX`.
    pub fn new(value: i64) -> Result<Self, InvalidId> {
        let invalid = InvalidId { kind: "drop id", value };
        let small = u32::try_from(value).map_err(|_| invalid)?;
        if value > Self::MAX {
            return Err(invalid);
        }
        NonZeroU32::new(small).map(Self).ok_or(invalid)
    }

    /// The integer.
    #[must_use]
    pub fn get(self) -> i64 {
        i64::from(self.0.get())
    }
}

/// Names one reservation, and the purchase that completes it.
///
/// `drop_id * 2^29 + n`, where `n` counts the reservations of that drop from 1 under
/// its lock. So no sequence is fetched, no look-up leads from a reservation to its
/// drop, and every key begins with the drop, which is how the data shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct ReservationId {
    drop_id: DropId,
    number: NonZeroU32,
}

impl ReservationId {
    /// The largest number of a reservation within its drop.
    pub const MAX_NUMBER: u32 = (1 << RESERVATION_BITS) - 1;

    /// Puts an id together from its drop and the number within the drop.
    ///
    /// # Errors
    /// [`InvalidId`] when `number` is outside `1 ..= MAX_NUMBER`.
    pub fn new(drop_id: DropId, number: u32) -> Result<Self, InvalidId> {
        match NonZeroU32::new(number) {
            Some(number) if number.get() <= Self::MAX_NUMBER => Ok(Self { drop_id, number }),
            _ => Err(InvalidId { kind: "reservation number", value: i64::from(number) }),
        }
    }

    /// Takes the wire's integer apart.
    ///
    /// # Errors
    /// [`InvalidId`] when no drop can have a reservation of that number.
    pub fn from_i64(value: i64) -> Result<Self, InvalidId> {
        let invalid = InvalidId { kind: "reservation id", value };
        let drop_id = DropId::new(value >> RESERVATION_BITS).map_err(|_| invalid)?;
        let number = u32::try_from(value & i64::from(Self::MAX_NUMBER)).map_err(|_| invalid)?;
        Self::new(drop_id, number).map_err(|_| invalid)
    }

    /// The integer on the wire.
    #[must_use]
    pub fn get(self) -> i64 {
        (self.drop_id.get() << RESERVATION_BITS) | i64::from(self.number.get())
    }

    /// The drop whose unit is claimed.
    #[must_use]
    pub fn drop_id(self) -> DropId {
        self.drop_id
    }

    /// The number within the drop, from 1.
    #[must_use]
    pub fn number(self) -> u32 {
        self.number.get()
    }
}

/// Names one user; given by the store when a username is first seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct UserId(i64);

impl UserId {
    /// Checks `value`.
    ///
    /// # Errors
    /// [`InvalidId`] outside `1 ..= 2^53 - 1`.
    pub fn new(value: i64) -> Result<Self, InvalidId> {
        if (1..1 << 53).contains(&value) {
            Ok(Self(value))
        } else {
            Err(InvalidId { kind: "user id", value })
        }
    }

    /// The integer.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

/// Counts the committed changes of one drop: 1 when it was created, then one more each.
///
/// Order, duplicates, gaps and replay are comparisons of this number. On the wire it is
/// called `version`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(u64);

impl Revision {
    /// Before anything was committed.
    pub const ZERO: Self = Self(0);
    /// The revision of a drop that was just created.
    pub const FIRST: Self = Self(1);

    /// Any count of changes is a revision.
    #[must_use]
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The revision that the next commit makes.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Which of a drop's variants, by its position from 0.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct VariantNo(u16);

impl VariantNo {
    /// The position `value`; whether a drop has it is the ledger's to know.
    #[must_use]
    pub const fn new(value: u16) -> Self {
        Self(value)
    }

    /// The position.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The position as an index into a drop's variants.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

macro_rules! integer_id {
    ($id:ident, $parse:path) => {
        impl TryFrom<i64> for $id {
            type Error = InvalidId;

            fn try_from(value: i64) -> Result<Self, InvalidId> {
                $parse(value)
            }
        }

        impl From<$id> for i64 {
            fn from(id: $id) -> i64 {
                id.get()
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.get().fmt(f)
            }
        }

        impl FromStr for $id {
            type Err = InvalidId;

            /// Digits only: no sign, no space, no exponent.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                let value = if digits { text.parse().unwrap_or(i64::MAX) } else { 0 };
                $parse(value)
            }
        }
    };
}

integer_id!(DropId, DropId::new);
integer_id!(ReservationId, ReservationId::from_i64);
integer_id!(UserId, UserId::new);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for VariantNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{DropId, ReservationId};

    #[test]
    fn the_largest_ids_fit_javascript() {
        let drop_id = DropId::new(DropId::MAX).unwrap();
        let id = ReservationId::new(drop_id, ReservationId::MAX_NUMBER).unwrap();
        assert!(id.get() < 1 << 53);
        assert_eq!(ReservationId::from_i64(id.get()), Ok(id));
    }

    #[test]
    fn numbers_that_name_nothing_are_refused() {
        for value in [i64::MIN, -1, 0, 1, (1 << 29) - 1, 1 << 29, i64::MAX] {
            assert!(ReservationId::from_i64(value).is_err(), "{value}");
        }
        for text in ["", "-1", "+1", " 1", "1e3", "0", "99999999999999999999"] {
            assert!(text.parse::<DropId>().is_err(), "{text}");
        }
        assert_eq!("7".parse::<DropId>().map(DropId::get), Ok(7));
    }
}
