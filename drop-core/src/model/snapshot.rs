//! A drop as a reader sees it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{DropId, DropTerms, Revision, Stock, Timestamp, Username, VariantName};

/// One variant's stock, with its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantStock {
    /// What it is called; a plain drop's only variant has no name.
    pub name: Option<VariantName>,
    /// Its counts.
    pub stock: Stock,
}

/// Who bought, and when: what the activity feed shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purchaser {
    /// The buyer.
    pub username: Username,
    /// When.
    pub purchased_at: Timestamp,
}

/// Where a drop stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropStatus {
    /// Its window has not opened.
    Upcoming,
    /// Its window is open, and stock is available or may come back.
    Open,
    /// Its window is open, nothing is available and nothing is held: no unit comes back.
    SoldOut,
    /// Its window has closed.
    Ended,
}

/// A drop at one revision and one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropSnapshot {
    /// Which drop.
    pub id: DropId,
    /// The last committed change in it.
    pub revision: Revision,
    /// The store's time of the reading. Holds that had lapsed by then count as available.
    pub as_of: Timestamp,
    /// Its terms.
    pub terms: Arc<DropTerms>,
    /// Its variants, at least one.
    pub variants: Vec<VariantStock>,
    /// The newest purchasers, newest first, at most [`DropSnapshot::RECENT`].
    pub recent: Vec<Purchaser>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl DropSnapshot {
    /// How many of the newest purchasers are shown.
    pub const RECENT: usize = 3;

    /// The counts over all variants.
    #[must_use]
    pub fn stock(&self) -> Stock {
        Stock::sum(self.variants.iter().map(|variant| variant.stock))
    }

    /// Where it stands at `as_of`.
    #[must_use]
    pub fn status(&self, as_of: Timestamp) -> DropStatus {
        let stock = self.stock();
        if !self.terms.window.has_opened(as_of) {
            DropStatus::Upcoming
        } else if self.terms.window.has_closed(as_of) {
            DropStatus::Ended
        } else if stock.available().is_zero() && stock.held().is_zero() {
            DropStatus::SoldOut
        } else {
            DropStatus::Open
        }
    }
}
