//! Which change of each drop is told next.

use std::collections::VecDeque;
use std::sync::PoisonError;

use rustc_hash::FxHashMap;

use crate::model::{DropId, Revision};
use crate::sync::{Mutex, MutexGuard};

/// What became of a change that was handed to the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Published {
    /// Subscribers have it.
    Sent,
    /// They had it before.
    Repeated,
    /// Changes before it are missing here: another instance made them.
    Gap,
}

/// How far each drop has been told of.
///
/// Who tells something passes it as `send`, which runs under the lock: otherwise two changes
/// could overtake each other between the decision and the telling.
#[derive(Debug)]
pub(super) struct Heads {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    heads: FxHashMap<DropId, Head>,
    /// The drops in `heads` that were deleted, the latest last.
    deleted: VecDeque<DropId>,
    /// Every drop that there was is in `heads`: one that is not is new, from its first change on.
    met: bool,
}

/// What was told of a drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    /// Nothing, but a reader here was shown it.
    Shown,
    /// Everything up to this revision.
    At(Revision),
    /// That it was deleted, after which there is nothing more to tell: ids are not given again.
    Deleted,
}

impl Heads {
    /// Deletions that are remembered, against what was read or committed before one and comes
    /// after it.
    const DELETIONS: usize = 1024;

    pub(super) fn new() -> Self {
        let state = State { heads: FxHashMap::default(), deleted: VecDeque::new(), met: false };
        Self { state: Mutex::new(state) }
    }

    /// Tells of a revision, unless it is old or something before it is missing.
    pub(super) fn publish(
        &self,
        drop_id: DropId,
        revision: Revision,
        send: impl FnOnce(),
    ) -> Published {
        let mut state = self.lock();
        match state.heads.get(&drop_id) {
            Some(Head::Deleted) => return Published::Repeated,
            Some(Head::At(head)) if revision <= *head => return Published::Repeated,
            Some(Head::At(head)) if revision != head.next() => return Published::Gap,
            Some(Head::Shown) | None if state.met && revision != Revision::FIRST => {
                return Published::Gap;
            }
            // The next, or nobody here knows what came before, and so nobody misses it.
            _ => {}
        }
        state.heads.insert(drop_id, Head::At(revision));
        send();
        Published::Sent
    }

    /// Goes over revisions that cannot be told any more.
    pub(super) fn skip_to(&self, drop_id: DropId, revision: Revision, send: impl FnOnce()) {
        let mut state = self.lock();
        match state.heads.get(&drop_id) {
            Some(Head::Deleted) => {}
            Some(Head::At(head)) if revision <= *head => {}
            _ => {
                state.heads.insert(drop_id, Head::At(revision));
                send();
            }
        }
    }

    /// Takes a drop's present revision as known, without telling.
    pub(super) fn meet(&self, drop_id: DropId, revision: Revision) {
        self.lock().heads.entry(drop_id).or_insert(Head::At(revision));
    }

    /// Every drop that there was has been met.
    pub(super) fn met(&self) {
        self.lock().met = true;
    }

    /// Somebody here was shown a drop: if it is deleted, that is to be told.
    ///
    /// Before all drops are met nothing is kept: then everybody is asked to look once more, and
    /// in a service whose workers never run nobody would ever clear it away.
    pub(super) fn show(&self, drop_id: DropId) {
        let mut state = self.lock();
        if state.met {
            state.heads.entry(drop_id).or_insert(Head::Shown);
        }
    }

    /// Forgets a drop that was deleted, and tells so unless that was told.
    pub(super) fn forget(&self, drop_id: DropId, send: impl FnOnce()) {
        let mut state = self.lock();
        if state.heads.insert(drop_id, Head::Deleted) == Some(Head::Deleted) {
            return;
        }
        state.deleted.push_back(drop_id);
        if state.deleted.len() > Self::DELETIONS
            && let Some(oldest) = state.deleted.pop_front()
        {
            state.heads.remove(&oldest);
        }
        send();
    }

    /// The last revision told of a drop.
    pub(super) fn head(&self, drop_id: DropId) -> Option<Revision> {
        match self.lock().heads.get(&drop_id) {
            Some(Head::At(head)) => Some(*head),
            Some(Head::Shown | Head::Deleted) | None => None,
        }
    }

    /// Whether it was told that a drop was deleted.
    pub(super) fn is_deleted(&self, drop_id: DropId) -> bool {
        self.lock().heads.get(&drop_id) == Some(&Head::Deleted)
    }

