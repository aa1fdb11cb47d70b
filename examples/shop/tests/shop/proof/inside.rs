//! The routes over a store of this process: what is only in memory has no other witness.

use std::net::Ipv4Addr;
use std::time::Duration;

use drop_core::DropService;
use drop_core::model::HoldPolicy;
use drop_store_memory::MemoryStore;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::support::{Api, Shop};

/// A shop in memory, served on a real socket by the test itself, so that the test can read the
/// store's feed.
#[derive(Debug)]
pub(crate) struct Inside {
    pub(crate) store: MemoryStore,
    pub(crate) api: Api,
    _tasks: [AbortOnDropHandle<()>; 3],
}

impl Inside {
    /// With holds of this length.
    pub(crate) async fn start(hold: Duration) -> Self {
        let store = MemoryStore::new();
        let hold = HoldPolicy::new(hold, hold * 10).expect("a hold");
        let (service, workers) = DropService::builder(store.clone()).hold(hold).build();
        let builder = drop_http::builder(service).admin_key(Shop::KEY.into());
        let (router, hub) = builder.reserves_per_minute(None).purchases_per_minute(None).build();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let never = CancellationToken::new();
        let serving = async move { axum::serve(listener, router).await.expect("it serves") };
        let tasks = [
            tokio::spawn(workers.run(never.clone())),
            tokio::spawn(hub.run(never)),
            tokio::spawn(serving),
        ];
        let api = Api::new(&format!("http://{address}"), Shop::KEY);
        Self { store, api, _tasks: tasks.map(AbortOnDropHandle::new) }
    }
}
