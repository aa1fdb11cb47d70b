//! [`Lapse`]: holds that all lapse at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use drop_core::model::{DropId, HoldPolicy, Status, Timestamp};
use drop_core::{DropService, Reserve, Update, Updates, Workers};
use tokio_util::sync::CancellationToken;

use crate::drops::new_drop;
use crate::load::load;
use crate::report::{Round, Waits};
use crate::shops::usernames;
use crate::stores::{Kind, Stores, Time};

/// A drop full of holds, in a store whose time stands still; nobody has settled any yet.
#[derive(Debug)]
pub struct Lapse {
    service: DropService,
    workers: Workers,
    drop_id: DropId,
    time: Time,
    holds: usize,
    _stores: Stores,
}

/// What became of them.
#[derive(Clone, Debug)]
pub struct Settled {
    /// From when they lapsed until the last was settled.
    pub took: Duration,
    /// How long after they lapsed a reader was told that all units are available.
    pub seen: Duration,
    /// What those waited who reserved meanwhile.
    pub waits: Vec<Duration>,
}

impl Settled {
    /// As a round: holds settled a second.
    #[must_use]
    pub fn rate(&self, holds: usize) -> Round {
        let round = Round::rate(u64::try_from(holds).unwrap_or(0), self.took);
        let waits = (!self.waits.is_empty()).then(|| Waits::of(self.waits.iter().copied()));
        Round { waits, ..round }
    }
}

impl Lapse {
    /// How long a hold lasts. The time stands still, so all end in the same microsecond.
    const HOLD: Duration = Duration::from_secs(60);
    /// When the time stands still.
    const BEGIN: Timestamp = Timestamp::EPOCH;
    /// For all holds of a round; far from what is asked for.
    const PATIENCE: Duration = Duration::from_secs(120);

    /// Takes `holds` holds of one drop, by `callers` at a time.
    ///
    /// # Panics
    /// Where the store fails.
    pub async fn prepare(kind: Kind, callers: usize, holds: usize) -> Self {
        let mut stores = Stores::default();
        let (store, time) = stores.open_at(kind, Self::BEGIN).await;
        let policy = HoldPolicy::new(Self::HOLD, Self::HOLD).expect("a policy");
        let (service, workers) = DropService::builder_shared(store).hold(policy).build();
        let drop_id = service.create_drop(new_drop(policy)).await.expect("a drop").id;
        let asked = service.clone();
        load(callers, usernames(holds), move |username| {
            let service = asked.clone();
            async move { service.reserve(drop_id, Reserve::one(username)).await.expect("a hold") }
        })
        .await;
        Self { service, workers, drop_id, time, holds, _stores: stores }
    }

    /// Lets them lapse, lets the workers settle them, and lets `callers` reserve all the while.
    ///
    /// # Panics
    /// Where a lapsed unit is not available at once, or the rows are not sound in the end.
    pub async fn settle(self, callers: usize) -> Settled {
        let Self { service, workers, drop_id, time, holds, _stores } = self;
        let updates = service.subscribe();
        let ended = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(AtomicU32::new(0));
        time.set(Self::BEGIN.saturating_add(Self::HOLD)).await;
        let began = Instant::now();
        let cancel = CancellationToken::new();
        let working = tokio::spawn(workers.run(cancel.clone()));
        let buyers: Vec<_> = (0..callers)
            .map(|_| tokio::spawn(buy(service.clone(), drop_id, asked.clone(), ended.clone())))
            .collect();
        let reading = tokio::spawn({
            let (service, asked) = (service.clone(), asked.clone());
            async move {
                let snapshot = service.drop_snapshot(drop_id).await.expect("a read");
                let stock = snapshot.expect("the drop").stock();
                // What was bought meanwhile, and nothing of what has lapsed.
                let most = asked.load(Ordering::SeqCst);
                assert!(stock.held().get() <= most, "lapsed units are available: {stock:?}");
                began.elapsed()
            }
        });
        let told = tokio::time::timeout(Self::PATIENCE, all_expired(updates, holds)).await;
        let took = told.expect("settled in time").duration_since(began);
        ended.store(true, Ordering::Relaxed);
        let mut waits = Vec::new();
        for buyer in buyers {
            waits.append(&mut buyer.await.expect("a buyer"));
        }
        let seen = reading.await.expect("the reader");
        let audit = service.audit(drop_id).await.expect("a sound drop");
        let held: u64 = audit.variants.iter().map(|variant| variant.held).sum();
        assert_eq!(usize::try_from(held), Ok(waits.len()), "{audit:?}");
        cancel.cancel();
        working.await.expect("the workers");
        Settled { took, seen, waits }
    }
}

/// Reserves one after the other, as a new customer each time.
async fn buy(
    service: DropService,
    drop_id: DropId,
    asked: Arc<AtomicU32>,
    ended: Arc<AtomicBool>,
) -> Vec<Duration> {
    let mut waits = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        for username in usernames(1) {
            asked.fetch_add(1, Ordering::SeqCst);
            let since = Instant::now();
            service.reserve(drop_id, Reserve::one(username)).await.expect("a hold");
            waits.push(since.elapsed());
        }
    }
    waits
}

/// When the last of so many holds was told to be expired.
async fn all_expired(mut updates: Updates, holds: usize) -> Instant {
    let mut expired = 0;
    while expired < holds {
        match updates.next().await.expect("the service") {
            Update::Changed(change) => {
                let rows = change.updated.iter();
                expired += rows.filter(|row| row.status() == Status::Expired).count();
            }
            Update::Missed(missed) => assert_eq!(missed, 0, "a change was missed"),
            _ => {}
        }
    }
    Instant::now()
}
