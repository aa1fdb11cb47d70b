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

/// Run with `RUSTFLAGS="--cfg drop_loom"`; every interleaving of the models is tried.
#[cfg(all(test, drop_loom))]
mod loom_models {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicUsize, Ordering};
    use loom::thread;

    use super::Lane;

    /// What the writer's drain does, without the store.
    fn drain(lane: &Lane<usize>, seen: &AtomicUsize) {
        while let Some(items) = lane.take(1) {
            seen.fetch_add(items.len(), Ordering::SeqCst);
        }
    }

    fn enter_and_drain(lane: &Lane<usize>, seen: &AtomicUsize, item: usize) {
        if lane.enter(item, 8) == Ok(true) {
            drain(lane, seen);
        }
    }

    /// No item stays behind without a drainer, and there is never more than one drainer.
    fn crowd(threads: usize) {
        let lane = Arc::new(Lane::new());
        let seen = Arc::new(AtomicUsize::new(0));
        let others: Vec<_> = (1..threads)
            .map(|item| {
                let (lane, seen) = (lane.clone(), seen.clone());
                thread::spawn(move || enter_and_drain(&lane, &seen, item))
            })
            .collect();
        enter_and_drain(&lane, &seen, 0);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(seen.load(Ordering::SeqCst), threads);
        assert!(lane.is_idle());
    }

    #[test]
    fn two_threads_leave_nothing_behind() {
        loom::model(|| crowd(2));
    }

    #[test]
    fn three_threads_leave_nothing_behind() {
        let mut bounded = loom::model::Builder::new();
        bounded.preemption_bound = Some(3);
        bounded.check(|| crowd(3));
    }

    #[test]
    fn an_abandoned_lane_is_entered_again() {
        loom::model(|| {
            let lane = Arc::new(Lane::new());
            let seen = Arc::new(AtomicUsize::new(0));
            assert_eq!(lane.enter(0, 8), Ok(true));
            let other = {
                let (lane, seen) = (lane.clone(), seen.clone());
                thread::spawn(move || enter_and_drain(&lane, &seen, 1))
            };
            // The drainer breaks off: what waits is handed back, and the next caller drains.
            let abandoned = lane.abandon().len();
            other.join().unwrap();
            assert_eq!(abandoned + seen.load(Ordering::SeqCst), 2);
            assert!(lane.is_idle());
        });
    }

    /// The model sees the bug that the one lock of [`Lane::take`] is there against: looking
    /// and becoming idle in two steps leaves an item behind.
    #[test]
    #[should_panic(expected = "left behind")]
    fn looking_and_becoming_idle_in_two_steps_is_convicted() {
        loom::model(|| {
            let lane = Arc::new(Lane::new());
            let seen = Arc::new(AtomicUsize::new(0));
            let broken_drain = |lane: &Lane<usize>, seen: &AtomicUsize| {
                loop {
                    let empty = lane.lock().waiting.is_empty();
                    if empty {
                        lane.lock().draining = false;
                        return;
                    }
                    let item = lane.lock().waiting.pop_front();
                    seen.fetch_add(item.map_or(0, |_| 1), Ordering::SeqCst);
                }
            };
            let other = {
                let (lane, seen) = (lane.clone(), seen.clone());
                thread::spawn(move || {
                    if lane.enter(1, 8) == Ok(true) {
                        broken_drain(&lane, &seen);
                    }
                })
            };
            if lane.enter(0, 8) == Ok(true) {
                broken_drain(&lane, &seen);
            }
            other.join().unwrap();
            assert_eq!(seen.load(Ordering::SeqCst), 2, "left behind");
        });
    }
}

#[cfg(all(test, not(drop_loom)))]
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
