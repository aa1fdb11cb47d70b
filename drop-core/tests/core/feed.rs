//! What a service tells of changes that another instance made, where no hint comes.

use std::sync::Arc;
use std::time::Duration;

use drop_core::conformance::Faulty;
use drop_core::model::{DropId, NewDrop, Timestamp, Units};
use drop_core::rules::{Batch, Command};
use drop_core::{DropService, ManualClock, Reserve, Store, StoreError, Update, Updates};
use drop_store_memory::MemoryStore;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::tapped::{Called, Tapped};

/// A service with its workers, which poll but once, over a store that tells it nothing; and the
/// store as another instance has it, with a drop that was there before.
async fn running() -> (MemoryStore, DropService, DropId) {
    let store = MemoryStore::with_clock(Arc::new(ManualClock::new(Timestamp::EPOCH)));
    let never = Duration::from_secs(1 << 31);
    let builder = DropService::builder(Faulty::new(Arc::new(store.clone())).deaf());
    let clock = Arc::new(ManualClock::new(Timestamp::EPOCH));
    let (service, workers) = builder.clock(clock).poll_every(never).sweep_every(never).build();
    let terms = service.terms("Air One", "149.99").unwrap();
    let id = store.create_drop(&NewDrop::plain(terms, Units::MAX).unwrap()).await.unwrap().id;
    elsewhere(&store, id, "early").await;
    tokio::spawn(workers.run(CancellationToken::new()));
    rest().await;
    (store, service, id)
}

/// Lets every task come to rest: there is no other thread.
async fn rest() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// A hold that another instance takes.
async fn elsewhere(store: &MemoryStore, id: DropId, who: &str) {
    let customer = who.parse().unwrap();
    let reserve = Command::Reserve { customer, variant: None, quantity: Units::ONE };
    let applied = store.apply(&Batch::one(id, reserve).unwrap()).await.unwrap();
    assert!(applied.change().is_some());
}

/// The revisions that are told by now; a present state in brackets.
async fn told(updates: &mut Updates) -> Vec<String> {
    rest().await;
    let mut told = Vec::new();
    while let Some(Some(update)) = updates.next().now_or_never() {
        told.push(match update {
            Update::Changed(change) => change.revision.get().to_string(),
            Update::Refreshed(present) => format!("[{}]", present.revision.get()),
            other => format!("{other:?}"),
        });
    }
    told
}

#[tokio::test]
async fn what_was_before_the_workers_ran_is_no_news() {
    let (_store, service, id) = running().await;
    let mut updates = service.subscribe();
    service.reserve(id, Reserve::one("ann")).await.unwrap();
    assert_eq!(told(&mut updates).await, ["3"]);
}

#[tokio::test]
async fn a_gap_before_ones_own_change_is_fetched() {
    let (store, service, id) = running().await;
    let mut updates = service.subscribe();
    elsewhere(&store, id, "bob").await;
    assert_eq!(told(&mut updates).await, Vec::<String>::new(), "nobody here knows of it");
    service.reserve(id, Reserve::one("ann")).await.unwrap();
    assert_eq!(told(&mut updates).await, ["3", "4"]);
}

#[tokio::test]
async fn a_gap_that_was_trimmed_is_the_present_state() {
    let (store, service, id) = running().await;
    let mut updates = service.subscribe();
    for who in ["bob", "cat", "dan"] {
        elsewhere(&store, id, who).await;
    }
    store.trim(1).await.unwrap();
    service.reserve(id, Reserve::one("ann")).await.unwrap();
    assert_eq!(told(&mut updates).await, ["[6]"]);
    service.reserve(id, Reserve::one("eve")).await.unwrap();
    assert_eq!(told(&mut updates).await, ["7"]);
}

/// A drop that another instance makes.
async fn made_elsewhere(store: &MemoryStore, service: &DropService) -> DropId {
    let terms = service.terms("Air Two", "9.99").unwrap();
    store.create_drop(&NewDrop::plain(terms, Units::MAX).unwrap()).await.unwrap().id
}

#[tokio::test]
async fn of_a_drop_that_another_instance_made_every_change_is_told() {
    let (store, service, _id) = running().await;
    let mut updates = service.subscribe();
    let made = made_elsewhere(&store, &service).await;
    elsewhere(&store, made, "bob").await;
    service.reserve(made, Reserve::one("ann")).await.unwrap();
    assert_eq!(told(&mut updates).await, ["1", "2", "3"]);
}

#[tokio::test]
async fn of_a_drop_that_was_read_every_change_is_told() {
    let (store, service, _id) = running().await;
    let mut updates = service.subscribe();
    let made = made_elsewhere(&store, &service).await;
    service.drop_snapshot(made).await.unwrap().unwrap();
    elsewhere(&store, made, "bob").await;
    service.reserve(made, Reserve::one("ann")).await.unwrap();
    assert_eq!(told(&mut updates).await, ["1", "2", "3"]);
}

#[tokio::test]
async fn without_workers_what_is_done_here_is_told_and_nothing_else() {
    let store = MemoryStore::new();
    let (service, _workers) = DropService::builder(store.clone()).build();
    let made = made_elsewhere(&store, &service).await;
    service.drop_snapshot(made).await.unwrap().unwrap();
    elsewhere(&store, made, "bob").await;
    let mut updates = service.subscribe();
    service.reserve(made, Reserve::one("ann")).await.unwrap();
    assert_eq!(told(&mut updates).await, ["3"]);
    service.delete_drop(made, true).await.unwrap();
    assert_eq!(told(&mut updates).await, [format!("Deleted({made:?})")]);
}

#[tokio::test]
async fn a_drop_whose_feed_cannot_be_read_keeps_no_other_from_its_turn() {
    let clock = Arc::new(ManualClock::new(Timestamp::EPOCH));
    let inner = MemoryStore::with_clock(clock.clone());
    let store = Tapped::new(inner.clone());
    let builder = DropService::builder(store.clone()).clock(clock.clone());
    let (service, workers) = builder.poll_every(Duration::from_secs(1)).build();
    let [bad, good, gone] = [
        made_elsewhere(&inner, &service).await,
        made_elsewhere(&inner, &service).await,
        made_elsewhere(&inner, &service).await,
    ];
    tokio::spawn(workers.run(CancellationToken::new()));
    rest().await;
    let mut updates = service.subscribe();
    elsewhere(&inner, bad, "bob").await;
    elsewhere(&inner, good, "bob").await;
    inner.delete_drop(gone, true).await.unwrap();
    store.fail(Called::Changes(bad), StoreError::corrupt("a row that cannot be"));
    clock.advance(Duration::from_secs(1)).await;
    let expected = ["2".to_owned(), format!("Deleted({gone:?})")];
    assert_eq!(told(&mut updates).await, expected, "of the others");
    clock.advance(Duration::from_secs(1)).await;
    assert_eq!(told(&mut updates).await, ["2"], "of the one that could not be read");
}
