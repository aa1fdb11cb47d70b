//! What sellers are told where something happens beside them.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use drop_core::conformance::history::Answer;
use drop_core::conformance::{Fault, Faulty};
use drop_core::model::{DropId, NewDrop, Timestamp, Units};
use drop_core::store::Deletion;
use drop_core::{
    Amendment, DropService, ManualClock, Rejection, Reserve, ServiceError, Store, StoreError,
    Update,
};
use drop_store_memory::MemoryStore;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::tapped::{Called, Tapped};

async fn stocked(service: &DropService) -> DropId {
    let terms = service.terms("Air One", "149.99").unwrap();
    service.create_drop(NewDrop::plain(terms, Units::MAX).unwrap()).await.unwrap().id
}

/// Lets every task come to rest: there is no other thread.
async fn rest() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_took_part_in_deleting_a_user_is_told_that_it_is_done() {
    let inner = MemoryStore::new();
    let store = Tapped::new(inner.clone());
    let (service, _workers) = DropService::builder(store.clone()).build();
    let id = stocked(&service).await;
    service.reserve(id, Reserve::one("ann")).await.unwrap();
    store.pass(Called::DeleteUser);
    let mut held = store.hold_before(Called::DeleteUser);
    let deleting = service.delete_user("ann", true);
    let another = async {
        held.comes().await;
        let deletion = inner.delete_user(&"ann".parse().unwrap()).await.unwrap();
        assert_eq!(deletion, Deletion::Deleted);
        held.goes();
    };
    let (told, ()) = futures::join!(deleting, another);
    told.unwrap();
    let again = service.delete_user("ann", true).await;
    assert!(matches!(again, Err(ServiceError::Rejected(Rejection::UserNotFound))), "{again:?}");
}

#[tokio::test]
async fn whatever_fails_after_a_commit_leaves_it_unknown() {
    let store = Tapped::new(MemoryStore::new());
    let (service, _workers) = DropService::builder(store.clone()).build();
    let id = stocked(&service).await;
    let cause = || Arc::new(std::io::Error::other("cut"));
    let faults = [
        StoreError::Contended(cause()),
        StoreError::Unavailable(cause()),
        StoreError::Unknown(cause()),
        StoreError::Corrupt(cause()),
        StoreError::Backend(cause()),
    ];
    for (more, fault) in (1..).zip(faults) {
        store.fail(Called::Snapshot, fault.clone());
        let total = Some(Units::new(more).unwrap());
        let amendment = Amendment { total, ..Amendment::default() };
        let told = service.amend_drop(id, amendment).await.unwrap_err();
        assert_eq!(Answer::from(&told), Answer::Unknown, "{fault:?}: {told:?}");
        let mut causes = Vec::new();
        let mut source = told.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        assert_eq!(causes.last().map(String::as_str), Some("cut"), "{fault:?}: {causes:?}");
        let present = service.drop_snapshot(id).await.unwrap().unwrap();
        assert_eq!(present.stock().total().get(), u32::try_from(more).unwrap(), "it is amended");
    }
}

#[tokio::test]
async fn a_drop_that_was_stopped_and_is_deleted_is_not_there() {
    let inner = MemoryStore::new();
    let store = Faulty::new(Arc::new(inner.clone()));
    let (service, _workers) = DropService::builder(store.clone()).build();
    let here = stocked(&service).await;
    let elsewhere = stocked(&service).await;
    for id in [here, elsewhere] {
        store.plan(Fault::Fail(StoreError::corrupt("a row that cannot be")));
        service.reserve(id, Reserve::one("ann")).await.unwrap_err();
        let stopped = service.reserve(id, Reserve::one("ann")).await;
        assert!(matches!(stopped, Err(ServiceError::Store(StoreError::Corrupt(_)))), "{stopped:?}");
    }
    inner.delete_drop(elsewhere, true).await.unwrap();
    service.delete_drop(here, true).await.unwrap();
    service.delete_drop(elsewhere, true).await.unwrap_err();
    for id in [here, elsewhere] {
        let gone = service.reserve(id, Reserve::one("ann")).await;
        assert!(matches!(gone, Err(ServiceError::Rejected(Rejection::DropNotFound))), "{gone:?}");
    }
}

#[tokio::test]
async fn a_reader_who_was_slower_than_the_deletion_has_it_told_but_once() {
    let clock = Arc::new(ManualClock::new(Timestamp::EPOCH));
    let store = Tapped::new(MemoryStore::with_clock(clock.clone()));
    let builder = DropService::builder(store.clone()).clock(clock.clone());
    let (service, workers) = builder.poll_every(Duration::from_secs(1)).build();
    tokio::spawn(workers.run(CancellationToken::new()));
    let id = stocked(&service).await;
    rest().await;
    let mut updates = service.subscribe();
    let mut held = store.hold_after(Called::Snapshot);
    let deleting = async {
        held.comes().await;
        service.delete_drop(id, false).await.unwrap();
        held.goes();
    };
    let (read, ()) = futures::join!(service.drop_snapshot(id), deleting);
    assert!(read.unwrap().is_some(), "it was there when it was read");
    for _ in 0..3 {
        clock.advance(Duration::from_secs(1)).await;
        rest().await;
    }
    let first = updates.next().now_or_never().flatten();
    assert!(matches!(first, Some(Update::Deleted(gone)) if gone == id), "{first:?}");
    let second = updates.next().now_or_never();
    assert!(second.is_none(), "said twice: {second:?}");
}
