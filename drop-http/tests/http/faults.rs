//! A store that fails: what the client is told, and what not.

use std::sync::Arc;
use std::time::Duration;

use drop_core::StoreError;
use drop_core::conformance::{Fault, Faulty};
use drop_store_memory::MemoryStore;
use serde_json::json;

use crate::support::{Shop, clock, refused, refused_saying, shop_on};

const SECRET: &str = "postgres://admin:hunter2@db";

/// A shop on a memory store that fails as it is told to.
pub(crate) fn faulty_shop(
    settings: impl FnOnce(drop_http::Builder) -> drop_http::Builder,
) -> (Shop, Faulty) {
    let clock = clock();
    let store = Faulty::new(Arc::new(MemoryStore::with_clock(clock.clone())));
    (shop_on(Arc::new(store.clone()), clock, settings), store)
}

#[tokio::test]
async fn faults_are_told_without_what_is_inside() {
    let (shop, store) = faulty_shop(|builder| builder);
    let cause = || Arc::new(std::io::Error::other(SECRET));
    let again = "Another user just took this item. Please try again.";
    for (fault, status, code) in [
        (StoreError::Contended(cause()), 409, "CONCURRENT_UPDATE"),
        (StoreError::Unavailable(cause()), 503, "BUSY"),
        (StoreError::Unknown(cause()), 503, "BUSY"),
        (StoreError::Backend(cause()), 500, "INTERNAL_ERROR"),
        // Last: it stops the drop.
        (StoreError::Corrupt(cause()), 500, "INTERNAL_ERROR"),
    ] {
        store.fail_all(None);
        let id = shop.plain(3).await;
        let hold = shop.hold(id, "ann").await;
        store.fail_all(Some(Fault::Fail(fault.clone())));
        for response in [
            shop.reserve(id, "bob").await,
            shop.purchase(hold, "ann").await,
            shop.delete(&format!("/api/reservations/{hold}?username=ann")).await,
            shop.get("/api/drops").await,
            shop.get(&format!("/api/drops/{id}")).await,
            shop.get(&format!("/api/reservations/{hold}")).await,
            shop.get("/api/purchases?username=ann").await,
        ] {
            refused(&response, status, code);
            assert!(!response.text().contains("postgres"), "{}", response.text());
            assert_eq!(response.maybe_header("retry-after").is_some(), status == 503);
            if matches!(fault, StoreError::Contended(_)) {
                refused_saying(&response, status, code, again);
            }
        }
        let ready = shop.get("/readyz").await;
        refused(&ready, 503, "UNAVAILABLE");
        assert_eq!(shop.get("/healthz").await.status_code(), 200);
    }
}

#[tokio::test]
async fn a_panic_is_an_answer() {
    let (shop, store) = faulty_shop(|builder| builder);
    let id = shop.plain(3).await;
    store.fail_all(Some(Fault::Panic));
    let response = shop.get("/api/drops").await;
    refused(&response, 500, "INTERNAL_ERROR");
    assert!(!response.text().contains("planned"), "{}", response.text());
    // In the drain of a lane: it may have been committed, and repeating converges.
    refused(&shop.reserve(id, "ann").await, 503, "BUSY");
    store.fail_all(None);
    assert_eq!(shop.reserve(id, "ann").await.status_code(), 201);
}

#[tokio::test]
async fn a_store_that_hangs_is_given_up_on() {
    let (shop, store) = faulty_shop(|builder| builder.request_timeout(Duration::from_millis(50)));
    let id = shop.plain(3).await;
    store.fail_all(Some(Fault::Hang));
    refused(&shop.get("/api/drops").await, 503, "BUSY");
    let response = shop.post("/api/reservations", &json!({"dropId": id, "username": "ann"})).await;
    refused(&response, 503, "BUSY");
    assert!(response.maybe_header("retry-after").is_some());
}
