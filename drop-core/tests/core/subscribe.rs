//! Subscriptions that begin in the past.

use drop_core::model::{NewDrop, Revision, Units};
use drop_core::{DropService, Reserve, Update};
use drop_store_memory::MemoryStore;
use futures::FutureExt;

use crate::tapped::{Called, Tapped};

#[tokio::test]
async fn a_revision_from_another_life_of_the_store_gets_the_present_state() {
    let (service, _workers) = DropService::builder(MemoryStore::new()).build();
    let terms = service.terms("Air One", "149.99").unwrap();
    let new = NewDrop::plain(terms, Units::MAX).unwrap();
    let id = service.create_drop(new).await.unwrap().id;
    let mut updates = service.subscribe_from(id, Revision::new(99)).await.unwrap();
    let Some(Update::Refreshed(present)) = updates.next().await else { panic!("the state") };
    assert_eq!(present.revision, Revision::FIRST);
    service.reserve(id, Reserve::one("ann")).await.unwrap();
    let Some(Update::Changed(change)) = updates.next().await else { panic!("a change") };
    assert_eq!(change.revision, Revision::new(2));
}

#[tokio::test]
async fn the_present_revision_gets_only_what_follows() {
    let (service, _workers) = DropService::builder(MemoryStore::new()).build();
    let terms = service.terms("Air One", "149.99").unwrap();
    let new = NewDrop::plain(terms, Units::MAX).unwrap();
    let id = service.create_drop(new).await.unwrap().id;
    let mut updates = service.subscribe_from(id, Revision::FIRST).await.unwrap();
    service.reserve(id, Reserve::one("ann")).await.unwrap();
    let Some(Update::Changed(change)) = updates.next().await else { panic!("a change") };
    assert_eq!(change.revision, Revision::new(2));
}

#[tokio::test]
async fn a_drop_that_is_gone_is_said_to_be_gone() {
    let (service, _workers) = DropService::builder(MemoryStore::new()).build();
    let terms = service.terms("Air One", "149.99").unwrap();
    let new = NewDrop::plain(terms, Units::MAX).unwrap();
    let id = service.create_drop(new).await.unwrap().id;
    service.delete_drop(id, false).await.unwrap();
    for since in [Revision::ZERO, Revision::FIRST, Revision::new(99)] {
        let mut updates = service.subscribe_from(id, since).await.unwrap();
        let told = updates.next().now_or_never().flatten();
        assert!(matches!(told, Some(Update::Deleted(gone)) if gone == id), "{since}: {told:?}");
    }
}

#[tokio::test]
async fn a_drop_that_goes_while_its_past_is_read_is_said_to_be_gone_once() {
    let store = Tapped::new(MemoryStore::new());
    let (service, _workers) = DropService::builder(store.clone()).build();
    let terms = service.terms("Air One", "149.99").unwrap();
    let new = NewDrop::plain(terms, Units::MAX).unwrap();
    let id = service.create_drop(new).await.unwrap().id;
    let mut held = store.hold_before(Called::Changes(id));
    let subscribing = service.subscribe_from(id, Revision::FIRST);
    let deleting = async {
        held.comes().await;
        service.delete_drop(id, false).await.unwrap();
        held.goes();
    };
    let (updates, ()) = futures::join!(subscribing, deleting);
    let mut updates = updates.unwrap();
    let first = updates.next().now_or_never().flatten();
    assert!(matches!(first, Some(Update::Deleted(gone)) if gone == id), "{first:?}");
    assert!(updates.next().now_or_never().is_none(), "and nothing more");
}
