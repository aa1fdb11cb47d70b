//! The published effect of one commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{
    DropId, DropTerms, NewDrop, Purchase, Purchaser, Reservation, Revision, Status, Stock,
    Timestamp, UserId, VariantStock,
};

/// One committed change of a drop: what a store writes, what the feed keeps, what watchers
/// are told.
///
/// Its facts are complete: who has the drop at revision `n - 1` and change `n` has the drop
/// at revision `n`, without reading anything else. Counts are absolute, so a watcher that
/// missed changes is right again with the newest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which drop.
    pub drop_id: DropId,
    /// The revision that this change made: one more than before.
    pub revision: Revision,
    /// The time of the decision.
    pub as_of: Timestamp,
    /// All variants, with their counts after it.
    pub variants: Vec<VariantStock>,
    /// The number that the drop's next reservation gets.
    pub next_number: u32,
    /// Reservations that existed before, in their state after, by rising number.
    pub updated: Vec<Reservation>,
    /// Reservations that are new, in their state after, by rising number.
    pub inserted: Vec<Reservation>,
    /// Users whose reservations and purchases are gone (before `inserted` is added).
    pub forgotten: Vec<UserId>,
    /// Who bought in this change, in the order of the decisions.
    pub purchasers: Vec<Purchaser>,
    /// The newest purchasers after it, newest first.
    pub recent: Vec<Purchaser>,
    /// The terms after it, where it created or amended the drop.
    pub terms: Option<Arc<DropTerms>>,
    /// Whether any count differs from before.
    pub moved: bool,
    /// Whether it sold the last unit.
    pub sold_out: bool,
}

impl Change {
    /// The change that makes a drop.
    #[must_use]
    pub fn created(drop_id: DropId, new: &NewDrop, as_of: Timestamp) -> Self {
        let variants = new.variants().iter().map(|variant| VariantStock {
            name: variant.name.clone(),
            stock: Stock::new(variant.total),
        });
        Self {
            drop_id,
            revision: Revision::FIRST,
            as_of,
            variants: variants.collect(),
            next_number: 1,
            updated: Vec::new(),
            inserted: Vec::new(),
            forgotten: Vec::new(),
            purchasers: Vec::new(),
            recent: Vec::new(),
            terms: Some(Arc::new(new.terms().clone())),
            moved: true,
            sold_out: false,
        }
    }

    /// The counts over all variants after it.
    #[must_use]
    pub fn stock(&self) -> Stock {
        Stock::sum(self.variants.iter().map(|variant| variant.stock))
    }

    /// Every reservation it wrote, in its state after.
    pub fn reservations(&self) -> impl Iterator<Item = &Reservation> {
        self.updated.iter().chain(&self.inserted)
    }

    /// The purchases it made.
    pub fn purchases(&self) -> impl Iterator<Item = Purchase> {
        self.reservations().filter_map(Reservation::purchase)
    }

    /// The deadlines of the holds it took or extended, each once.
    #[must_use]
    pub fn deadlines(&self) -> BTreeSet<Timestamp> {
        let active = self.reservations().filter(|row| row.status() == Status::Active);
        let mut deadlines = BTreeSet::new();
        let mut last = None;
        // The holds of a batch mostly have one deadline.
        for deadline in active.map(Reservation::expires_at) {
            if last != Some(deadline) {
                last = Some(deadline);
                deadlines.insert(deadline);
            }
        }
        deadlines
    }
}
