//! The audit of one drop: counters against rows.

use std::collections::BTreeSet;

use drop_core::model::Timestamp;
use drop_core::rules::{Audit, CountedVariant};

use crate::shelf::Shelf;

/// Counts a drop's rows. A purchase is its completed reservation here: they are one row.
pub(crate) fn recount(shelf: &Shelf, as_of: Timestamp) -> Audit {
    let counted = |variant: &drop_core::model::VariantStock| CountedVariant {
        name: variant.name.clone(),
        counters: variant.stock,
        held: 0,
        completed: 0,
        purchased: 0,
    };
    let mut variants: Vec<_> = shelf.variants().iter().map(counted).collect();
    let mut holders = BTreeSet::new();
    let mut double_holders = BTreeSet::new();
    let mut orphan_purchases: u64 = 0;
    for row in shelf.rows() {
        let Some(variant) = variants.get_mut(row.claim().variant.index()) else {
            orphan_purchases = orphan_purchases.saturating_add(1);
            continue;
        };
        let units = u64::from(row.claim().quantity.get());
        if let Some(hold) = row.into_hold() {
            variant.held = variant.held.saturating_add(units);
            if !holders.insert(hold.claim().user_id) {
                double_holders.insert(hold.claim().user_id);
            }
        } else if row.purchase().is_some() {
            variant.completed = variant.completed.saturating_add(units);
            variant.purchased = variant.purchased.saturating_add(units);
        }
    }
    Audit {
        drop_id: shelf.id(),
        revision: shelf.revision(),
        as_of,
        variants,
        double_holders: u64::try_from(double_holders.len()).unwrap_or(u64::MAX),
        orphan_purchases,
    }
}
