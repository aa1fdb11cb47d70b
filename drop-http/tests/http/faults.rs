//! A store that fails: what the client is told, and what not.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use drop_core::model::{
    DropId, DropSnapshot, NewDrop, ReservationId, Revision, Timestamp, Username,
};
use drop_core::rules::{Applied, Audit, Batch, Change};
use drop_core::store::{Deletion, DropPage, Due, Held, Page, Reading, Sale, Scope};
use drop_core::{Store, StoreError};
use drop_store_memory::MemoryStore;
use futures::stream::BoxStream;
use serde_json::json;

use crate::support::{clock, refused, refused_saying, shop_on};

const SECRET: &str = "postgres://admin:hunter2@db";

/// Fails as it is told to.
#[derive(Debug)]
pub(crate) struct Faulty {
    pub(crate) store: MemoryStore,
    fault: tokio::sync::watch::Sender<Fault>,
    /// Whether single drops cannot be read until this is over.
    pub(crate) slow_reads: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    None,
    Contended,
    Unavailable,
    Unknown,
    Corrupt,
    Backend,
    Panic,
    Hang,
}

impl Faulty {
    pub(crate) fn new(store: MemoryStore) -> Arc<Self> {
        Arc::new(Self {
            store,
            fault: tokio::sync::watch::Sender::new(Fault::None),
            slow_reads: tokio::sync::Mutex::new(()),
        })
    }

    pub(crate) fn fail(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    async fn gate(&self) -> Result<(), StoreError> {
        let cause = || Arc::new(std::io::Error::other(SECRET));
        let fault = *self.fault.borrow();
        match fault {
            Fault::None => Ok(()),
            Fault::Contended => Err(StoreError::Contended(cause())),
            Fault::Unavailable => Err(StoreError::Unavailable(cause())),
            Fault::Unknown => Err(StoreError::Unknown(cause())),
            Fault::Corrupt => Err(StoreError::Corrupt(cause())),
            Fault::Backend => Err(StoreError::Backend(cause())),
            Fault::Panic => panic!("{SECRET}"),
            Fault::Hang => {
                let mut fault = self.fault.subscribe();
                fault.wait_for(|fault| *fault == Fault::None).await.unwrap();
                Ok(())
            }
        }
    }
}

#[async_trait]
impl Store for Faulty {
    fn describe(&self) -> String {
        self.store.describe()
    }
    fn is_durable(&self) -> bool {
        self.store.is_durable()
    }
    async fn ready(&self) -> Result<Timestamp, StoreError> {
        self.gate().await?;
        self.store.ready().await
    }
    async fn create_drop(&self, new: &NewDrop) -> Result<DropSnapshot, StoreError> {
        self.gate().await?;
        self.store.create_drop(new).await
    }
    async fn apply(&self, batch: &Batch) -> Result<Applied, StoreError> {
        self.gate().await?;
        self.store.apply(batch).await
    }
    async fn delete_drop(&self, id: DropId, force: bool) -> Result<Deletion, StoreError> {
        self.gate().await?;
        self.store.delete_drop(id, force).await
    }
    async fn delete_user(&self, username: &Username) -> Result<Deletion, StoreError> {
        self.gate().await?;
        self.store.delete_user(username).await
    }
    async fn drops_of(&self, username: &Username) -> Result<Vec<DropId>, StoreError> {
        self.gate().await?;
        self.store.drops_of(username).await
    }
    async fn snapshot(&self, id: DropId) -> Result<Option<DropSnapshot>, StoreError> {
        self.gate().await?;
        let _slow = self.slow_reads.lock().await;
        self.store.snapshot(id).await
    }
    async fn snapshots(&self, page: &DropPage) -> Result<Vec<DropSnapshot>, StoreError> {
        self.gate().await?;
        self.store.snapshots(page).await
    }
    async fn reservation(&self, id: ReservationId) -> Result<Option<Reading>, StoreError> {
        self.gate().await?;
        self.store.reservation(id).await
    }
    async fn holds(&self, scope: &Scope, page: Page) -> Result<Vec<Held>, StoreError> {
        self.gate().await?;
        self.store.holds(scope, page).await
    }
    async fn purchases(&self, scope: &Scope, page: Page) -> Result<Vec<Sale>, StoreError> {
        self.gate().await?;
        self.store.purchases(scope, page).await
    }
    async fn due(&self, limit: usize) -> Result<Due, StoreError> {
        self.store.due(limit).await
    }
    async fn heads(
        &self,
        after: Option<DropId>,
        limit: usize,
    ) -> Result<Vec<(DropId, Revision)>, StoreError> {
        self.store.heads(after, limit).await
    }
    async fn changes(
        &self,
        id: DropId,
        since: Revision,
        limit: usize,
    ) -> Result<Vec<Arc<Change>>, StoreError> {
        self.store.changes(id, since, limit).await
    }
    fn hints(&self) -> BoxStream<'static, DropId> {
        self.store.hints()
    }
    async fn trim(&self, keep: u32) -> Result<u64, StoreError> {
        self.store.trim(keep).await
    }
    async fn audit(&self, id: DropId) -> Result<Option<Audit>, StoreError> {
        self.gate().await?;
        self.store.audit(id).await
    }
}

#[tokio::test]
async fn faults_are_told_without_what_is_inside() {
    let clock = clock();
    let store = Faulty::new(MemoryStore::with_clock(clock.clone()));
    let shop = shop_on(store.clone(), clock, |builder| builder);
    let again = "Another user just took this item. Please try again.";
    for (fault, status, code) in [
        (Fault::Contended, 409, "CONCURRENT_UPDATE"),
        (Fault::Unavailable, 503, "BUSY"),
        (Fault::Unknown, 503, "BUSY"),
        (Fault::Backend, 500, "INTERNAL_ERROR"),
        // Last: it stops the drop.
        (Fault::Corrupt, 500, "INTERNAL_ERROR"),
    ] {
        store.fail(Fault::None);
        let id = shop.plain(3).await;
        let hold = shop.hold(id, "ann").await;
        store.fail(fault);
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
            if fault == Fault::Contended {
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
    let clock = clock();
    let store = Faulty::new(MemoryStore::with_clock(clock.clone()));
    let shop = shop_on(store.clone(), clock, |builder| builder);
    let id = shop.plain(3).await;
    store.fail(Fault::Panic);
    let response = shop.get("/api/drops").await;
    refused(&response, 500, "INTERNAL_ERROR");
    assert!(!response.text().contains("hunter2"));
    // In the drain of a lane: it may have been committed, and repeating converges.
    refused(&shop.reserve(id, "ann").await, 503, "BUSY");
    store.fail(Fault::None);
    assert_eq!(shop.reserve(id, "ann").await.status_code(), 201);
}

#[tokio::test]
async fn a_store_that_hangs_is_given_up_on() {
    let clock = clock();
    let store = Faulty::new(MemoryStore::with_clock(clock.clone()));
    let shop =
        shop_on(store.clone(), clock, |builder| builder.request_timeout(Duration::from_millis(50)));
    let id = shop.plain(3).await;
    store.fail(Fault::Hang);
    refused(&shop.get("/api/drops").await, 503, "BUSY");
    let response = shop.post("/api/reservations", &json!({"dropId": id, "username": "ann"})).await;
    refused(&response, 503, "BUSY");
    assert!(response.maybe_header("retry-after").is_some());
}
