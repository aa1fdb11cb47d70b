//! Ten thousand changes a second, one after the other, and when each was committed.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use drop_core::model::DropId;
use drop_core::{DropService, Reserve};

/// When which revision was committed.
#[derive(Debug)]
pub(super) struct Log {
    began: Instant,
    /// Microseconds since then and one, by revision; 0 where it is not known.
    at: Vec<AtomicU32>,
}

impl Log {
    /// For so many changes.
    pub(super) fn of(changes: usize) -> Self {
        let at = std::iter::repeat_with(AtomicU32::default).take(changes + 2).collect();
        Self { began: Instant::now(), at }
    }

    fn micros(&self) -> u32 {
        u32::try_from(self.began.elapsed().as_micros()).unwrap_or(u32::MAX - 1) + 1
    }

    /// This revision is committed; whoever asked has just been told.
    fn committed(&self, revision: u64) {
        if let Some(at) = usize::try_from(revision).ok().and_then(|index| self.at.get(index)) {
            at.store(self.micros(), Ordering::Relaxed);
        }
    }

    /// How long ago a revision was committed; `None` where the loader does not know it yet.
    pub(super) fn age(&self, revision: u64) -> Option<Duration> {
        let at = self.at.get(usize::try_from(revision).ok()?)?.load(Ordering::Relaxed);
        let age = self.micros().saturating_sub(at);
        (at > 0).then(|| Duration::from_micros(u64::from(age)))
    }
}

/// Makes `changes` changes, at most `pace` a second, and returns how many it made a second.
///
/// A hold is taken and given back, each for itself: one command, one change, one revision.
pub(super) async fn run(
    service: &DropService,
    drop_id: DropId,
    changes: usize,
    pace: u32,
    log: &Log,
) -> f64 {
    let began = Instant::now();
    let mut made = 0;
    while made < changes {
        let hold = service.reserve(drop_id, Reserve::one("loader")).await.unwrap();
        log.committed(hold.revision.get());
        let back = service.release(hold.id(), "loader").await.unwrap();
        log.committed(back.revision.get());
        made += 2;
        let due = Duration::from_secs(1) * u32::try_from(made).unwrap() / pace;
        if let Some(early) = due.checked_sub(began.elapsed()).filter(|early| early.as_millis() > 1)
        {
            tokio::time::sleep(early).await;
        }
    }
    f64::from(u32::try_from(made).unwrap()) / began.elapsed().as_secs_f64()
}
