//! Edges of windows are announced, each once, whatever happens beside.

use std::sync::Arc;
use std::time::Duration;

use drop_core::model::{DropId, DropName, NewDrop, Timestamp, Units, Window};
use drop_core::{Amendment, DropService, ManualClock, Update, Updates};
use drop_store_memory::MemoryStore;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::tapped::{Called, Tapped};

const HOUR: Duration = Duration::from_secs(3600);

/// A drop that opens in an hour and closes in two.
async fn upcoming(service: &DropService) -> DropId {
    let mut terms = service.terms("Air One", "149.99").unwrap();
    let opens = Timestamp::EPOCH.saturating_add(HOUR);
    terms.window = Window::new(opens, Some(opens.saturating_add(HOUR))).unwrap();
    service.create_drop(NewDrop::plain(terms, Units::ONE).unwrap()).await.unwrap().id
}

/// Lets every task come to rest: there is no other thread.
async fn rest() {
    for _ in 0..300 {
        tokio::task::yield_now().await;
    }
}

/// How often a drop was said to open and to close.
async fn edges(updates: &mut Updates) -> (usize, usize) {
    rest().await;
    let (mut opened, mut ended) = (0, 0);
    while let Some(Some(update)) = updates.next().now_or_never() {
        match update {
            Update::Opened(_) => opened += 1,
            Update::Ended(_) => ended += 1,
            _ => {}
        }
    }
    (opened, ended)
}

#[tokio::test]
async fn an_edge_that_comes_while_windows_are_read_again_is_announced() {
    let clock = Arc::new(ManualClock::new(Timestamp::EPOCH));
    let store = Tapped::new(MemoryStore::with_clock(clock.clone()));
    let (service, workers) = DropService::builder(store.clone()).clock(clock.clone()).build();
    upcoming(&service).await;
    // Drops to come and open ones are read when it starts, and again once the feed has been met.
    store.pass(Called::Snapshots);
    store.pass(Called::Snapshots);
    let mut held = store.hold_before(Called::Snapshots);
    let mut updates = service.subscribe();
    tokio::spawn(workers.run(CancellationToken::new()));
    held.comes().await;
    clock.advance(HOUR).await;
    held.goes();
    rest().await;
    // Whoever sleeps for no time at all wakes by this.
    clock.advance(Duration::ZERO).await;
    assert_eq!(edges(&mut updates).await, (1, 0));
    clock.advance(HOUR).await;
    assert_eq!(edges(&mut updates).await, (0, 1));
}

#[tokio::test]
async fn an_edge_that_was_heard_of_twice_is_announced_once() {
    let times = Arc::new(ManualClock::new(Timestamp::EPOCH));
    let store = MemoryStore::with_clock(times.clone());
    let clock = Arc::new(ManualClock::new(Timestamp::EPOCH));
    let (service, workers) = DropService::builder(store).clock(clock.clone()).build();
    tokio::spawn(workers.run(CancellationToken::new()));
    rest().await;
    let id = upcoming(&service).await;
    rest().await;
    // A moment later by this instance's clock than by the store's: the news were on their way.
    clock.advance(Duration::from_micros(7)).await;
    let renamed =
        Amendment { name: Some(DropName::new("Air Two").unwrap()), ..Amendment::default() };
    service.amend_drop(id, renamed).await.unwrap();
    rest().await;
    let mut updates = service.subscribe();
    for expected in [(1, 0), (0, 1)] {
        times.advance(HOUR).await;
        clock.advance(HOUR).await;
        assert_eq!(edges(&mut updates).await, expected);
    }
}
