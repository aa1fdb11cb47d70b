//! Instances that do not agree about the time, and one that falls silent at the wrong moment.

use std::sync::Arc;
use std::time::Duration;

use drop_core::conformance::{Fault, Faulty, START};
use drop_core::model::{DropId, NewDrop, Revision, Status, Timestamp, Units};
use drop_core::{
    DropService, ManualClock, Rejection, Reserve, ServiceError, Store, StoreError, Update,
};
use drop_store_memory::MemoryStore;
use tokio_util::sync::{CancellationToken, DropGuard};

/// What has to come, comes within this; only what hangs takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// An instance by a clock of its own; it stops when the guard goes.
fn instance(store: Arc<dyn Store>, clock: &Arc<ManualClock>) -> (DropService, DropGuard) {
    let (service, workers) = DropService::builder_shared(store).clock(clock.clone()).build();
    let stop = CancellationToken::new();
    tokio::spawn(workers.run(stop.clone()));
    (service, stop.drop_guard())
}

async fn plain(service: &DropService, total: i64) -> DropId {
    let terms = service.terms("Air One", "149.99").unwrap();
    let new = NewDrop::plain(terms, Units::new(total).unwrap()).unwrap();
    service.create_drop(new).await.unwrap().id
}

/// Lets every task come to rest: there is no other thread.
async fn rest() {
    for _ in 0..300 {
        tokio::task::yield_now().await;
    }
}

fn minutes(count: i64) -> Timestamp {
    Timestamp::from_micros(START.as_micros() + count * 60_000_000).unwrap()
}

#[tokio::test]
async fn two_instances_minutes_apart_go_by_the_stores_time() {
    let truth = Arc::new(ManualClock::new(START));
    let store = MemoryStore::with_clock(truth.clone());
    let clocks = [minutes(7), minutes(-5)].map(|at| Arc::new(ManualClock::new(at)));
    let [(ahead, _one), (behind, _other)] =
        clocks.each_ref().map(|clock| instance(Arc::new(store.clone()), clock));
    let id = plain(&ahead, 1).await;
    rest().await;
    let pass = async |clocks: [&Arc<ManualClock>; 3], span: Duration| {
        for clock in clocks {
            clock.advance(span).await;
            rest().await;
        }
    };
    let hold = behind.reserve(id, Reserve::one("ann")).await.unwrap();
    assert_eq!(hold.reservation.expires_at(), START.saturating_add(Duration::from_secs(60)));
    // One tick before the deadline both see it held, whatever their own clocks say.
    let almost = Duration::from_micros(59_999_999);
    pass([&clocks[0], &clocks[1], &truth], almost).await;
    for service in [&ahead, &behind] {
        let refused = service.reserve(id, Reserve::one("bob")).await.unwrap_err();
        assert!(matches!(refused, ServiceError::Rejected(Rejection::OutOfStock)), "{refused:?}");
    }
    // At it the hold is written down as expired, by whoever's timer it was.
    pass([&truth, &clocks[0], &clocks[1]], Duration::from_micros(1)).await;
    let reading = store.reservation(hold.id()).await.unwrap().unwrap();
    assert_eq!(reading.reservation.status(), Status::Expired);
    let bobs = ahead.reserve(id, Reserve::one("bob")).await.unwrap();
    assert_eq!(bobs.as_of, START.saturating_add(Duration::from_secs(60)));
    behind.purchase(bobs.id(), "bob").await.unwrap();
}

#[tokio::test]
async fn a_crash_between_commit_and_broadcast_is_made_up_for() {
    let clock = Arc::new(ManualClock::new(START));
    let store = MemoryStore::with_clock(clock.clone());
    let faulty = Faulty::new(Arc::new(store.clone()));
    let (dying, _one) = instance(Arc::new(faulty.clone()), &clock);
    let (living, _other) = instance(Arc::new(store.clone()), &clock);
    // What there was before an instance begins is no news to it.
    rest().await;
    let mut watchers = [dying.subscribe(), living.subscribe()];
    let id = plain(&dying, 2).await;
    // Committed, and then nothing of it comes back to the instance that asked.
    let lost = StoreError::Unknown(Arc::new(std::io::Error::other("cut")));
    faulty.plan(Fault::LoseAnswer(lost));
    dying.reserve(id, Reserve::one("ann")).await.unwrap_err();
    let next = living.reserve(id, Reserve::one("bob")).await.unwrap();
    assert_eq!(next.revision, Revision::new(3), "the lost one is revision 2");
    // Watchers of both hear all three, each once and in order.
    for watcher in &mut watchers {
        for revision in 1..=3 {
            let update = tokio::time::timeout(PATIENCE, watcher.next()).await;
            match update.expect("it never came").unwrap() {
                Update::Changed(change) => assert_eq!(change.revision.get(), revision),
                other => panic!("{other:?}, not revision {revision}"),
            }
        }
    }
}
