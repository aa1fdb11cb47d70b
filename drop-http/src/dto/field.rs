//! One field of a body, as it was sent: read by what it is for, with its name in the message.

use std::time::Duration;

use drop_core::model::{Price, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::error::Problem;

/// The JSON text of a field. Numbers are read from their digits, so that 149.99 is 149.99 and
/// no exponent overflows anything.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Field(Box<RawValue>);

impl Field {
    /// The most digits of an exponent that any price or time can need.
    const MAX_EXPONENT: u32 = 28;

    /// An integer from 0 on: a number, or a string of digits only.
    pub(super) fn integer(&self, name: &str) -> Result<i64, Problem> {
        let raw = self.0.get();
        let digits = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(raw);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Problem::validation(format!("{name} must be an integer")));
        }
        digits.parse().map_err(|_| Problem::validation(format!("{name} is too large")))
    }

    /// A string.
    pub(super) fn text(&self, name: &str) -> Result<String, Problem> {
        serde_json::from_str(self.0.get())
            .map_err(|_| Problem::validation(format!("{name} must be a string")))
    }

    /// A price: a number, or a string of a decimal.
    pub(super) fn price(&self) -> Result<Price, Problem> {
        let invalid =
            |invalid: drop_core::model::InvalidPrice| Problem::validation(invalid.to_string());
        let decimal = self.decimal().ok_or(invalid(drop_core::model::InvalidPrice))?;
        Price::new(decimal).map_err(invalid)
    }

    /// A time: RFC 3339 with any offset.
    pub(super) fn time(&self, name: &str) -> Result<Timestamp, Problem> {
        let message = || format!("{name} must be a time such as 2026-01-31T18:00:00Z");
        let text = self.text(name).map_err(|_| Problem::validation(message()))?;
        Timestamp::parse_rfc3339(&text).map_err(|_| Problem::validation(message()))
    }

    /// A span in seconds, to the microsecond: a number or a string of a decimal.
    pub(super) fn seconds(&self, name: &str) -> Result<Duration, Problem> {
        let micros = self
            .decimal()
            .and_then(|seconds| seconds.checked_mul(Decimal::from(1_000_000)))
            .and_then(|micros| u64::try_from(micros.trunc()).ok());
        micros
            .map(Duration::from_micros)
            .ok_or_else(|| Problem::validation(format!("{name} must be a number of seconds")))
    }

    /// The members of a list.
    pub(super) fn list<T: for<'a> Deserialize<'a>>(&self, name: &str) -> Result<Vec<T>, Problem> {
        serde_json::from_str(self.0.get())
            .map_err(|error| Problem::validation(format!("{name} is not as expected: {error}")))
    }

    fn decimal(&self) -> Option<Decimal> {
        let raw = self.0.get();
        match raw.strip_prefix('"') {
            // In a string an exponent is no price.
            Some(rest) => decimal(rest.strip_suffix('"')?, 0),
            None => match raw.split_once(['e', 'E']) {
                Some((mantissa, exponent)) => decimal(mantissa, exponent.parse().ok()?),
                None => decimal(raw, 0),
            },
        }
    }
}

/// `mantissa * 10^exponent`, exactly or not at all.
fn decimal(mantissa: &str, exponent: i32) -> Option<Decimal> {
    let unsigned = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || exponent.unsigned_abs() > Field::MAX_EXPONENT {
        return None;
    }
    let value = Decimal::from_str_exact(mantissa).ok()?;
    let power = Decimal::from_i128_with_scale(10_i128.pow(exponent.unsigned_abs()), 0);
    if exponent >= 0 {
        value.checked_mul(power)
    } else {
        // Multiplying by a power of ten and dividing by it loses nothing within 28 places;
        // what would need more places is refused by the comparison.
        let quotient = value.checked_div(power)?;
        (quotient.checked_mul(power)? == value).then_some(quotient)
    }
}

/// For a field where `null` is not absence but "none": `Some(None)`.
pub(super) fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<Field>>, D::Error> {
    Option::<Field>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Field;

    fn field(json: &str) -> Field {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn prices_are_read_from_their_digits() {
        let table = [
            ("149.99", "149.99"),
            ("\"149.99\"", "149.99"),
            ("150.00", "150.00"),
            ("0.1", "0.1"),
            ("0", "0"),
            ("1e2", "100"),
            ("1.5E+1", "15.0"),
            ("14999e-2", "149.99"),
            ("9999999999.9999", "9999999999.9999"),
        ];
        for (json, price) in table {
            assert_eq!(field(json).price().unwrap().to_string(), price, "{json}");
        }
        let bad = [
            "-1",
            "1e400",
            "1e-400",
            "1e-30",
            "1e28",
            "1e999999999999",
            "10000000000",
            "1.00001",
            "\"1e2\"",
            "\" 1\"",
            "\"1_0\"",
            "\"+1\"",
            "\"\"",
            "\"NaN\"",
            "\"Infinity\"",
            "\".5\"",
            "\"5.\"",
            "true",
            "null",
            "[]",
            "{}",
            "\"\\u0031\"",
            "0.00000000000000000000000000000000000000000000000001",
            "99999999999999999999999999999999999999999999999999999999",
        ];
        for json in bad {
            assert!(field(json).price().is_err(), "{json}");
        }
    }

    #[test]
    fn integers_are_digits() {
        for (json, value) in [("7", 7), ("\"7\"", 7), ("0", 0), ("\"007\"", 7)] {
            assert_eq!(field(json).integer("n").unwrap(), value, "{json}");
        }
        let bad = [
            "-1",
            "1.0",
            "1e3",
            "\"\"",
            "\" 1\"",
            "\"1 \"",
            "\"-1\"",
            "\"1.0\"",
            "true",
            "[1]",
            "99999999999999999999",
            "\"99999999999999999999\"",
            "\"\\u0031\"",
            "\"١\"",
            "{}",
        ];
        for json in bad {
            assert!(field(json).integer("n").is_err(), "{json}");
        }
    }

    #[test]
    fn spans_may_have_fractions() {
        for (json, micros) in [("60", 60_000_000), ("0.5", 500_000), ("\"1.25\"", 1_250_000)] {
            let span = field(json).seconds("holdSeconds").unwrap();
            assert_eq!(span, Duration::from_micros(micros), "{json}");
        }
        for json in ["-1", "1e400", "\"x\"", "true", "99999999999999999999999999"] {
            assert!(field(json).seconds("holdSeconds").is_err(), "{json}");
        }
    }

    #[test]
    fn times_have_an_offset() {
        let at = field("\"2026-03-29T03:30:00+02:00\"").time("startsAt").unwrap();
        assert_eq!(at.to_string(), "2026-03-29T01:30:00.000Z");
        for json in ["\"\"", "\"2026-03-29\"", "\"2026-03-29T03:30:00\"", "1774750000", "{}"] {
            assert!(field(json).time("startsAt").is_err(), "{json}");
        }
    }

    #[test]
    fn texts_are_unicode() {
        assert_eq!(field("\"\\u0041nn\"").text("name").unwrap(), "Ann");
        for json in ["\"\\ud800\"", "1", "true", "[\"x\"]", "{\"x\":1}"] {
            assert!(field(json).text("name").is_err(), "{json}");
        }
    }
}
