//! How often the file is opened again.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What lies between two attempts.
///
/// Opening reads the whole file, so a disk that stays full must not have it read all the time.
#[derive(Clone)]
pub(super) struct Pause {
    span: Duration,
    now: Arc<dyn Fn() -> Instant + Send + Sync>,
}

impl Pause {
    const SPAN: Duration = Duration::from_secs(1);

    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self { span: Duration::ZERO, ..Self::default() }
    }

    /// Goes by another clock.
    #[cfg(test)]
    pub(super) fn by(now: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), ..Self::default() }
    }

    pub(super) fn now(&self) -> Instant {
        (self.now)()
    }

    /// Whether it is over after an attempt that ended then.
    pub(super) fn is_over(&self, last_attempt: Instant) -> bool {
        self.now().saturating_duration_since(last_attempt) >= self.span
    }
}

impl Default for Pause {
    fn default() -> Self {
        Self { span: Self::SPAN, now: Arc::new(Instant::now) }
    }
}

impl fmt::Debug for Pause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pause").field("span", &self.span).finish_non_exhaustive()
    }
}
