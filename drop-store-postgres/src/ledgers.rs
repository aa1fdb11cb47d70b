//! The drops that this process keeps.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use drop_core::model::DropId;

use crate::kept::Kept;

/// What is kept of each drop between its batches.
///
/// Whoever has a drop's lock takes it out and puts it back once it is true again; whoever breaks
/// off in between leaves nothing behind, and the next one loads the drop. Bounded: where too
/// much is kept, other drops give way, whichever come first.
#[derive(Debug)]
pub(crate) struct Ledgers {
    state: Mutex<State>,
    most: usize,
}

#[derive(Debug, Default)]
struct State {
    drops: HashMap<DropId, Kept>,
    size: usize,
}

impl Default for Ledgers {
    fn default() -> Self {
        Self::bounded(Self::MOST)
    }
}

impl Ledgers {
    /// Drops and holds together, at about 200 bytes each.
    const MOST: usize = 2_000_000;

    fn bounded(most: usize) -> Self {
        Self { state: Mutex::default(), most }
    }

    /// Takes a drop out.
    pub(crate) fn take(&self, drop_id: DropId) -> Option<Kept> {
        self.lock().remove(drop_id)
    }

    /// Puts a drop back, unless somebody else has put back a later state.
    pub(crate) fn keep(&self, drop_id: DropId, kept: Kept) {
        let mut state = self.lock();
        if state.drops.get(&drop_id).is_some_and(|other| other.revision() > kept.revision()) {
            return;
        }
        state.remove(drop_id);
        while state.size.saturating_add(kept.size()) > self.most
            && let Some(other) = state.drops.keys().next().copied()
        {
            state.remove(other);
        }
        state.size = state.size.saturating_add(kept.size());
        state.drops.insert(drop_id, kept);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, drop_id: DropId) -> Option<Kept> {
        let kept = self.drops.remove(&drop_id)?;
        self.size = self.size.saturating_sub(kept.size());
        // Room that a crowd has left is given back.
        if self.drops.capacity() > 1024 && self.drops.len() < self.drops.capacity() / 4 {
            self.drops.shrink_to_fit();
        }
        Some(kept)
    }
}
