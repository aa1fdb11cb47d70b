//! The seed's arithmetic, counted from the rows.

use crate::model::{DropId, Revision, Stock, Timestamp, VariantName};

/// One variant, counted twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedVariant {
    /// What it is called.
    pub name: Option<VariantName>,
    /// The counters that the store keeps.
    pub counters: Stock,
    /// Units of active reservations, by the rows.
    pub held: u64,
    /// Units of completed reservations, by the rows.
    pub completed: u64,
    /// Units of purchases, by the rows.
    pub purchased: u64,
}

/// A recount of one drop: what the seed computes at each read, against the counters.
///
/// The invariants it checks are I1 to I4 of the design: counters are in bounds, equal the
/// rows, each purchase has its completed reservation, and no user holds twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Which drop.
    pub drop_id: DropId,
    /// At which revision.
    pub revision: Revision,
    /// The store's time of the count.
    pub as_of: Timestamp,
    /// Each variant, counted.
    pub variants: Vec<CountedVariant>,
    /// Users with more than one active hold.
    pub double_holders: u64,
    /// Purchases without a completed reservation of the same user and quantity.
    pub orphan_purchases: u64,
}

impl Audit {
    /// Every contradiction found, in words; empty when the drop is sound.
    #[must_use]
    pub fn findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        for (index, variant) in self.variants.iter().enumerate() {
            let held = u64::from(variant.counters.held().get());
            let sold = u64::from(variant.counters.sold().get());
            let mut compare = |what: &str, counter: u64, rows: u64| {
                if counter != rows {
                    findings.push(format!("variant {index}: {what} is {counter}, rows say {rows}"));
                }
            };
            compare("held", held, variant.held);
            compare("sold (completed reservations)", sold, variant.completed);
            compare("sold (purchases)", sold, variant.purchased);
        }
        if self.double_holders > 0 {
            findings.push(format!("{} users hold more than once", self.double_holders));
        }
        if self.orphan_purchases > 0 {
            findings.push(format!("{} purchases without reservation", self.orphan_purchases));
        }
        findings
    }

    /// Whether counters and rows agree.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings().is_empty()
    }
}
