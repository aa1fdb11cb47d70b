//! One instance of a run: a service, its workers, and who watches it.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::service::DropService;
use crate::store::Store;

use super::clock::InstanceClock;
use super::desk::{Desk, Event};
use super::gated::Gated;
use super::mood::Mood;
use super::states::Incarnation;
use super::watcher::Watcher;

/// A process that sells, as far as a process has to do with the store.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) incarnation: Incarnation,
    pub(super) clock: Arc<InstanceClock>,
    pub(super) service: DropService,
    /// `None` where they are dead.
    pub(super) workers: Option<(JoinHandle<()>, CancellationToken)>,
    pub(super) watchers: Vec<Watcher>,
    /// Those who have subscribed and are still reading.
    pub(super) coming: Vec<AbortHandle>,
    /// It stands still until this step.
    pub(super) paused_until: u64,
}

impl Instance {
    pub(super) const SWEEP: Duration = Duration::from_secs(5);
    pub(super) const POLL: Duration = Duration::from_secs(1);

    /// Starts an instance on its store, with its workers unless they are dead from the start.
    pub(super) fn start(
        inner: Arc<dyn Store>,
        desk: Arc<Desk>,
        incarnation: Incarnation,
        elapsed: Duration,
        mood: &Mood,
        with_workers: bool,
    ) -> Self {
        let clock = Arc::new(InstanceClock::new(elapsed));
        let store = Gated { inner, desk, incarnation };
        let (service, workers) = DropService::builder(store)
            .clock(clock.clone())
            .sweep_every(Self::SWEEP)
            .poll_every(Self::POLL)
            .keep_changes(mood.keep_changes)
            .lane_capacity(mood.lane_capacity)
            .batch(mood.batch)
            .subscriber_capacity(mood.subscriber_capacity)
            .build();
        let workers = with_workers.then(|| {
            let cancel = CancellationToken::new();
            (tokio::spawn(workers.run(cancel.clone())), cancel)
        });
        let (watchers, coming) = (Vec::new(), Vec::new());
        Self { incarnation, clock, service, workers, watchers, coming, paused_until: 0 }
    }

    /// Somebody comes to watch.
    pub(super) fn watch(&mut self, desk: Arc<Desk>) {
        let (incarnation, coming) = (self.incarnation, Watcher::come(self.service.clone()));
        let task = tokio::spawn(async move {
            let watcher = coming.await.ok();
            desk.note(Event::Watching(incarnation, watcher));
        });
        self.coming.push(task.abort_handle());
    }

    /// Ends everything that runs in it.
    pub(super) fn kill(&mut self) {
        self.kill_workers();
        for coming in self.coming.drain(..) {
            coming.abort();
        }
    }

    /// Kills the workers; says whether there were any.
    pub(super) fn kill_workers(&mut self) -> bool {
        match self.workers.take() {
            Some((running, _)) => {
                running.abort();
                true
            }
            None => false,
        }
    }
}
