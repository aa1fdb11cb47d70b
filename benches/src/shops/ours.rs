//! [`Ours`]: a service with its workers, as a host runs it.

use std::sync::Arc;

use drop_core::model::{DropId, HoldPolicy, ReservationId};
use drop_core::{Audit, DropService, Rejection, Reserve, ServiceError};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::shop::Shop;
use super::till::Till;
use crate::drops::drop_of;
use crate::stores::{Kind, Stores};

/// A [`DropService`] on a new store, its workers running: expiry, the feed, the bus.
#[derive(Clone, Debug)]
pub struct Ours {
    service: DropService,
    kind: Kind,
    hold: HoldPolicy,
    _running: Arc<Running>,
}

/// What goes with the last clone.
#[derive(Debug)]
struct Running {
    _workers: DropGuard,
    _stores: Stores,
}

impl Ours {
    /// On a new store of this kind, with holds that outlast any bench.
    pub async fn begin(kind: Kind) -> Self {
        Self::begin_with(kind, HoldPolicy::seconds(3600)).await
    }

    /// On a new store of this kind, with holds of this policy.
    pub async fn begin_with(kind: Kind, hold: HoldPolicy) -> Self {
        let mut stores = Stores::default();
        let store = stores.open(kind).await;
        Self::over(store, stores, kind, hold)
    }

    /// On a store that was filled before.
    pub fn over(
        store: Arc<dyn drop_core::Store>,
        stores: Stores,
        kind: Kind,
        hold: HoldPolicy,
    ) -> Self {
        let (service, workers) = DropService::builder_shared(store).hold(hold).build();
        let cancel = CancellationToken::new();
        tokio::spawn(workers.run(cancel.clone()));
        let running = Running { _workers: cancel.drop_guard(), _stores: stores };
        Self { service, kind, hold, _running: Arc::new(running) }
    }

    /// The service.
    #[must_use]
    pub const fn service(&self) -> &DropService {
        &self.service
    }

    /// Nothing was left undone or done twice: counters and rows agree.
    ///
    /// # Panics
    /// Where they do not.
    pub async fn audit(&self, drop_id: i64) -> Audit {
        let audit = self.service.audit(id(drop_id)).await.expect("a sound drop");
        assert!(audit.is_sound(), "{audit:?}");
        audit
    }
}

impl Shop for Ours {
    fn series(&self) -> &'static str {
        self.kind.name()
    }

    async fn open(&self, stock: u32) -> i64 {
        let new = drop_of(stock, self.hold);
        self.service.create_drop(new).await.expect("a drop").id.get()
    }

    async fn reserve(&self, drop_id: i64, username: String) -> Option<i64> {
        match self.service.reserve(id(drop_id), Reserve::one(username)).await {
            Ok(hold) => {
                assert!(!hold.extended, "a new customer has no hold");
                Some(hold.id().get())
            }
            Err(ServiceError::Rejected(Rejection::OutOfStock)) => None,
            Err(error) => panic!("{error}"),
        }
    }

    async fn held(&self, drop_id: i64) -> u64 {
        let audit = self.audit(drop_id).await;
        audit.variants.iter().map(|variant| variant.held).sum()
    }
}

impl Till for Ours {
    async fn purchase(&self, _drop_id: i64, hold: i64, username: &str) {
        let hold = ReservationId::from_i64(hold).expect("a hold");
        let bought = self.service.purchase(hold, username).await.expect("a purchase");
        assert!(!bought.repeated, "nobody buys twice");
    }

    async fn sold(&self, drop_id: i64) -> u64 {
        let audit = self.audit(drop_id).await;
        audit.variants.iter().map(|variant| variant.purchased).sum()
    }
}

fn id(drop_id: i64) -> DropId {
    DropId::new(drop_id).expect("an id")
}
