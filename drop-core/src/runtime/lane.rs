//! The queue of one drop.

use std::collections::VecDeque;

use crate::sync::{Mutex, MutexGuard};

/// A lane did not take an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is full.
    Full,
}

/// What waits for one drop, and whether somebody drains it.
///
/// One drainer at a time: whoever enters an idle lane must start it, and it goes on until
/// [`Lane::take`] has nothing more, which under the same lock makes the lane idle again. So no
/// item is left waiting without a drainer.
#[derive(Debug)]
pub(super) struct Lane<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    draining: bool,
}

impl<T> Lane<T> {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State { waiting: VecDeque::new(), draining: false }) }
    }

    /// Queues `item`; `true` when the caller must start the drainer.
    pub(super) fn enter(&self, item: T, capacity: usize) -> Result<bool, Refused> {
        let mut state = self.lock();
        if state.waiting.len() >= capacity {
            return Err(Refused::Full);
        }
        state.waiting.push_back(item);
        let start = !state.draining;
        state.draining = true;
        Ok(start)
    }

    /// The next items, at most `max`, oldest first. `None` when there is none: the lane is
    /// idle from then on, and the drainer must stop.
    pub(super) fn take(&self, max: usize) -> Option<Vec<T>> {
        let mut state = self.lock();
        if state.waiting.is_empty() {
            state.draining = false;
            return None;
        }
        let count = state.waiting.len().min(max);
        Some(state.waiting.drain(..count).collect())
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Puts items back to the front, in their order. The drainer only.
    pub(super) fn put_back(&self, items: Vec<T>) {
        let mut state = self.lock();
        for item in items.into_iter().rev() {
            state.waiting.push_front(item);
        }
    }

    /// Empties the lane and makes it idle: what a drainer that ends early leaves behind.
    pub(super) fn abandon(&self) -> Vec<T> {
        let mut state = self.lock();
        state.draining = false;
        std::mem::take(&mut state.waiting).into()
    }

    /// Whether nothing waits and nobody drains.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.lock();
        !state.draining && state.waiting.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Run as `.ci/test` does; see [`explore`](crate::conformance::explore).
#[cfg(all(test, any(drop_loom, drop_shuttle)))]
mod models {
    use super::Lane;
    use crate::conformance::explore::atomic::{AtomicUsize, Ordering};
    use crate::conformance::explore::{convicts, explore, together};
    use crate::sync::Arc;

    /// A lane, and how many items drains have seen.
    struct Work {
        lane: Lane<usize>,
        seen: AtomicUsize,
    }

    impl Work {
        fn new() -> Arc<Self> {
            Arc::new(Self { lane: Lane::new(), seen: AtomicUsize::new(0) })
        }

        /// What the writer's drain does, without the store.
        fn drain(&self) {
            while let Some(items) = self.lane.take(1) {
                self.seen.fetch_add(items.len(), Ordering::SeqCst);
            }
        }

        fn enter_and_drain(&self, item: usize) {
            if self.lane.enter(item, 8) == Ok(true) {
                self.drain();
            }
        }

        fn all_seen(&self, expected: usize) {
            assert_eq!(self.seen.load(Ordering::SeqCst), expected, "left behind");
            assert!(self.lane.is_idle());
        }
    }

    /// No item stays behind without a drainer.
    fn crowd(threads: usize) {
        let work = Work::new();
        together(threads, {
            let work = work.clone();
            move |thread| work.enter_and_drain(thread)
        });
        work.all_seen(threads);
    }

    /// The drainer puts its first batch back once, as it does with commands that are deferred.
    fn deferring(threads: usize) {
        let work = Work::new();
        together(threads, {
            let work = work.clone();
            move |thread| {
                if work.lane.enter(thread, 8) == Ok(true) {
                    if let Some(deferred) = work.lane.take(2) {
                        work.lane.put_back(deferred);
                    }
                    work.drain();
                }
            }
        });
        work.all_seen(threads);
    }

    /// The drainer breaks off: what waits is handed back, and the next caller drains.
    fn breaking_off(threads: usize) {
        let work = Work::new();
        assert_eq!(work.lane.enter(0, 8), Ok(true));
        let abandoned = Arc::new(AtomicUsize::new(0));
        together(threads, {
            let (work, abandoned) = (work.clone(), abandoned.clone());
            move |thread| {
                if thread == 0 {
                    abandoned.store(work.lane.abandon().len(), Ordering::SeqCst);
                } else {
                    work.enter_and_drain(thread);
                }
            }
        });
        work.all_seen(threads - abandoned.load(Ordering::SeqCst));
    }

    #[test]
    fn a_crowd_leaves_nothing_behind() {
        explore("lane: a crowd", crowd);
    }

    #[test]
    fn what_is_put_back_is_not_left_behind() {
        explore("lane: putting back", deferring);
    }

    #[test]
    fn an_abandoned_lane_is_entered_again() {
        explore("lane: breaking off", breaking_off);
    }

    /// The models see the bug that the one lock of [`Lane::take`] is there against: looking
    /// and becoming idle in two steps leaves an item behind.
    #[test]
    fn looking_and_becoming_idle_in_two_steps_is_convicted() {
        convicts("left behind", |threads| {
            let work = Work::new();
            let broken_drain = |work: &Work| {
                loop {
                    let empty = work.lane.lock().waiting.is_empty();
                    if empty {
                        work.lane.lock().draining = false;
                        return;
                    }
                    let item = work.lane.lock().waiting.pop_front();
                    work.seen.fetch_add(usize::from(item.is_some()), Ordering::SeqCst);
                }
            };
            together(threads, {
                let work = work.clone();
                move |thread| {
                    if work.lane.enter(thread, 8) == Ok(true) {
                        broken_drain(&work);
                    }
                }
            });
            work.all_seen(threads);
        });
    }
}

#[cfg(all(test, not(any(drop_loom, drop_shuttle))))]
mod tests {
    use super::{Lane, Refused};

    #[test]
    fn what_is_put_back_comes_first_and_in_its_order() {
        let lane = Lane::new();
        for item in 1..=4 {
            assert_eq!(lane.enter(item, 8), Ok(item == 1), "one drainer");
        }
        assert_eq!(lane.take(2), Some(vec![1, 2]));
        lane.put_back(vec![1, 2]);
        assert_eq!(lane.take(8), Some(vec![1, 2, 3, 4]));
        assert!(!lane.is_idle());
        assert_eq!(lane.take(8), None);
        assert!(lane.is_idle());
    }

    #[test]
    fn a_full_lane_refuses() {
        let lane = Lane::new();
        assert_eq!(lane.enter(1, 2), Ok(true));
        assert_eq!(lane.enter(2, 2), Ok(false));
        assert_eq!(lane.enter(3, 2), Err(Refused::Full));
        assert_eq!(lane.abandon(), [1, 2]);
        assert_eq!(lane.enter(4, 2), Ok(true), "abandoned, and so idle");
    }
}
