//! [`Group`]: of those who come while one is busy, the next one goes for all.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use crate::sync::{Condvar, Mutex, MutexGuard};

/// What is done by one at a time, and by one for all who have come meanwhile.
///
/// Each brings something. Who finds nobody under way goes at once, and takes along what others have
/// brought by then; the others wait, and are given the same answer. So a lone caller waits for
/// nothing, and a crowd shares what each would else pay for alone: a disk's sync.
#[derive(Debug)]
pub(crate) struct Group<T, R> {
    state: Mutex<State<T, R>>,
    /// Those who wait, by whether the number of their group is odd: the group that is under way and
    /// the one that gathers.
    waiters: [Condvar; 2],
}

#[derive(Debug)]
struct State<T, R> {
    under_way: bool,
    /// The number of the group that gathers.
    gathering: u64,
    /// What its members have brought.
    brought: Vec<T>,
    /// Answers, and how many have still to take theirs: none where who went broke off.
    answers: BTreeMap<u64, (Option<R>, usize)>,
}

impl<T, R> Default for Group<T, R> {
    fn default() -> Self {
        let state =
            State { under_way: false, gathering: 0, brought: Vec::new(), answers: BTreeMap::new() };
        Self { state: Mutex::new(state), waiters: [Condvar::new(), Condvar::new()] }
    }
}

impl<T, R: Clone> Group<T, R> {
    /// Brings `thing`, and gives the answer that `go` gave for all who went together: this `go`, or
    /// that of another of them. `None` where that one panicked.
    ///
    /// Blocks for as long as the one that is under way takes, and then the own one.
    pub(crate) fn join(&self, thing: T, go: impl FnOnce(Vec<T>) -> R) -> Option<R> {
        let mut state = self.state();
        let mine = state.gathering;
        state.brought.push(thing);
        // Nobody goes for a group that gathers still, and only one for one that does not.
        while state.under_way || state.gathering != mine {
            if let Some(answer) = state.answer(mine) {
                return answer;
            }
            let waiters = self.waiters(mine);
            state = waiters.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let together = std::mem::take(&mut state.brought);
        state.under_way = true;
        state.gathering = mine.wrapping_add(1);
        drop(state);
        let others = together.len().saturating_sub(1);
        let mut end = End { group: self, number: mine, others, answer: None };
        end.answer = Some(go(together));
        end.answer.clone()
    }
}

impl<T, R> Group<T, R> {
    fn state(&self) -> MutexGuard<'_, State<T, R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait for who is under way.
    #[cfg(all(test, not(any(drop_loom, drop_shuttle))))]
    pub(crate) fn gathered(&self) -> usize {
        self.state().brought.len()
    }

    fn waiters(&self, number: u64) -> &Condvar {
        let [even, odd] = &self.waiters;
        if number.is_multiple_of(2) { even } else { odd }
    }
}

impl<T, R: Clone> State<T, R> {
    /// The answer of a group to one who waits for it.
    fn answer(&mut self, number: u64) -> Option<Option<R>> {
        let (answer, left) = self.answers.get_mut(&number)?;
        *left = left.saturating_sub(1);
        if *left > 0 {
            return Some(answer.clone());
        }
        self.answers.remove(&number).map(|(answer, _)| answer)
    }
}

/// The end of one who went, whichever way: the others are told, and the next may go.
struct End<'a, T, R: Clone> {
    group: &'a Group<T, R>,
    number: u64,
    others: usize,
    answer: Option<R>,
}

impl<T, R: Clone> Drop for End<'_, T, R> {
    fn drop(&mut self) {
        let mut state = self.group.state();
        state.under_way = false;
        if self.others > 0 {
            state.answers.insert(self.number, (self.answer.clone(), self.others));
        }
        // Before anybody else can go: who is woken next on the same side is of the group after next.
        self.group.waiters(self.number).notify_all();
        // One of those who have gathered meanwhile goes for all of them.
        self.group.waiters(self.number.wrapping_add(1)).notify_one();
        drop(state);
    }
}

/// Run as `.ci/test` does; see `drop_core::conformance::explore`.
#[cfg(all(test, any(drop_loom, drop_shuttle)))]
mod models;
#[cfg(all(test, not(any(drop_loom, drop_shuttle))))]
mod tests;
