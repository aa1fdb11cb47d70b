//! Subscriptions that begin in the past.

use drop_core::model::{NewDrop, Revision, Units};
use drop_core::{DropService, Reserve, Update};
use drop_store_memory::MemoryStore;

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
