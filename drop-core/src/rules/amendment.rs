//! What an admin changes of a drop that exists.

use crate::model::{
    DropName, DropTerms, InvalidTerms, NewDrop, Price, Revision, Timestamp, Units, VariantName,
    VariantStock, Window,
};

use super::Rejection;

/// Changes of terms and totals; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amendment {
    /// A new name.
    pub name: Option<DropName>,
    /// A new price, for new holds.
    pub price: Option<Price>,
    /// When the window opens.
    pub starts_at: Option<Timestamp>,
    /// When the window closes; `Some(None)` takes the end away.
    pub ends_at: Option<Option<Timestamp>>,
    /// The limit per customer; `Some(None)` takes it away.
    pub limit: Option<Option<Units>>,
    /// A new total of a drop with one variant.
    pub total: Option<Units>,
    /// New totals by name. A name the drop does not have yet becomes a new variant; one
    /// that is not listed stays as it is.
    pub variants: Vec<(VariantName, Units)>,
    /// Only if the drop is still at this revision.
    pub if_revision: Option<Revision>,
}

impl Amendment {
    /// The terms after the amendment.
    pub(super) fn terms(&self, old: &DropTerms) -> Result<DropTerms, InvalidTerms> {
        let limit = self.limit.unwrap_or(old.limit);
        if limit.is_some_and(Units::is_zero) {
            return Err(InvalidTerms::Limit);
        }
        Ok(DropTerms {
            name: self.name.clone().unwrap_or_else(|| old.name.clone()),
            price: self.price.unwrap_or(old.price),
            window: Window::new(
                self.starts_at.unwrap_or(old.window.starts_at()),
                self.ends_at.unwrap_or(old.window.ends_at()),
            )?,
            limit,
            hold: old.hold,
        })
    }

    /// The variants after the amendment.
    pub(super) fn variants(&self, old: &[VariantStock]) -> Result<Vec<VariantStock>, Rejection> {
        let mut variants = old.to_vec();
        for (name, total) in &self.variants {
            match variants.iter_mut().find(|variant| variant.name.as_ref() == Some(name)) {
                Some(variant) => resize(variant, *total)?,
                None if old.iter().any(|variant| variant.name.is_none()) => {
                    let plain = InvalidTerms::Variants("a drop without variants cannot get any");
                    return Err(plain.into());
                }
                None => variants.push(VariantStock {
                    name: Some(name.clone()),
                    stock: crate::model::Stock::new(*total),
                }),
            }
        }
        if variants.len() > NewDrop::MAX_VARIANTS {
            return Err(InvalidTerms::Variants("a drop has 1 to 100 variants").into());
        }
        if let Some(total) = self.total {
            match variants.as_mut_slice() {
                [only] if self.variants.is_empty() => resize(only, total)?,
                // As at creation: with variants their totals are the total.
                all if sum_of_totals(all) != Some(total) => {
                    let differs = "totalStock differs from the sum of the variants";
                    return Err(InvalidTerms::Variants(differs).into());
                }
                _ => {}
            }
        }
        match sum_of_totals(&variants) {
            Some(sum) if !sum.is_zero() => Ok(variants),
            _ => Err(InvalidTerms::Total.into()),
        }
    }
}

fn resize(variant: &mut VariantStock, total: Units) -> Result<(), Rejection> {
    variant.stock = variant.stock.resize(total).map_err(|_| Rejection::StockBelowCommitted)?;
    Ok(())
}

fn sum_of_totals(variants: &[VariantStock]) -> Option<Units> {
    variants.iter().try_fold(Units::ZERO, |sum, variant| sum.checked_add(variant.stock.total()))
}
