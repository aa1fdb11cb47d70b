//! The store's time, told by this process's clock.

use drop_core::model::Timestamp;

/// How far the store's clock is ahead of the hub's, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timeline {
    ahead_micros: Option<i64>,
}

impl Timeline {
    /// The store just said what time it is.
    pub(super) fn set(&mut self, store: Timestamp, now: Timestamp) {
        self.ahead_micros = Some(store.as_micros().saturating_sub(now.as_micros()));
    }

    /// The store said at `store` something that arrived now. It may have been long on its
    /// way, so this only ever moves the estimate on.
    pub(super) fn hear(&mut self, store: Timestamp, now: Timestamp) {
        let ahead = store.as_micros().saturating_sub(now.as_micros());
        if self.ahead_micros.is_none_or(|known| known < ahead) {
            self.ahead_micros = Some(ahead);
        }
    }

    /// The store's time at `now`.
    pub(super) fn at(&self, now: Timestamp) -> Timestamp {
        let micros = now.as_micros().saturating_add(self.ahead_micros.unwrap_or(0));
        Timestamp::from_micros(micros).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use drop_core::model::Timestamp;

    use super::Timeline;

    #[test]
    fn a_message_that_was_late_does_not_move_time_back() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000).unwrap();
        let mut timeline = Timeline::default();
        timeline.set(at(1000), at(10));
        timeline.hear(at(1001), at(20));
        assert_eq!(timeline.at(at(20)), at(1010));
        timeline.hear(at(1012), at(21));
        assert_eq!(timeline.at(at(21)), at(1012));
        timeline.set(at(1000), at(21));
        assert_eq!(timeline.at(at(21)), at(1000));
    }
}
