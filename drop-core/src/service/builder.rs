//! Putting a service together.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SteadyClock};
use crate::model::HoldPolicy;
use crate::rules::Batch;
use crate::runtime::{Bus, Feed, Pace, Workers, Writer, WriterLimits};
use crate::store::Store;

use super::drop_service::DropService;

impl DropService {
    /// Begins a service on `store`.
    pub fn builder(store: impl Store) -> Builder {
        Builder::new(Arc::new(store))
    }

    /// Begins a service on a store that others hold too.
    pub fn builder_shared(store: Arc<dyn Store>) -> Builder {
        Builder::new(store)
    }
}

/// The settings of a [`DropService`].
#[derive(Debug)]
pub struct Builder {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    hold: HoldPolicy,
    pace: Pace,
    limits: WriterLimits,
    subscriber_capacity: usize,
}

impl Builder {
    fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            clock: Arc::new(SteadyClock::new()),
            hold: HoldPolicy::default(),
            pace: Pace {
                sweep: Duration::from_secs(5),
                poll: Duration::from_secs(1),
                keep_changes: 10_000,
            },
            limits: WriterLimits { lane_capacity: 16_384, batch: 256 },
            subscriber_capacity: 4096,
        }
    }

    /// How long a unit is held under [`DropService::terms`]. Default: 60 seconds, 300 at most.
    #[must_use]
    pub fn hold(mut self, hold: HoldPolicy) -> Self {
        self.hold = hold;
        self
    }

    /// What workers sleep by. Default: a [`SteadyClock`], so that the machine's may be wrong.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// How often to look for lapsed holds that nobody here heard of. Default: 5 s.
    #[must_use]
    pub const fn sweep_every(mut self, every: Duration) -> Self {
        self.pace.sweep = every;
        self
    }

    /// How often to look for other instances' changes that no hint told of. Default: 1 s.
    #[must_use]
    pub const fn poll_every(mut self, every: Duration) -> Self {
        self.pace.poll = every;
        self
    }

    /// How many changes of each drop the feed keeps, at least one. Default: 10,000.
    #[must_use]
    pub fn keep_changes(mut self, keep: u32) -> Self {
        self.pace.keep_changes = keep.max(1);
        self
    }

    /// How many commands may wait for one drop before it answers
    /// [`Busy`](crate::ServiceError::Busy). Default: 16,384.
    #[must_use]
    pub fn lane_capacity(mut self, commands: usize) -> Self {
        self.limits.lane_capacity = commands.max(1);
        self
    }

    /// How many commands one transaction takes, `1 ..= 1024`. Default: 256.
    #[must_use]
    pub fn batch(mut self, commands: usize) -> Self {
        self.limits.batch = commands.clamp(1, Batch::MAX_COMMANDS);
        self
    }

    /// How many updates are kept for a slow subscriber before it misses some. Default: 4096.
    #[must_use]
    pub fn subscriber_capacity(mut self, updates: usize) -> Self {
        self.subscriber_capacity = updates.max(1);
        self
    }

    /// The service, and the workers that the host runs beside it.
    pub fn build(self) -> (DropService, Workers) {
        let (bus, gaps) = Bus::new(self.subscriber_capacity);
        let bus = Arc::new(bus);
        let writer = Arc::new(Writer::new(self.store.clone(), bus.clone(), self.limits));
        let feed = Arc::new(Feed::new(self.store.clone(), bus.clone()));
        let workers = Workers::new(
            self.store.clone(),
            writer.clone(),
            bus.clone(),
            feed.clone(),
            self.clock,
            self.pace,
            gaps,
        );
        (DropService { store: self.store, writer, bus, feed, hold: self.hold }, workers)
    }
}
