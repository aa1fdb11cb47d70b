//! Coming in while the service closes.

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Counts who is inside, and knows whether it is closed. Who closes it waits until it is empty.
pub(super) trait InFlight {
    /// Counts its owner until it is dropped.
    type Token;

    /// Counts the caller.
    fn token(&self) -> Self::Token;

    /// Whether nobody comes in any more.
    fn is_closed(&self) -> bool;
}

impl InFlight for TaskTracker {
    type Token = TaskTrackerToken;

    fn token(&self) -> TaskTrackerToken {
        Self::token(self)
    }

    fn is_closed(&self) -> bool {
        Self::is_closed(self)
    }
}

/// Lets the caller in, unless it is closed.
///
/// Counted before the look at `is_closed`: whoever closes it either is seen here or sees that
/// somebody came in, and waits.
pub(super) fn admit<T: InFlight>(in_flight: &T) -> Option<T::Token> {
    let token = in_flight.token();
    (!in_flight.is_closed()).then_some(token)
}

/// Run as `.ci/test` does; see [`explore`](crate::conformance::explore).
#[cfg(all(test, any(drop_loom, drop_shuttle)))]
mod models {
    use super::{InFlight, admit};
    use crate::conformance::explore::atomic::{AtomicUsize, Ordering};
    use crate::conformance::explore::{convicts, explore, together};
    use crate::runtime::lane::Lane;
    use crate::sync::Arc;

    /// What a `TaskTracker` is inside: one number, the lowest bit says closed, the others count.
    struct Count(Arc<AtomicUsize>);

    struct Token(Arc<AtomicUsize>);

    impl InFlight for Count {
        type Token = Token;

        fn token(&self) -> Token {
            self.0.fetch_add(2, Ordering::Relaxed);
            Token(self.0.clone())
        }

        fn is_closed(&self) -> bool {
            self.0.load(Ordering::Acquire) & 1 == 1
        }
    }

    impl std::ops::Drop for Token {
        fn drop(&mut self) {
            self.0.fetch_sub(2, Ordering::Release);
        }
    }

    /// A writer with one lane, of which only what matters at the end is there.
    struct Writer {
        in_flight: Count,
        lane: Lane<()>,
        accepted: AtomicUsize,
        answered: AtomicUsize,
        /// How many were answered when the service was seen closed and empty, and one more.
        end: AtomicUsize,
    }

    impl Writer {
        fn new() -> Self {
            Self {
                in_flight: Count(Arc::new(AtomicUsize::new(0))),
                lane: Lane::new(),
                accepted: AtomicUsize::new(0),
                answered: AtomicUsize::new(0),
                end: AtomicUsize::new(0),
            }
        }

        fn enter(&self, admit: impl FnOnce(&Count) -> Option<Token>) {
            let Some(token) = admit(&self.in_flight) else { return };
            self.accepted.fetch_add(1, Ordering::SeqCst);
            if self.lane.enter((), 8) == Ok(true) {
                // The drain is a task with a token of its own.
                let drain = self.in_flight.token();
                drop(token);
                while let Some(items) = self.lane.take(1) {
                    self.answered.fetch_add(items.len(), Ordering::SeqCst);
                }
                drop(drain);
            }
        }

        fn close(&self) {
            self.in_flight.0.fetch_or(1, Ordering::AcqRel);
            if self.in_flight.0.load(Ordering::Acquire) == 1 {
                let answered = self.answered.load(Ordering::SeqCst);
                self.end.store(answered + 1, Ordering::SeqCst);
            }
        }

        /// Where closing found the service empty, nobody was left behind and nobody came later.
        fn check(&self) {
            let accepted = self.accepted.load(Ordering::SeqCst);
            assert_eq!(self.answered.load(Ordering::SeqCst), accepted, "unanswered");
            if let Some(answered) = self.end.load(Ordering::SeqCst).checked_sub(1) {
                assert_eq!(answered, accepted, "came in after the end");
            }
            assert_eq!(self.in_flight.0.load(Ordering::SeqCst), 1, "closed and empty");
        }
    }

    /// One thread closes while all others come.
    fn shutdown(threads: usize, admit: fn(&Count) -> Option<Token>) {
        let writer = Arc::new(Writer::new());
        together(threads, {
            let writer = writer.clone();
            move |thread| if thread == 0 { writer.close() } else { writer.enter(admit) }
        });
        writer.check();
    }

    #[test]
    fn everybody_accepted_is_answered_and_nobody_enters_after_the_end() {
        explore("shutdown: coming in while it closes", |threads| shutdown(threads, admit));
    }

    #[test]
    fn looking_before_being_counted_is_convicted() {
        convicts("came in after the end", |threads| {
            shutdown(threads, |in_flight| {
                let open = !in_flight.is_closed();
                open.then(|| in_flight.token())
            });
        });
    }

    #[test]
    fn a_drain_without_a_token_is_convicted() {
        convicts("came in after the end", |threads| {
            let writer = Arc::new(Writer::new());
            together(threads, {
                let writer = writer.clone();
                move |thread| {
                    if thread == 0 {
                        return writer.close();
                    }
                    let Some(token) = admit(&writer.in_flight) else { return };
                    writer.accepted.fetch_add(1, Ordering::SeqCst);
                    let drains = writer.lane.enter((), 8) == Ok(true);
                    drop(token);
                    while drains && let Some(items) = writer.lane.take(1) {
                        writer.answered.fetch_add(items.len(), Ordering::SeqCst);
                    }
                }
            });
            writer.check();
        });
    }
}
