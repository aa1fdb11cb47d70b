//! Telling the log that the store does not answer, without a line for each request.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When an outage was last told of, and how much was not told since.
///
/// Every request fails while a store is away, and a crowd of them would fill the disk that the
/// log is on.
#[derive(Debug)]
pub(crate) struct Outage {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    told_at: Option<Instant>,
    untold: u64,
}

impl Outage {
    /// Between two warnings.
    const EVERY: Duration = Duration::from_secs(1);

    pub(crate) const fn new() -> Self {
        Self { state: Mutex::new(State { told_at: None, untold: 0 }) }
    }

    /// Warns of a failure at `now`, with how many before it were not warned of; those that
    /// follow closely are for who debugs.
    pub(crate) fn tell(&self, error: &str, now: Instant) {
        match self.untold(now) {
            Some(untold) => tracing::warn!(error, untold, "the store did not answer"),
            None => tracing::debug!(error, "the store did not answer"),
        }
    }

    fn untold(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |told_at: Instant| now.saturating_duration_since(told_at) < Self::EVERY;
        if state.told_at.is_some_and(recent) {
            state.untold = state.untold.saturating_add(1);
            return None;
        }
        state.told_at = Some(now);
        Some(std::mem::take(&mut state.untold))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Level, Metadata, Subscriber};

    use super::Outage;

    /// The levels of the lines that were written.
    #[derive(Clone, Debug, Default)]
    struct Log(Arc<Mutex<Vec<Level>>>);

    impl Subscriber for Log {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &Event<'_>) {
            self.0.lock().unwrap().push(*event.metadata().level());
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_store_that_is_away_is_warned_of_at_once_and_then_once_a_second() {
        let (log, outage, began) = (Log::default(), Outage::new(), Instant::now());
        tracing::subscriber::with_default(log.clone(), || {
            for millis in [0, 0, 400, 999, 1000, 1001, 60_000] {
                outage.tell("no server", began + Duration::from_millis(millis));
            }
        });
        let (warned, rest) = (Level::WARN, Level::DEBUG);
        let expected = [warned, rest, rest, rest, warned, rest, warned];
        assert_eq!(*log.0.lock().unwrap(), expected);
        assert_eq!(outage.untold(began + Duration::from_secs(60)), None);
        assert_eq!(outage.untold(began + Duration::from_secs(61)), Some(1), "with those between");
    }
}
