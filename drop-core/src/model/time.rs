//! Moments, in whole microseconds.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// A moment lies outside the years 1 to 9999, or is no moment at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time between the years 0001 and 9999")]
pub struct InvalidTime;

/// A moment in UTC, in whole microseconds since 1970.
///
/// One resolution everywhere, that of PostgreSQL's `timestamptz`, so that "one tick
/// before the deadline" means the same in every store. Years 1 to 9999: what RFC 3339
/// can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_135_596_800_000_000);
    /// 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// Checks a count of microseconds since 1970.
    ///
    /// # Errors
    /// [`InvalidTime`] outside `MIN ..= MAX`.
    pub const fn from_micros(micros: i64) -> Result<Self, InvalidTime> {
        if micros < Self::MIN.0 || micros > Self::MAX.0 {
            Err(InvalidTime)
        } else {
            Ok(Self(micros))
        }
    }

    /// The moment `at`, cut down to the microsecond.
    ///
    /// # Errors
    /// [`InvalidTime`] outside the years 1 to 9999.
    pub fn from_chrono(at: DateTime<Utc>) -> Result<Self, InvalidTime> {
        Self::from_micros(at.timestamp_micros())
    }

    /// The same moment for chrono.
    #[must_use]
    pub fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }

    /// Reads RFC 3339 with any offset.
    ///
    /// # Errors
    /// [`InvalidTime`] for any other text.
    pub fn parse_rfc3339(text: &str) -> Result<Self, InvalidTime> {
        let at = DateTime::parse_from_rfc3339(text).map_err(|_| InvalidTime)?;
        Self::from_chrono(at.with_timezone(&Utc))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The moment `span` later, at most [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros).min(Self::MAX.0))
    }

    /// How long after `earlier` this is; zero if it is not after.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

/// RFC 3339 in UTC with milliseconds and `Z`, as the wire has it.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_chrono().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl TryFrom<i64> for Timestamp {
    type Error = InvalidTime;

    fn try_from(micros: i64) -> Result<Self, InvalidTime> {
        Self::from_micros(micros)
    }
}

impl From<Timestamp> for i64 {
    fn from(at: Timestamp) -> i64 {
        at.0
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn rfc3339_is_read_with_any_offset_and_written_in_utc() {
        let at = Timestamp::parse_rfc3339("2026-03-29T03:30:00.1239+02:00").unwrap();
        assert_eq!(at.to_string(), "2026-03-29T01:30:00.123Z");
        for text in ["", "2026-03-29", "2026-03-29T01:30:00", "10000-01-01T00:00:00Z"] {
            assert!(Timestamp::parse_rfc3339(text).is_err(), "{text}");
        }
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp::MIN.to_string(), "0001-01-01T00:00:00.000Z");
    }
}
