//! Values by number, where numbers follow each other and most of the old ones are gone.

use std::iter;

use rustc_hash::FxHashMap;

/// A sparse list: pages of neighbours, each there only while something is on it.
///
/// Takes hardly more memory than the values themselves, never moves them, and never stops to
/// grow, as one long list or one large table does.
#[derive(Clone, Debug)]
pub struct Slots<T> {
    pages: FxHashMap<u64, Page<T>>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Page<T> {
    slots: Box<[Option<T>]>,
    used: usize,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { pages: FxHashMap::default(), len: 0 }
    }
}

impl<T> Slots<T> {
    const PAGE_BITS: u32 = 6;

    /// How many values there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What is under a number.
    #[must_use]
    pub fn get(&self, number: impl Into<u64>) -> Option<&T> {
        let (page, slot) = Self::place(number.into());
        self.pages.get(&page)?.slots.get(slot)?.as_ref()
    }

    /// Puts a value under a number; gives what was there.
    pub fn insert(&mut self, number: impl Into<u64>, value: T) -> Option<T> {
        let (page, slot) = Self::place(number.into());
        let nothing = || iter::repeat_with(|| None).take(1 << Self::PAGE_BITS).collect();
        let empty = || Page { slots: nothing(), used: 0 };
        let page = self.pages.entry(page).or_insert_with(empty);
        let before = page.slots.get_mut(slot).and_then(|slot| slot.replace(value));
        if before.is_none() {
            page.used = page.used.saturating_add(1);
            self.len = self.len.saturating_add(1);
        }
        before
    }

    /// Takes what is under a number.
    pub fn remove(&mut self, number: impl Into<u64>) -> Option<T> {
        let (at, slot) = Self::place(number.into());
        let page = self.pages.get_mut(&at)?;
        let gone = page.slots.get_mut(slot)?.take()?;
        page.used = page.used.saturating_sub(1);
        self.len = self.len.saturating_sub(1);
        if page.used == 0 {
            self.pages.remove(&at);
        }
        Some(gone)
    }

    /// The page of a number and where on it.
    fn place(number: u64) -> (u64, usize) {
        let slot = number & ((1 << Self::PAGE_BITS) - 1);
        (number >> Self::PAGE_BITS, usize::try_from(slot).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::Slots;

    #[test]
    fn what_is_put_is_found_until_it_is_taken_and_empty_pages_go() {
        let mut slots = Slots::default();
        for number in [1_u64, 63, 64, 1 << 62] {
            assert_eq!(slots.insert(number, number), None);
        }
        assert_eq!(slots.insert(64_u32, 7), Some(64));
        assert_eq!((slots.len(), slots.pages.len()), (4, 3));
        assert_eq!([64_u32, 65, 128].map(|number| slots.get(number)), [Some(&7), None, None]);
        assert_eq!([64_u32, 64, 65].map(|number| slots.remove(number)), [Some(7), None, None]);
        assert_eq!((slots.len(), slots.pages.len()), (3, 2));
        assert_eq!((slots.remove(1_u32), slots.get(63_u32)), (Some(1), Some(&63)));
    }
}
