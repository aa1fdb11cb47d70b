//! The list of drops is kept while it is true, and not a moment longer.
//!
//! The clock stands still and no worker runs, so that nothing but the list itself notices.

use std::sync::Arc;
use std::time::Duration;

use drop_core::conformance::{Fault, Faulty};
use drop_core::model::{DropId, NewDrop, Timestamp, Units};
use drop_core::{Amendment, DropService, Reserve, StoreError};
use drop_store_memory::MemoryStore;
use futures::FutureExt;
use futures::future::{join, join_all};
use serde_json::{Value, json};

use crate::support::{Shop, clock, still_shop_on};

const NEAR: Duration = Duration::from_millis(200);
const TICK: Duration = Duration::from_micros(1);

/// A shop, its store, which fails where it is told to, and another instance on the same store.
fn still() -> (Shop, Faulty, DropService) {
    let clock = clock();
    let memory = Arc::new(MemoryStore::with_clock(clock.clone()));
    let store = Faulty::new(memory.clone());
    let (other, _) = DropService::builder_shared(memory).clock(clock.clone()).build();
    (still_shop_on(Arc::new(store.clone()), clock), store, other)
}

fn new_drop(shop: &Shop) -> NewDrop {
    NewDrop::plain(shop.service.terms("Air One", "149.99").unwrap(), Units::new(3).unwrap())
        .unwrap()
}

fn drop_id(id: i64) -> DropId {
    DropId::new(id).unwrap()
}

async fn list(shop: &Shop) -> Vec<Value> {
    let body: Value = shop.get("/api/drops").await.json();
    body["drops"].as_array().unwrap().clone()
}

async fn available(shop: &Shop) -> Vec<Value> {
    list(shop).await.iter().map(|one| one["availableStock"].clone()).collect()
}

fn later(shop: &Shop, span: Duration) {
    shop.clock.jump(at(shop, span));
}

/// So long from now.
fn at(shop: &Shop, span: Duration) -> Timestamp {
    use drop_core::Clock;
    shop.clock.now().saturating_add(span)
}

#[tokio::test]
async fn what_is_kept_needs_no_store() {
    let (shop, store, _) = still();
    shop.plain(3).await;
    let first = shop.get("/api/drops").await;
    let away = StoreError::Unavailable(Arc::new(std::io::Error::other("away")));
    store.fail_all(Some(Fault::Fail(away)));
    let again = shop.get("/api/drops").await;
    assert_eq!((again.status_code(), again.text()), (first.status_code(), first.text()));
    assert_eq!(again.header("etag"), first.header("etag"));
    let known = shop.get("/api/drops").add_header("if-none-match", first.header("etag")).await;
    assert_eq!((known.status_code().as_u16(), known.text().as_str()), (304, ""));
    // Others ask for other lists, and those are read.
    assert_eq!(shop.get("/api/drops?status=all").await.status_code(), 503);
    assert_eq!(shop.get("/api/drops?limit=99").await.status_code(), 503);
}

/// Not through this router: whoever holds the service.
#[tokio::test]
async fn who_was_told_is_shown_no_less() {
    let (shop, ..) = still();
    let service = &shop.service;
    assert!(list(&shop).await.is_empty());
    let id = service.create_drop(new_drop(&shop)).await.unwrap().id;
    let shown = async |what: &str, revision: u64| {
        let list = list(&shop).await;
        assert_eq!(list[0]["version"], revision, "after {what}");
    };
    shown("creating", 1).await;
    let held = service.reserve(id, Reserve::one("ann")).await.unwrap();
    shown("reserving", held.revision.get()).await;
    let sold = service.purchase(held.id(), "ann").await.unwrap();
    shown("purchasing", sold.revision.get()).await;
    let held = service.reserve(id, Reserve::one("bob")).await.unwrap();
    shown("reserving again", held.revision.get()).await;
    let freed = service.release(held.id(), "bob").await.unwrap();
    shown("releasing", freed.revision.get()).await;
    let more = Amendment { total: Some(Units::new(9).unwrap()), ..Amendment::default() };
    let amended = service.amend_drop(id, more).await.unwrap();
    shown("amending", amended.revision.get()).await;
    service.delete_user("ann", true).await.unwrap();
    assert_eq!(list(&shop).await[0]["soldCount"], 0);
    service.delete_drop(id, true).await.unwrap();
    assert!(list(&shop).await.is_empty());
}

#[tokio::test]
async fn a_fault_that_may_have_been_a_commit_makes_it_be_read_again() {
    let (shop, store, other) = still();
    let id = shop.plain(3).await;
    assert_eq!(available(&shop).await, [3]);
    // As if this one's own commit had gone through and its answer had not come back.
    other.reserve(drop_id(id), Reserve::one("ann")).await.unwrap();
    let lost = StoreError::Unknown(Arc::new(std::io::Error::other("lost")));
    store.fail_all(Some(Fault::Fail(lost)));
    assert_eq!(shop.reserve(id, "ann").await.status_code(), 503);
    store.fail_all(None);
    assert_eq!(available(&shop).await, [2]);
}

