//! Where an instance's timers get their time from.
//!
//! Decisions never ask a clock of this process: the store's time counts. A [`Clock`] tells a
//! store that has no time of its own (memory) what time it is, and lets workers sleep.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::model::Timestamp;

/// Time and sleep.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Waits for `span`.
    ///
    /// # Cancel safety
    /// Dropping the future ends the wait and leaves nothing behind.
    async fn sleep(&self, span: Duration);
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that reads the machine's clock"
        )]
        let now = chrono::Utc::now();
        // A machine whose clock stands outside the years 1 to 9999 opens no window at all.
        Timestamp::from_chrono(now).unwrap_or(Timestamp::MAX)
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

/// A clock for timers: it goes on as fast as time passes and never jumps, whatever becomes of
/// the machine's. What it tells is no date, only a distance from an earlier telling.
///
/// While a machine is suspended it may stand still, as on Linux, and timers come that much later.
/// Nothing is sold wrongly by that, since decisions go by the store's time; the next sweep finds
/// what lapsed meanwhile.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use std::time::Duration;
/// use drop_core::{Clock, SteadyClock};
///
/// let clock = SteadyClock::new();
/// let before = clock.now();
/// clock.sleep(Duration::from_millis(5)).await;
/// assert!(clock.now() >= before.saturating_add(Duration::from_millis(5)));
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SteadyClock {
    began: Instant,
}

impl SteadyClock {
    /// A clock that begins now.
    #[must_use]
    pub fn new() -> Self {
        Self { began: Instant::now() }
    }
}

impl Default for SteadyClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH.saturating_add(self.began.elapsed())
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

/// A clock that moves only when it is told to, for tests and simulations.
///
/// Sleepers wake in the order of their deadlines, and the clock stands at each one's deadline
/// while it wakes, however far it is advanced at once.
pub struct ManualClock {
    state: Mutex<State>,
}

struct State {
    now: Timestamp,
    next_sleeper: u64,
    sleepers: BTreeMap<(Timestamp, u64), oneshot::Sender<()>>,
}

impl ManualClock {
    /// How often other tasks get a turn after each sleeper woke.
    const TURNS: usize = 16;

    /// A clock that stands at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        let state = State { now, next_sleeper: 0, sleepers: BTreeMap::new() };
        Self { state: Mutex::new(state) }
    }

    /// Moves on by `span`; see [`ManualClock::advance_to`].
    pub async fn advance(&self, span: Duration) {
        let target = self.lock().now.saturating_add(span);
        self.advance_to(target).await;
    }

    /// Moves to `target`, waking each sleeper whose deadline lies before or at it, in order of
    /// deadlines. After each, other tasks of the runtime get turns to react, which may be to
    /// sleep again.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the clock at the last deadline reached.
    pub async fn advance_to(&self, target: Timestamp) {
        while self.wake_next(target) {
            for _ in 0..Self::TURNS {
                tokio::task::yield_now().await;
            }
        }
        let mut state = self.lock();
        state.now = state.now.max(target);
    }

    /// Sets the time without regard to order, as an administrator's hand on a clock does.
    /// Sleepers keep the deadlines that they have.
    pub fn jump(&self, now: Timestamp) {
        self.lock().now = now;
    }

    fn wake_next(&self, target: Timestamp) -> bool {
        let mut state = self.lock();
        match state.sleepers.first_entry() {
            Some(sleeper) if sleeper.key().0 <= target => {
                let ((deadline, _), wake) = sleeper.remove_entry();
                state.now = state.now.max(deadline);
                // A sleeper that was dropped is not there to be woken.
                let _ = wake.send(());
                true
            }
            _ => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    async fn sleep(&self, span: Duration) {
        let (wake, woken) = oneshot::channel();
        {
            let mut state = self.lock();
            let deadline = state.now.saturating_add(span);
            let sleeper = state.next_sleeper;
            state.next_sleeper = sleeper.saturating_add(1);
            state.sleepers.insert((deadline, sleeper), wake);
        }
        // The sender is dropped only with the clock, and then nobody can move it.
        if woken.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualClock").field("now", &self.lock().now).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::{Clock, ManualClock};
    use crate::model::Timestamp;

    #[tokio::test]
    async fn sleepers_wake_in_deadline_order_at_their_deadlines() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(0).unwrap()));
        let woken = Arc::new(Mutex::new(Vec::new()));
        for seconds in [3_u64, 1, 2] {
            let (clock, woken) = (clock.clone(), woken.clone());
            tokio::spawn(async move {
                clock.sleep(Duration::from_secs(seconds)).await;
                woken.lock().unwrap().push(clock.now().as_micros());
                clock.sleep(Duration::from_millis(500)).await;
                woken.lock().unwrap().push(clock.now().as_micros());
            });
        }
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(10)).await;
        let micros = |halves: [i64; 6]| halves.map(|half| half * 500_000);
        assert_eq!(*woken.lock().unwrap(), micros([2, 3, 4, 5, 6, 7]));
        assert_eq!(clock.now().as_micros(), 10_000_000);
    }
}
