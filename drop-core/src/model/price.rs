//! Money: exact decimals, no currency.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::Units;

/// A price is negative, too large, too fine, or not a decimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a price is a decimal number from 0 to 9999999999.9999 with at most 4 decimal places")]
pub struct InvalidPrice;

/// What one unit costs, `0 ..= 9,999,999,999.9999`.
///
/// The bounds leave room for the price of [`Units::MAX`] units in a [`Decimal`]. The
/// number of decimal places is kept as given: `150.00` stays `150.00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Decimal", into = "Decimal")]
pub struct Price(Decimal);

impl Price {
    const MAX_WHOLE: i64 = 10_000_000_000;
    const MAX_SCALE: u32 = 4;

    /// Checks `value`.
    ///
    /// # Errors
    /// [`InvalidPrice`] outside the bounds.
    pub fn new(value: Decimal) -> Result<Self, InvalidPrice> {
        let bounded = value >= Decimal::ZERO && value < Decimal::from(Self::MAX_WHOLE);
        if !bounded || value.scale() > Self::MAX_SCALE {
            return Err(InvalidPrice);
        }
        Ok(Self(if value.is_zero() { value.abs() } else { value }))
    }

    /// The decimal.
    #[must_use]
    pub const fn get(self) -> Decimal {
        self.0
    }

    /// What `quantity` units cost.
    #[must_use]
    pub fn times(self, quantity: Units) -> Amount {
        // 14 digits times 10 digits is at most 24: a Decimal holds 28.
        Amount(self.0.saturating_mul(Decimal::from(quantity.get())))
    }
}

/// What was paid for a purchase: the price at the hold, times the quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(Decimal);

impl Amount {
    /// The decimal.
    #[must_use]
    pub const fn get(self) -> Decimal {
        self.0
    }
}

impl FromStr for Price {
    type Err = InvalidPrice;

    fn from_str(text: &str) -> Result<Self, InvalidPrice> {
        Self::new(Decimal::from_str_exact(text).map_err(|_| InvalidPrice)?)
    }
}

impl TryFrom<Decimal> for Price {
    type Error = InvalidPrice;

    fn try_from(value: Decimal) -> Result<Self, InvalidPrice> {
        Self::new(value)
    }
}

impl From<Price> for Decimal {
    fn from(price: Price) -> Decimal {
        price.0
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Price;
    use crate::model::Units;

    #[test]
    fn bounds() {
        for text in ["-1", "-0.01", "10000000000", "1.00001", "NaN", "", "1e3", " 1"] {
            assert!(text.parse::<Price>().is_err(), "{text}");
        }
        let price: Price = "9999999999.9999".parse().unwrap();
        assert_eq!(price.times(Units::MAX).to_string(), "9999999999999900000.0000");
        assert_eq!("150.00".parse::<Price>().unwrap().to_string(), "150.00");
        assert_eq!("-0".parse::<Price>().unwrap().to_string(), "0");
    }
}
