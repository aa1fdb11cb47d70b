//! Ten thousand changes a second, one after the other, and when each was committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use drop_core::Reserve;
use drop_core::conformance::history::{Answer, Ask, Call, Recorder, Ticket, violations};
use drop_core::model::Username;
use drop_core::rules::Change;

use super::place::Place;

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

/// So many changes are recorded; a crowd's frames are held against what they lead to.
pub(super) const RECORDED: u32 = 10_000;

/// What a load did.
pub(super) struct Made {
    /// Changes a second.
    pub(super) rate: f64,
    /// The first calls.
    pub(super) calls: Vec<Call>,
    /// The drop's feed when the last of them had been answered.
    pub(super) feed: Vec<Arc<Change>>,
}

impl Made {
    /// What of the recorded calls cannot be true.
    pub(super) fn violations(&self) -> Vec<String> {
        let found = violations(&self.calls, &self.feed, Duration::ZERO);
        found.iter().map(ToString::to_string).collect()
    }
}

/// Makes `changes` changes of the place's drop, at most `pace` a second.
///
/// A hold is taken and given back, each for itself: one command, one change, one revision.
pub(super) async fn run(place: &Place, changes: usize, pace: u32, log: &Log) -> Made {
    let (service, drop_id) = (&place.service, place.drop_id);
    let recorder = Recorder::new();
    let loader: Username = "loader".parse().unwrap();
    let (mut calls, mut feed) = (Vec::new(), Vec::new());
    let recorded = usize::try_from(RECORDED).unwrap().min(changes);
    let began = Instant::now();
    let mut made = 0;
    while made < changes {
        let records = made < recorded;
        let begin = |ask: &dyn Fn() -> Ask| records.then(|| recorder.begin(ask()));
        let end = |ticket: Option<Ticket>, answer: &dyn Fn() -> Answer| {
            if let Some(ticket) = ticket {
                recorder.end(ticket, answer());
            }
        };
        let username = || loader.clone();
        let ticket =
            begin(&|| Ask::Reserve { drop_id, username: username(), variant: None, quantity: 1 });
        let hold = service.reserve(drop_id, Reserve::one("loader")).await.unwrap();
        log.committed(hold.revision.get());
        end(ticket, &|| Answer::from(&hold));
        let release = || Ask::Release { reservation: hold.id(), username: Some(username()) };
        let ticket = begin(&release);
        let back = service.release(hold.id(), "loader").await.unwrap();
        log.committed(back.revision.get());
        end(ticket, &|| Answer::from(&back));
        made += 2;
        if made == recorded {
            calls = recorder.calls();
            feed = place.feed().await;
        }
        let due = Duration::from_secs(1) * u32::try_from(made).unwrap() / pace;
        if let Some(early) = due.checked_sub(began.elapsed()).filter(|early| early.as_millis() > 1)
        {
            tokio::time::sleep(early).await;
        }
    }
    let rate = f64::from(u32::try_from(made).unwrap()) / began.elapsed().as_secs_f64();
    Made { rate, calls, feed }
}
