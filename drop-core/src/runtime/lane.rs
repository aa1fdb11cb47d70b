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
