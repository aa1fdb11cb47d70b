//! Who holds which number.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use crate::model::UserId;

/// The numbers of holds, found by the user who holds them.
///
/// A place takes eight bytes: the number, and enough of the user's hash to grow without asking
/// whose it is. Whose it is says the hold itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Holders {
    places: HashTable<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    hash: u32,
    number: u32,
}

impl Place {
    fn new(user_id: UserId, number: u32) -> Self {
        let hash = FxBuildHasher.hash_one(user_id);
        let folded = (hash ^ hash >> 32) & u64::from(u32::MAX);
        Self { hash: u32::try_from(folded).unwrap_or_default(), number }
    }

    /// The hash as a table wants it, which looks at either end of it.
    fn spread(&self) -> u64 {
        u64::from(self.hash) << 32 | u64::from(self.hash)
    }
}

impl Holders {
    /// What a user holds; `is_theirs` says whether a number is.
    pub(super) fn find(&self, user_id: UserId, is_theirs: impl Fn(u32) -> bool) -> Option<u32> {
        let sought = Place::new(user_id, 0);
        let is_it = |place: &Place| place.hash == sought.hash && is_theirs(place.number);
        Some(self.places.find(sought.spread(), is_it)?.number)
    }

    /// Notes what a user holds, who held nothing.
    pub(super) fn insert(&mut self, user_id: UserId, number: u32) {
        let place = Place::new(user_id, number);
        self.places.insert_unique(place.spread(), place, Place::spread);
    }

    /// Forgets that a user holds a number.
    pub(super) fn remove(&mut self, user_id: UserId, number: u32) {
        let sought = Place::new(user_id, number);
        if let Ok(entry) = self.places.find_entry(sought.spread(), |place| *place == sought) {
            entry.remove();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::{Holders, Place};
    use crate::model::UserId;

    fn user(id: i64) -> UserId {
        UserId::new(id).unwrap()
    }

    #[test]
    fn everybody_is_found_however_many_there_are_and_nobody_else() {
        let mut holders = Holders::default();
        for number in 1..=5_000 {
            holders.insert(user(i64::from(number) * 3), number);
        }
        for number in 1..=5_000 {
            let id = i64::from(number) * 3;
            let is_theirs = |found: u32| i64::from(found) * 3 == id;
            assert_eq!(holders.find(user(id), is_theirs), Some(number));
            assert_eq!(holders.find(user(id), |_| false), None);
        }
        for number in 1..=4_999 {
            holders.remove(user(i64::from(number) * 3), number);
            holders.remove(user(i64::from(number) * 3), number);
        }
        assert_eq!((holders.len(), holders.find(user(15_000), |n| n == 5_000)), (1, Some(5_000)));
    }

    /// A table looks at the lowest bits for the place and at the highest seven for the first
    /// comparison: ids that follow each other have to differ in both.
    #[test]
    fn ids_that_follow_each_other_are_spread() {
        for step in [1, 2, 1 << 12, 1 << 32] {
            let hashes = (1..=4_096).map(|n| Place::new(user(n * step), 0).spread());
            let (low, high): (HashSet<_>, HashSet<_>) =
                hashes.map(|hash| (hash & 0xfff, hash >> 57)).unzip();
            assert!(low.len() > 2_000 && high.len() > 100, "{step}: {} {}", low.len(), high.len());
        }
    }

    /// The hold says whose it is, so two users whose hashes are alike are told apart.
    #[test]
    fn users_whose_hashes_are_alike_are_told_apart() {
        let mut seen = HashMap::new();
        let mut ids = 1..1 << 20;
        let alike = |id| Some((seen.insert(Place::new(user(id), 0).hash, id)?, id));
        let (one, other) = ids.find_map(alike).unwrap();
        let mut holders = Holders::default();
        holders.insert(user(one), 1);
        assert_eq!(holders.find(user(other), |number| number != 1), None);
        holders.insert(user(other), 2);
        assert_eq!(holders.find(user(one), |number| number == 1), Some(1));
        assert_eq!(holders.find(user(other), |number| number == 2), Some(2));
        holders.remove(user(one), 1);
        assert_eq!(holders.find(user(other), |number| number == 2), Some(2));
    }
}
