//! A drop as this process last saw it, to be trusted by its revision.

use std::sync::Arc;

use drop_core::StoreError;
use drop_core::model::{
    DropTerms, Purchaser, Reservation, Revision, Timestamp, UserId, VariantStock,
};
use drop_core::rules::{ActiveRows, Batch, Change, Holds};

use crate::opening::Head;

/// Everything of a drop that decisions ask about, except what has ended.
///
/// True for as long as the locked row is at the same change: whoever changes a drop raises its
/// revision, and writes the change whole into the feed.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) head: Head,
    pub(crate) next_number: u32,
    pub(crate) terms: Arc<DropTerms>,
    pub(crate) variants: Vec<VariantStock>,
    pub(crate) recent: Vec<Purchaser>,
    holds: Holds,
}

impl Kept {
    /// What a drop keeps beside its holds and variants, in holds: its terms and newest purchasers.
    const OWN: usize = 16;

    /// A drop without holds.
    pub(crate) fn new(
        head: Head,
        next_number: u32,
        terms: DropTerms,
        variants: Vec<VariantStock>,
        recent: Vec<Purchaser>,
    ) -> Self {
        let terms = Arc::new(terms);
        Self { head, next_number, terms, variants, recent, holds: Holds::default() }
    }

    /// Takes over an active hold that was loaded.
    ///
    /// # Errors
    /// `Corrupt` where its user has another.
    pub(crate) fn hold(&mut self, row: Reservation) -> Result<(), StoreError> {
        Ok(self.holds.put(row)?)
    }

    /// Takes over the next change.
    ///
    /// # Errors
    /// `Corrupt` where it is not the next, or leaves somebody with two holds.
    pub(crate) fn follow(&mut self, change: &Change) -> Result<(), StoreError> {
        if change.revision != self.head.revision.next() {
            return Err(StoreError::corrupt("the feed has a gap"));
        }
        self.holds.follow(change)?;
        self.head = Head { revision: change.revision, updated_at: change.as_of };
        self.next_number = change.next_number;
        self.variants.clone_from(&change.variants);
        self.recent.clone_from(&change.recent);
        if let Some(terms) = &change.terms {
            self.terms = terms.clone();
        }
        Ok(())
    }

    /// Whether a change is the one that it stands at, and not another of the same revision, as
    /// there may be after a restore.
    pub(crate) fn stands_at(&self, change: &Change) -> bool {
        (change.revision, change.as_of) == (self.head.revision, self.head.updated_at)
    }

    /// What a batch needs of the active holds.
    pub(crate) fn rows<'a>(
        &self,
        batch: &Batch,
        customers: impl IntoIterator<Item = &'a UserId>,
        as_of: Timestamp,
    ) -> ActiveRows {
        let mut rows = self.holds.rows(batch.commands(), customers, as_of);
        // What has no number yet is nowhere.
        rows.others.retain(|id| id.number() < self.next_number);
        rows
    }

    /// How much is kept, in holds.
    pub(crate) fn size(&self) -> usize {
        self.holds.len().saturating_add(self.variants.len()).saturating_add(Self::OWN)
    }

    pub(crate) const fn revision(&self) -> Revision {
        self.head.revision
    }
}
