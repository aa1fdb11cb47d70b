//! A shop for one test: a memory store, a clock that stands still, real or mocked HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_test::{TestRequest, TestResponse, TestServer};
use drop_core::model::Timestamp;
use drop_core::{DropService, ManualClock, Store};
use drop_http::Builder;
use drop_store_memory::MemoryStore;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) const KEY: &str = "s3cret-key";
pub(crate) const NOW: &str = "2026-01-01T12:00:00.000Z";

/// A test never waits longer than this for what has to come.
pub(crate) const SOON: Duration = Duration::from_secs(10);

pub(crate) struct Shop {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) service: DropService,
    pub(crate) router: Router,
    pub(crate) cancel: CancellationToken,
    pub(crate) hub: tokio::task::JoinHandle<()>,
    http: TestServer,
    address: tokio::sync::OnceCell<SocketAddr>,
}

/// A shop with the usual settings.
pub(crate) fn shop() -> Shop {
    shop_with(|builder| builder)
}

pub(crate) fn shop_with(settings: impl FnOnce(Builder) -> Builder) -> Shop {
    let clock = clock();
    let store = MemoryStore::with_clock(clock.clone());
    shop_on(Arc::new(store), clock, settings)
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::parse_rfc3339(NOW).unwrap()))
}

pub(crate) fn shop_on(
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    settings: impl FnOnce(Builder) -> Builder,
) -> Shop {
    let (service, workers) =
        DropService::builder_shared(store).clock(clock.clone()).subscriber_capacity(64).build();
    let builder = drop_http::builder(service.clone()).admin_key(KEY.into()).clock(clock.clone());
    let (router, hub) = settings(builder).build();
    let cancel = CancellationToken::new();
    tokio::spawn(workers.run(cancel.clone()));
    let hub = tokio::spawn(hub.run(cancel.clone()));
    let http = TestServer::new(router.clone());
    Shop { clock, service, router, cancel, hub, http, address: tokio::sync::OnceCell::new() }
}

/// A shop in which nothing happens but what is asked for: no expiry, no feed, no sockets.
pub(crate) fn still_shop_on(store: Arc<dyn Store>, clock: Arc<ManualClock>) -> Shop {
    let (service, _) = DropService::builder_shared(store).clock(clock.clone()).build();
    let builder = drop_http::builder(service.clone()).admin_key(KEY.into()).clock(clock.clone());
    let (router, _) = builder.build();
    let (hub, cancel) = (tokio::spawn(async {}), CancellationToken::new());
    let http = TestServer::new(router.clone());
    Shop { clock, service, router, cancel, hub, http, address: tokio::sync::OnceCell::new() }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Shop {
    /// Where it listens, on a real socket of the loopback.
    pub(crate) async fn address(&self) -> SocketAddr {
        let listen = || async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let service = self.router.clone().into_make_service_with_connect_info::<SocketAddr>();
            tokio::spawn(async move { axum::serve(listener, service).await });
            address
        };
        *self.address.get_or_init(listen).await
    }

    /// Moves the time on. Fails where somebody sleeps again and again until what is past.
    pub(crate) async fn advance(&self, span: Duration) {
        soon(self.clock.advance(span)).await;
    }

    pub(crate) fn get(&self, path: &str) -> TestRequest {
        raw_query(path, |path| self.http.get(path))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> TestRequest {
        self.http.post(path).json(body)
    }

    pub(crate) fn post_text(&self, path: &str, content_type: &str, body: &[u8]) -> TestRequest {
        self.http.post(path).content_type(content_type).bytes(body.to_vec().into())
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> TestRequest {
        self.http.patch(path).json(body)
    }

    pub(crate) fn delete(&self, path: &str) -> TestRequest {
        raw_query(path, |path| self.http.delete(path))
    }

    pub(crate) fn method(&self, method: &str, path: &str) -> TestRequest {
        self.http.method(method.parse().unwrap(), path)
    }

    /// As the seller.
    pub(crate) async fn create(&self, body: Value) -> Value {
        let response = self.post("/api/drops", &body).add_header("x-api-key", KEY).await;
        assert_eq!(response.status_code(), 201, "{}", response.text());
        response.json()
    }

    /// A plain drop of so many units; its id.
    pub(crate) async fn plain(&self, total: u32) -> i64 {
        let body = json!({"name": "Air One", "price": "149.99", "totalStock": total});
        self.create(body).await["id"].as_i64().unwrap()
    }

    pub(crate) async fn reserve(&self, drop_id: i64, username: &str) -> TestResponse {
        let body = json!({"dropId": drop_id, "username": username});
        self.post("/api/reservations", &body).await
    }

    /// A hold that is got; its id.
    pub(crate) async fn hold(&self, drop_id: i64, username: &str) -> i64 {
        let response = self.reserve(drop_id, username).await;
        assert_eq!(response.status_code(), 201, "{}", response.text());
        response.json::<Value>()["reservation"]["id"].as_i64().unwrap()
    }

    pub(crate) async fn purchase(&self, reservation: i64, username: &str) -> TestResponse {
        let body = json!({"reservationId": reservation, "username": username});
        self.post("/api/purchases", &body).await
    }

    /// A purchase that is made.
    pub(crate) async fn buy(&self, drop_id: i64, username: &str) {
        let hold = self.hold(drop_id, username).await;
        let response = self.purchase(hold, username).await;
        assert_eq!(response.status_code(), 201, "{}", response.text());
    }
}

/// axum-test takes the query apart from the path.
fn raw_query(path: &str, request: impl FnOnce(&str) -> TestRequest) -> TestRequest {
    match path.split_once('?') {
        Some((path, query)) => request(path).add_raw_query_param(query),
        None => request(path),
    }
}

/// As the seller.
pub(crate) fn admin(request: TestRequest) -> TestRequest {
    request.add_header("x-api-key", KEY)
}

/// Checks a refusal: RFC 9457 and the seed's fields, and nothing else.
#[track_caller]
pub(crate) fn refused(response: &TestResponse, status: u16, code: &str) {
    let text = response.text();
    assert_eq!(response.status_code(), status, "{text}");
    let content_type = response.header("content-type");
    assert_eq!(content_type, "application/problem+json", "{text}");
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["error"], code, "{text}");
    assert_eq!(body["status"], status, "{text}");
    assert_eq!(body["success"], false, "{text}");
    assert_eq!(body["detail"], body["message"], "{text}");
    for member in ["type", "title", "message"] {
        assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {text}");
    }
    assert_eq!(body.as_object().unwrap().len(), 7, "{text}");
}

#[track_caller]
pub(crate) fn refused_saying(response: &TestResponse, status: u16, code: &str, message: &str) {
    refused(response, status, code);
    assert_eq!(response.json::<Value>()["message"], message);
}

/// The names of an object's members, in order.
pub(crate) fn members(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// What has to come, comes soon.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.expect("it never came")
}
