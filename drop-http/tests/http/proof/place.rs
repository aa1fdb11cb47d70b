//! A shop that goes by the machine's clock, on a real socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use drop_core::model::{DropId, DropSnapshot, DropTerms, NewDrop, Revision, Units};
use drop_core::rules::Change;
use drop_core::{DropService, Store};
use drop_http::Builder;
use drop_store_memory::MemoryStore;
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::load::RECORDED;

/// Plays a test, with threads for the server and for its clients apart from those of the test:
/// a thousand clients in one queue with whoever makes the load would keep it from making any.
pub(super) fn play<F: Future<Output = ()>>(test: impl FnOnce(Handle, Handle) -> F) {
    let (server, clients) = (runtime(), runtime());
    runtime().block_on(test(server.handle().clone(), clients.handle().clone()));
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

/// A guard against hanging, not a measure.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// Changes kept in the feed: of what is recorded nothing is trimmed before it is judged.
const KEPT: u32 = 2 * RECORDED;

pub(super) struct Place {
    pub(super) service: DropService,
    pub(super) address: SocketAddr,
    pub(super) drop_id: DropId,
    store: MemoryStore,
    router: Router,
    stop: CancellationToken,
}

impl Place {
    /// With one drop of many units; the service keeps so many updates for the hub, which
    /// gives everybody the present state when it has missed some.
    pub(super) async fn open(
        server: &Handle,
        updates: usize,
        settings: impl FnOnce(Builder) -> Builder + Send + 'static,
    ) -> Self {
        server.spawn(Self::opened(updates, settings)).await.unwrap()
    }

    async fn opened(updates: usize, settings: impl FnOnce(Builder) -> Builder) -> Self {
        let store = MemoryStore::new();
        let builder = DropService::builder(store.clone()).keep_changes(KEPT);
        let (service, workers) = builder.subscriber_capacity(updates).build();
        let (router, hub) = settings(drop_http::builder(service.clone())).build();
        let stop = CancellationToken::new();
        tokio::spawn(workers.run(stop.clone()));
        tokio::spawn(hub.run(stop.clone()));
        tokio::spawn(trim(store.clone(), stop.clone()));
        let terms = DropTerms::new("Air One", "149.99", Default::default()).unwrap();
        let new = NewDrop::plain(terms, Units::new(1000).unwrap()).unwrap();
        let drop_id = service.create_drop(new).await.unwrap().id;
        // As many may wait to be accepted as come back in a storm.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener: TcpListener = socket.listen(4096).unwrap();
        let address = listener.local_addr().unwrap();
        let service_of = router.clone().into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service_of).await });
        Self { service, address, drop_id, store, router, stop }
    }

    pub(super) async fn snapshot(&self) -> DropSnapshot {
        self.service.drop_snapshot(self.drop_id).await.unwrap().unwrap()
    }

    /// Every change of the drop, from its creation.
    pub(super) async fn feed(&self) -> Vec<Arc<Change>> {
        self.store.changes(self.drop_id, Revision::ZERO, usize::MAX).await.unwrap()
    }

    /// The drop as REST shows it.
    pub(super) async fn rest(&self) -> serde_json::Value {
        let request = axum::http::Request::get(format!("/api/drops/{}", self.drop_id));
        let request = request.body(axum::body::Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Trims the feed each second: by the minute, as a service's workers do, the feed of ten thousand
/// single changes a second would be most of the memory that is looked at.
async fn trim(store: MemoryStore, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await.is_some() {
        store.trim(KEPT).await.unwrap();
    }
}

/// Memory of this process in bytes, where the system tells.
pub(super) fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}
