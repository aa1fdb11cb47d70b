//! What a watcher wants to hear.

use std::collections::BTreeSet;

use drop_core::model::DropId;

/// Which drops, and whether the present state comes as single events too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    only: Option<BTreeSet<DropId>>,
    #[cfg(feature = "socketio")]
    stock: bool,
}

impl Filter {
    /// Every drop.
    pub(crate) const fn all() -> Self {
        Self {
            only: None,
            #[cfg(feature = "socketio")]
            stock: false,
        }
    }

    /// These drops.
    pub(crate) fn only(ids: BTreeSet<DropId>) -> Self {
        let mut filter = Self::all();
        filter.only = Some(ids);
        filter
    }

    /// Every drop, and `stockUpdated` of each to begin with.
    #[cfg(feature = "socketio")]
    pub(crate) const fn all_and_stock() -> Self {
        Self { only: None, stock: true }
    }

    /// How many drops are named.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.only.as_ref().map_or(0, BTreeSet::len)
    }

    pub(super) fn wants(&self, id: DropId) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&id))
    }

    pub(super) fn named(&self) -> Option<&BTreeSet<DropId>> {
        self.only.as_ref()
    }

    #[cfg(feature = "socketio")]
    pub(super) fn wants_stock(&self) -> bool {
        self.stock
    }
}
