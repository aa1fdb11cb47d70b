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
    /// As much as so many holds, at about 100 bytes each.
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

#[cfg(test)]
mod tests {
    use drop_core::model::{DropId, Revision, Stock, Timestamp, Units, VariantStock};

    use super::Ledgers;
    use crate::kept::Kept;
    use crate::opening::Head;
    use crate::sample::terms;

    fn id(id: i64) -> DropId {
        DropId::new(id).unwrap()
    }

    /// A drop of so many variants.
    fn kept(revision: u64, variants: usize) -> Kept {
        let terms = terms();
        let head = Head { revision: Revision::new(revision), updated_at: Timestamp::EPOCH };
        let variant = VariantStock { name: None, stock: Stock::new(Units::ONE) };
        Kept::new(head, 1, terms, vec![variant; variants], Vec::new())
    }

    fn there(ledgers: &Ledgers) -> usize {
        ledgers.lock().drops.len()
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let ledgers = Ledgers::bounded(3 * kept(1, 1).size());
        for n in 1..=9 {
            ledgers.keep(id(n), kept(1, 1));
            assert_eq!(there(&ledgers), usize::try_from(n).unwrap().min(3));
            assert!(ledgers.take(id(n)).is_some(), "the newest stays");
            ledgers.keep(id(n), kept(1, 1));
        }
        // One that is larger than all of it is there alone.
        ledgers.keep(id(10), kept(1, 100));
        assert_eq!(there(&ledgers), 1);
        ledgers.keep(id(11), kept(1, 1));
        assert!(ledgers.take(id(10)).is_none());
        assert!(ledgers.take(id(11)).is_some());
        assert_eq!(ledgers.lock().size, 0);
    }

    #[test]
    fn an_older_state_does_not_take_the_place_of_a_newer_one() {
        let ledgers = Ledgers::default();
        ledgers.keep(id(1), kept(2, 1));
        ledgers.keep(id(1), kept(1, 1));
        assert_eq!(ledgers.take(id(1)).unwrap().revision(), Revision::new(2));
    }
}
