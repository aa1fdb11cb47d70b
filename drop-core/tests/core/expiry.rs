//! Every hold is settled at its own deadline, however the deadline came to be known.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use drop_core::model::{DropId, HoldPolicy, NewDrop, Status, Timestamp, Units};
use drop_core::rules::{Batch, Command};
use drop_core::{Clock, DropService, ManualClock, Reserve, Store};
use drop_store_memory::MemoryStore;
use tokio_util::sync::CancellationToken;

/// A clock of an instance that can be set wrong, and sleeps as long as it should.
#[derive(Debug)]
struct WrongClock {
    clock: Arc<ManualClock>,
    behind: Mutex<Duration>,
}

#[async_trait]
impl Clock for WrongClock {
    fn now(&self) -> Timestamp {
        let behind = *self.behind.lock().unwrap();
        Timestamp::EPOCH.saturating_add(self.clock.now().since(Timestamp::EPOCH) - behind)
    }

    async fn sleep(&self, span: Duration) {
        self.clock.sleep(span).await;
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// A store with one drop, whose time is the clock's.
async fn stocked(policy: HoldPolicy) -> (MemoryStore, Arc<ManualClock>, DropService, DropId) {
    let clock = Arc::new(ManualClock::new(Timestamp::EPOCH));
    let store = MemoryStore::with_clock(clock.clone());
    let (service, _workers) = DropService::builder(store.clone()).hold(policy).build();
    let terms = service.terms("Air One", "149.99").unwrap();
    let id = service.create_drop(NewDrop::plain(terms, Units::MAX).unwrap()).await.unwrap().id;
    (store, clock, service, id)
}

/// Workers of another service on the store; the sweep is so rare that it comes but once.
fn work(store: &MemoryStore, clock: &Arc<ManualClock>) -> CancellationToken {
    let builder = DropService::builder(store.clone()).clock(clock.clone());
    let (_service, workers) = builder.sweep_every(1000 * SECOND).build();
    let cancel = CancellationToken::new();
    tokio::spawn(workers.run(cancel.clone()));
    cancel
}

/// Lets every task come to rest: there is no other thread.
async fn rest() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// How many reservations of the drop are written down as expired.
async fn settled(store: &MemoryStore, id: DropId) -> usize {
    let mut settled = 0;
    for number in 1..=8 {
        let id = drop_core::model::ReservationId::new(id, number).unwrap();
        let reading = store.reservation(id).await.unwrap();
        settled += usize::from(reading.is_some_and(|r| r.reservation.status() == Status::Expired));
    }
    settled
}

#[tokio::test]
async fn holds_from_before_the_start_are_settled_one_by_one() {
    let policy = HoldPolicy::seconds(10);
    let (store, clock, service, id) = stocked(policy).await;
    for shopper in 0..3 {
        service.reserve(id, Reserve::one(format!("shopper_{shopper}"))).await.unwrap();
        clock.advance(SECOND).await;
    }
    let _working = work(&store, &clock);
    rest().await;
    // Deadlines at 10, 11 and 12 seconds; it is 3 now.
    clock.advance(6 * SECOND).await;
    for expected in 0..=3 {
        rest().await;
        assert_eq!(settled(&store, id).await, expected, "at {}", 9 + expected);
        clock.advance(SECOND).await;
    }
}

#[tokio::test]
async fn every_deadline_of_one_change_is_kept() {
    let policy = HoldPolicy::new(6 * SECOND, 7 * SECOND).unwrap();
    let (store, clock, service, id) = stocked(policy).await;
    let _working = work(&store, &clock);
    rest().await;
    service.reserve(id, Reserve::one("ann")).await.unwrap();
    clock.advance(5 * SECOND).await;
    // One change: ann's hold can only reach second 7, bob's reaches 11.
    let reserve = |name: &str| Command::Reserve {
        customer: name.parse().unwrap(),
        variant: None,
        quantity: Units::ONE,
    };
    let both = Batch::new(id, vec![reserve("ann"), reserve("bob")]).unwrap();
    store.apply(&both).await.unwrap();
    rest().await;
    for (seconds, expected) in [(1, 0), (1, 1), (3, 1), (1, 2)] {
        clock.advance(seconds * SECOND).await;
        rest().await;
        assert_eq!(settled(&store, id).await, expected, "at {:?}", clock);
    }
}

/// The instance's clock jumps back by an hour in the middle of a hold: the next sweep sees that
/// the deadline is nearer than was noted.
#[tokio::test]
async fn an_instance_whose_clock_jumps_back_settles_with_the_next_sweep() {
    let (store, clock, service, id) = stocked(HoldPolicy::seconds(10)).await;
    // By its clock it is an hour later than it is, until that is set right.
    clock.advance(3600 * SECOND).await;
    let wrong = Arc::new(WrongClock { clock: clock.clone(), behind: Mutex::default() });
    let builder = DropService::builder(store.clone()).clock(wrong.clone());
    let (_service, workers) = builder.sweep_every(4 * SECOND).build();
    tokio::spawn(workers.run(CancellationToken::new()));
    rest().await;
    service.reserve(id, Reserve::one("ann")).await.unwrap();
    clock.advance(SECOND).await;
    rest().await;
    *wrong.behind.lock().unwrap() = 3600 * SECOND;
    for _ in 0..14 {
        clock.advance(SECOND).await;
        rest().await;
    }
    assert_eq!(settled(&store, id).await, 1, "at {clock:?}");
}

#[tokio::test]
async fn deadlines_that_were_missed_are_looked_up() {
    let clock = Arc::new(ManualClock::new(Timestamp::EPOCH));
    let store = MemoryStore::with_clock(clock.clone());
    let builder = DropService::builder(store.clone()).hold(HoldPolicy::seconds(10));
    let builder = builder.clock(clock.clone()).sweep_every(1000 * SECOND).subscriber_capacity(2);
    let (service, workers) = builder.build();
    let mut drops = Vec::new();
    for _ in 0..8 {
        let terms = service.terms("Air One", "149.99").unwrap();
        let new = NewDrop::plain(terms, Units::MAX).unwrap();
        drops.push(service.create_drop(new).await.unwrap().id);
    }
    tokio::spawn(workers.run(CancellationToken::new()));
    rest().await;
    // All at once: more changes than are kept for a subscriber who comes to hear of them after.
    let all = drops.iter().map(|id| service.reserve(*id, Reserve::one("ann")));
    for reserved in futures::future::join_all(all).await {
        reserved.unwrap();
    }
    rest().await;
    clock.advance(10 * SECOND).await;
    rest().await;
    for id in drops {
        assert_eq!(settled(&store, id).await, 1, "{id}");
    }
}

#[tokio::test]
async fn an_expiry_that_comes_before_its_deadline_comes_again() {
    let (store, clock, service, id) = stocked(HoldPolicy::seconds(10)).await;
    // These workers' time is their own, and runs ahead of the store's.
    let ahead = Arc::new(ManualClock::new(Timestamp::EPOCH));
    let _working = work(&store, &ahead);
    rest().await;
    service.reserve(id, Reserve::one("ann")).await.unwrap();
    rest().await;
    for _ in 0..3 {
        ahead.advance(10 * SECOND).await;
        rest().await;
        assert_eq!(settled(&store, id).await, 0);
    }
    clock.advance(10 * SECOND).await;
    ahead.advance(10 * SECOND).await;
    rest().await;
    assert_eq!(settled(&store, id).await, 1);
}
