//! The clock of one instance, which only the scheduler moves.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Clock;
use crate::conformance::START;
use crate::model::Timestamp;

/// What an instance's timers go by: a time that passes, which sleepers wait for, and a wall
/// clock over it that an administrator may set at will.
#[derive(Debug, Default)]
pub(super) struct InstanceClock {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    elapsed: Duration,
    /// By how many microseconds the wall clock is off.
    offset: i64,
    next_sleeper: u64,
    sleepers: BTreeMap<(Duration, u64), Waker>,
}

impl InstanceClock {
    /// A clock that is right after so much time has passed.
    pub(super) fn new(elapsed: Duration) -> Self {
        Self { state: Mutex::new(State { elapsed, ..State::default() }) }
    }

    /// Time passes; whoever sleeps no longer wakes, in the order of the deadlines.
    pub(super) fn pass(&self, span: Duration) {
        let woken = {
            let mut state = self.lock();
            state.elapsed += span;
            let end = (state.elapsed + Duration::from_nanos(1), 0);
            let later = state.sleepers.split_off(&end);
            std::mem::replace(&mut state.sleepers, later)
        };
        for waker in woken.into_values() {
            waker.wake();
        }
    }

    /// Sets the wall clock, so many microseconds off. Sleepers do not notice.
    pub(super) fn set_offset(&self, micros: i64) {
        self.lock().offset = micros;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The moment so many microseconds, forwards or back, from `at`.
pub(super) fn shifted(at: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_micros(at.as_micros().saturating_add(micros)).expect("a time near the start")
}

#[async_trait]
impl Clock for InstanceClock {
    fn now(&self) -> Timestamp {
        let state = self.lock();
        shifted(START.saturating_add(state.elapsed), state.offset)
    }

    async fn sleep(&self, span: Duration) {
        let key = {
            let mut state = self.lock();
            state.next_sleeper += 1;
            (state.elapsed.saturating_add(span), state.next_sleeper)
        };
        Sleep { clock: self, key }.await;
    }
}

struct Sleep<'a> {
    clock: &'a InstanceClock,
    key: (Duration, u64),
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.lock();
        if state.elapsed >= self.key.0 {
            return Poll::Ready(());
        }
        state.sleepers.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl std::ops::Drop for Sleep<'_> {
    fn drop(&mut self) {
        self.clock.lock().sleepers.remove(&self.key);
    }
}