/// Each would wait for the store's own patience, one behind the other.
#[tokio::test]
async fn who_waited_for_a_reading_that_failed_is_told_so_at_once() {
    let clock = clock();
    let hangs = Faulty::new(Arc::new(MemoryStore::with_clock(clock.clone())));
    let fails = Faulty::new(Arc::new(hangs.clone()));
    let shop = still_shop_on(Arc::new(fails.clone()), clock);
    hangs.fail_all(Some(Fault::Hang));
    fails.fail_all(Some(Fault::LoseAnswer(StoreError::Unavailable(Arc::new(
        std::io::Error::other("away"),
    )))));
    let asked = join_all((0..8).map(async |_| shop.get("/api/drops").await));
    let all_wait = async {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        hangs.fail_all(None);
    };
    let (answers, ()) = join(asked, all_wait).await;
    assert!(answers.iter().all(|answer| answer.status_code() == 503));
    assert!(fails.looked(1).now_or_never().is_some());
    assert!(fails.looked(1).now_or_never().is_none(), "it was read again for who waited");
    // Who comes later asks again.
    fails.fail_all(None);
    assert!(list(&shop).await.is_empty());
}

#[tokio::test]
async fn a_hold_that_lapses_is_available_in_that_moment() {
    let (shop, ..) = still();
    let id = shop.plain(3).await;
    shop.hold(id, "ann").await;
    // The list lasts for less than a hold does: it is read just before the deadline.
    later(&shop, Duration::from_secs(60) - NEAR);
    assert_eq!(available(&shop).await, [2]);
    later(&shop, NEAR - TICK);
    assert_eq!(available(&shop).await, [2]);
    later(&shop, TICK);
    assert_eq!(available(&shop).await, [3]);
}

#[tokio::test]
async fn windows_open_and_close_in_that_moment() {
    let (shop, ..) = still();
    let (opens, closes) = (at(&shop, NEAR), at(&shop, 2 * NEAR));
    let body = json!({
        "name": "Air One", "price": 1, "totalStock": 3,
        "startsAt": opens.to_string(), "endsAt": closes.to_string(),
    });
    let id = shop.create(body).await["id"].clone();
    for (span, expected) in [(NEAR - TICK, 0), (TICK, 1), (NEAR - TICK, 1), (TICK, 0)] {
        let before = list(&shop).await.len();
        later(&shop, span);
        assert_eq!(list(&shop).await.len(), expected, "after {span:?}, and before it {before}");
    }
    // Opened again, a little later.
    let body = json!({"startsAt": at(&shop, NEAR).to_string(), "endsAt": null});
    let amended = crate::support::admin(shop.patch(&format!("/api/drops/{id}"), &body)).await;
    assert_eq!(amended.status_code(), 200, "{}", amended.text());
    assert!(list(&shop).await.is_empty());
    later(&shop, NEAR);
    assert_eq!(list(&shop).await.len(), 1);
}

/// Another instance's change, of which no news comes.
#[tokio::test]
async fn what_nobody_told_of_is_seen_within_a_second() {
    let (shop, _, other) = still();
    let id = shop.plain(3).await;
    assert_eq!(available(&shop).await, [3]);
    other.reserve(drop_id(id), Reserve::one("ann")).await.unwrap();
    later(&shop, Duration::from_secs(1));
    assert_eq!(available(&shop).await, [2]);
}

#[tokio::test]
async fn who_was_shown_another_instances_change_is_shown_no_less() {
    let (shop, _, other) = still();
    let id = shop.plain(3).await;
    assert_eq!(available(&shop).await, [3]);
    let held = other.reserve(drop_id(id), Reserve::one("ann")).await.unwrap();
    let one: Value = shop.get(&format!("/api/drops/{id}")).await.json();
    assert_eq!(one["version"], held.revision.get());
    assert_eq!(list(&shop).await[0]["version"], held.revision.get());
}

#[tokio::test]
async fn whose_holds_are_shown_is_who_asks() {
    let (shop, ..) = still();
    let id = shop.plain(3).await;
    let everybody = shop.get("/api/drops").await;
    let nobody = shop.get("/api/drops?username=ann").await;
    assert_eq!(nobody.text(), everybody.text());
    assert_eq!(nobody.header("cache-control"), "private, no-cache");
    let hold = shop.hold(id, "ann").await;
    let hers: Value = shop.get("/api/drops?username=ann").await.json();
    assert_eq!(hers["drops"][0]["userReservation"]["id"], hold);
    for path in ["/api/drops", "/api/drops?username=bob"] {
        let others: Value = shop.get(path).await.json();
        assert_eq!(others["drops"][0]["userReservation"], Value::Null, "{path}");
        assert_eq!(others["drops"][0]["version"], hers["drops"][0]["version"]);
    }
}
