//! The arithmetic of stock: the one place where counts of a variant change.

use serde::{Deserialize, Serialize};

use super::Units;

/// Counts that no stock can have, or a change of them that no stock allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("held {held} + sold {sold} does not fit a total of {total}")]
pub struct InvalidStock {
    /// Units there are.
    pub total: Units,
    /// Units held.
    pub held: Units,
    /// Units sold.
    pub sold: Units,
}

/// How many units of one variant there are, are held and are sold.
///
/// `held + sold <= total` always; `available = total - held - sold` (available to
/// promise). Every transition consumes the old counts and either keeps the rule or is
/// refused, so a stock that oversells cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(Units, Units, Units)", into = "(Units, Units, Units)")]
pub struct Stock {
    total: Units,
    held: Units,
    sold: Units,
}

impl Stock {
    /// `total` units of which none is held or sold.
    #[must_use]
    pub const fn new(total: Units) -> Self {
        Self { total, held: Units::ZERO, sold: Units::ZERO }
    }

    /// Counts as a store has them.
    ///
    /// # Errors
    /// [`InvalidStock`] when more is held and sold than there is.
    pub fn restore(total: Units, held: Units, sold: Units) -> Result<Self, InvalidStock> {
        match held.checked_add(sold) {
            Some(committed) if committed <= total => Ok(Self { total, held, sold }),
            _ => Err(InvalidStock { total, held, sold }),
        }
    }

    /// Units there are.
    #[must_use]
    pub const fn total(self) -> Units {
        self.total
    }

    /// Units held by active reservations.
    #[must_use]
    pub const fn held(self) -> Units {
        self.held
    }

    /// Units sold.
    #[must_use]
    pub const fn sold(self) -> Units {
        self.sold
    }

    /// Units that can be promised: `total - held - sold`.
    #[must_use]
    pub const fn available(self) -> Units {
        self.total.saturating_sub(self.held).saturating_sub(self.sold)
    }

    /// Holds `quantity` more units: available to held.
    ///
    /// # Errors
    /// [`InvalidStock`] when fewer are available.
    pub fn hold(self, quantity: Units) -> Result<Self, InvalidStock> {
        let held = self.held.checked_add(quantity).ok_or(self.refusal())?;
        Self::restore(self.total, held, self.sold)
    }

    /// Gives `quantity` held units back: held to available.
    ///
    /// # Errors
    /// [`InvalidStock`] when fewer are held.
    pub fn return_held(self, quantity: Units) -> Result<Self, InvalidStock> {
        let held = self.held.checked_sub(quantity).ok_or(self.refusal())?;
        Self::restore(self.total, held, self.sold)
    }

    /// Sells `quantity` held units: held to sold.
    ///
    /// # Errors
    /// [`InvalidStock`] when fewer are held.
    pub fn sell_held(self, quantity: Units) -> Result<Self, InvalidStock> {
        let held = self.held.checked_sub(quantity).ok_or(self.refusal())?;
        let sold = self.sold.checked_add(quantity).ok_or(self.refusal())?;
        Self::restore(self.total, held, sold)
    }

    /// Takes back `quantity` sold units: sold to available.
    ///
    /// # Errors
    /// [`InvalidStock`] when fewer were sold.
    pub fn return_sold(self, quantity: Units) -> Result<Self, InvalidStock> {
        let sold = self.sold.checked_sub(quantity).ok_or(self.refusal())?;
        Self::restore(self.total, self.held, sold)
    }

    /// Sets the total.
    ///
    /// # Errors
    /// [`InvalidStock`] when more is held and sold already.
    pub fn resize(self, total: Units) -> Result<Self, InvalidStock> {
        Self::restore(total, self.held, self.sold)
    }

    /// The sum over several variants.
    #[must_use]
    pub fn sum(stocks: impl IntoIterator<Item = Self>) -> Self {
        // Each part keeps the rule and a drop's totals fit into Units, so the sum does too.
        stocks.into_iter().fold(Self::new(Units::ZERO), |sum, part| Self {
            total: sum.total.saturating_add(part.total),
            held: sum.held.saturating_add(part.held),
            sold: sum.sold.saturating_add(part.sold),
        })
    }

    const fn refusal(self) -> InvalidStock {
        InvalidStock { total: self.total, held: self.held, sold: self.sold }
    }
}

impl TryFrom<(Units, Units, Units)> for Stock {
    type Error = InvalidStock;

    fn try_from((total, held, sold): (Units, Units, Units)) -> Result<Self, InvalidStock> {
        Self::restore(total, held, sold)
    }
}

impl From<Stock> for (Units, Units, Units) {
    fn from(stock: Stock) -> Self {
        (stock.total, stock.held, stock.sold)
    }
}

#[cfg(test)]
mod tests {
    use super::{Stock, Units};

    fn units(count: i64) -> Units {
        Units::new(count).unwrap()
    }

    #[test]
    fn a_unit_goes_round_and_never_twice() {
        let stock = Stock::new(units(1)).hold(Units::ONE).unwrap();
        assert!(stock.hold(Units::ONE).is_err());
        assert_eq!(stock.return_held(Units::ONE), Ok(Stock::new(units(1))));
        let stock = stock.sell_held(Units::ONE).unwrap();
        assert_eq!(stock.available(), Units::ZERO);
        assert!(stock.hold(Units::ONE).is_err());
        assert!(stock.sell_held(Units::ONE).is_err());
        assert!(stock.return_held(Units::ONE).is_err());
        assert!(stock.resize(Units::ZERO).is_err());
        assert_eq!(stock.resize(units(2)).unwrap().available(), Units::ONE);
    }
}