    /// All drops known here.
    pub(super) fn known(&self) -> Vec<DropId> {
        let state = self.lock();
        let present = state.heads.iter().filter(|(_, head)| **head != Head::Deleted);
        present.map(|(drop_id, _)| *drop_id).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Run as `.ci/test` does; see [`explore`](crate::conformance::explore).
#[cfg(all(test, any(drop_loom, drop_shuttle)))]
mod models {
    use super::{Heads, Published};
    use crate::conformance::explore::{convicts, explore, together};
    use crate::model::{DropId, Revision};
    use crate::sync::{Arc, Mutex};

    /// A drop that several instances change, and one instance's bus.
    struct Shop {
        /// Revisions are made one after the other, under the drop's lock in the store.
        store: Mutex<u64>,
        heads: Heads,
        told: Mutex<Vec<u64>>,
        gaps: Mutex<usize>,
    }

    fn drop_id() -> DropId {
        DropId::new(1).unwrap()
    }

    impl Shop {
        fn new() -> Self {
            let shop = Self {
                store: Mutex::new(1),
                heads: Heads::new(),
                told: Mutex::new(Vec::new()),
                gaps: Mutex::new(0),
            };
            shop.heads.meet(drop_id(), Revision::FIRST);
            shop.heads.met();
            shop
        }

        fn commit(&self) -> u64 {
            let mut last = self.store.lock().unwrap();
            *last += 1;
            *last
        }

        fn tell(&self, revision: u64) {
            self.told.lock().unwrap().push(revision);
        }

        fn publish(&self, revision: u64) -> Published {
            let sent = || self.tell(revision);
            self.heads.publish(drop_id(), Revision::new(revision), sent)
        }

        /// What a drain does after its commit.
        fn write(&self) {
            if self.publish(self.commit()) == Published::Gap {
                *self.gaps.lock().unwrap() += 1;
            }
        }

        /// What the feed does on a hint or a gap; changes up to `trimmed` are not to be had.
        fn catch_up(&self, trimmed: u64) {
            let last = *self.store.lock().unwrap();
            let since = self.heads.head(drop_id()).unwrap().get();
            for revision in since.max(trimmed) + 1..=last {
                if self.publish(revision) == Published::Gap {
                    let present = *self.store.lock().unwrap();
                    let sent = || self.tell(present);
                    self.heads.skip_to(drop_id(), Revision::new(present), sent);
                    return;
                }
            }
        }

        fn told(&self) -> Vec<u64> {
            self.told.lock().unwrap().clone()
        }
    }

    /// This instance writes in all threads but one; that one hears of another instance's change.
    fn two_instances(threads: usize, trimmed: u64) -> Arc<Shop> {
        let shop = Arc::new(Shop::new());
        together(threads, {
            let shop = shop.clone();
            move |thread| {
                if thread == 0 {
                    shop.commit();
                    shop.catch_up(trimmed);
                } else {
                    shop.write();
                }
            }
        });
        if *shop.gaps.lock().unwrap() > 0 {
            shop.catch_up(trimmed);
        }
        shop
    }

    fn every_change_is_told_in_order(threads: usize) {
        let shop = two_instances(threads, 0);
        let last = *shop.store.lock().unwrap();
        // Each once, none missing: whoever left a gap has reported it.
        assert_eq!(shop.told(), (2..=last).collect::<Vec<_>>());
    }

    fn a_trimmed_feed_is_skipped(threads: usize) {
        let shop = two_instances(threads, 2);
        let told = shop.told();
        assert!(told.is_sorted_by(|one, next| one < next), "back or twice: {told:?}");
        assert_eq!(told.last(), Some(&*shop.store.lock().unwrap()), "not at the newest: {told:?}");
    }

    fn a_deletion_is_told_once(threads: usize) {
        let heads = Arc::new(Heads::new());
        let told = Arc::new(Mutex::new(0));
        heads.meet(drop_id(), Revision::FIRST);
        together(threads, {
            let (heads, told) = (heads.clone(), told.clone());
            move |_| heads.forget(drop_id(), || *told.lock().unwrap() += 1)
        });
        assert_eq!(*told.lock().unwrap(), 1);
        assert!(heads.known().is_empty());
    }

    #[test]
    fn changes_of_two_instances_are_told_in_order() {
        explore("bus: changes of two instances", every_change_is_told_in_order);
    }

    #[test]
    fn what_is_trimmed_is_skipped_and_nothing_goes_back() {
        explore("bus: a trimmed feed", a_trimmed_feed_is_skipped);
    }

    #[test]
    fn deleting_at_once_is_told_once() {
        explore("bus: a deletion", a_deletion_is_told_once);
    }

    /// Telling behind the lock lets two changes overtake each other.
    #[test]
    fn telling_behind_the_lock_is_convicted() {
        convicts("overtaken", |threads| {
            let shop = Arc::new(Shop::new());
            together(threads, {
                let shop = shop.clone();
                move |_| {
                    let revision = shop.commit();
                    let sent = shop.heads.publish(drop_id(), Revision::new(revision), || {});
                    if sent == Published::Sent {
                        shop.tell(revision);
                    }
                }
            });
            assert!(shop.told().is_sorted(), "overtaken");
        });
    }

    /// A gap that nobody reports leaves subscribers behind.
    #[test]
    fn a_gap_that_is_not_reported_is_convicted() {
        convicts("left behind", |threads| {
            let shop = Arc::new(Shop::new());
            together(threads, {
                let shop = shop.clone();
                move |_| {
                    shop.publish(shop.commit());
                }
            });
            let last = *shop.store.lock().unwrap();
            assert_eq!(shop.told().last(), Some(&last), "left behind");
        });
    }
}
