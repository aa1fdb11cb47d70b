//! `drop` over HTTP: REST, WebSocket, server-sent events and Socket.IO as one axum router.
//!
//! The router nests into a host's own app, under any prefix, and beside it the host runs a
//! [`Hub`], which feeds the sockets:
//!
//! ```
//! use axum::{Router, routing::get};
//! use drop_core::DropService;
//! use drop_store_memory::MemoryStore;
//! use tokio_util::sync::CancellationToken;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (service, workers) = DropService::builder(MemoryStore::new()).build();
//! let (shop, hub) = drop_http::builder(service).admin_key("s3cret".into()).build();
//!
//! let cancel = CancellationToken::new();
//! let working = tokio::spawn(workers.run(cancel.clone()));
//! let feeding = tokio::spawn(hub.run(cancel.clone()));
//!
//! let app = Router::new().route("/", get(|| async { "my own page" })).nest("/shop", shop);
//! # let server = axum_test::TestServer::new(app);
//! # server.get("/shop/api/health").await.assert_text(r#"{"ok":true}"#);
//! # server.get("/").await.assert_text("my own page");
//! # cancel.cancel();
//! # working.await?;
//! # feeding.await?;
//! # Ok(())
//! # }
//! ```
//!
//! A host that wants these routes at its root, beside its own, uses the router as its
//! fallback: `Router::new().route("/", ...).fallback_service(shop)`.
//!
//! (Not under a parameter of the host's own, `/{tenant}`: axum cannot nest a router with a
//! fallback there.)
//!
//! Serve with `into_make_service_with_connect_info::<SocketAddr>()`, or rate limits know no
//! addresses; and with a server that has a timeout for headers, and one for writes that are not
//! taken, which `axum::serve` has not: a client that reads none of its server-sent events keeps
//! its seat until its connection ends, and only a server can end that.
//!
//! # Routes
//! | route | who | what |
//! | --- | --- | --- |
//! | `GET /api/drops?username=&status=&limit=&after=` | all | drops inside their window, newest first; `status=upcoming\|open\|ended\|all` |
//! | `GET /api/drops/{id}?username=` | all | one drop; its `ETag` is good for `If-Match` |
//! | `POST /api/drops` | seller | creates a drop |
//! | `PATCH /api/drops/{id}` | seller | amends it; `If-Match` refuses a stale version |
//! | `DELETE /api/drops/{id}?force=` | seller | deletes it |
//! | `GET /api/drops/{id}/reservations?limit=&before=` | seller | its live holds |
//! | `GET /api/drops/{id}/purchases?limit=&before=` | seller | its sales |
//! | `GET /api/drops/{id}/audit` | seller | its counters against its rows |
//! | `POST /api/reservations` | all | holds units |
//! | `GET /api/reservations/{id}` | all | a hold, while it is active |
//! | `DELETE /api/reservations/{id}?username=` | holder, seller | gives it back; the seller names nobody |
//! | `POST /api/purchases` | all | buys what is held |
//! | `GET /api/purchases?username=&limit=&before=` | all | what one bought |
//! | `DELETE /api/users/{username}?force=` | seller | deletes a user |
//! | `GET /ws?drops=` | all | WebSocket: `snapshot`, then events |
//! | `GET /api/events?drops=` | all | the same as server-sent events, with `Last-Event-ID` |
//! | `/socket.io` | all | the same over Socket.IO (feature `socketio`) |
//! | `GET /api/health`, `/healthz`, `/readyz` | all | the process answers; the store does |
//! | `GET /metrics` | all | Prometheus text (feature `metrics`) |
//!
//! The seller sends the admin key as `x-api-key` or as `Authorization: Bearer`.
//!
//! # Events
//! Payloads are the same on each transport; on a WebSocket the `event` stands in the object.
//!
//! | event | payload |
//! | --- | --- |
//! | `snapshot` | `{drops: [Drop], serverTime}`: open and upcoming drops, `userReservation` always null |
//! | `stockUpdated` | `{dropId, availableStock, heldStock, soldCount, version, variants}` |
//! | `purchaseCompleted` | `{dropId, username, topPurchasers, version}` |
//! | `dropChanged` | `{dropId, version, drop: Drop}` when created or amended; `{dropId, version, deleted: true}` when deleted |
//! | `dropOpened`, `dropEnded` | `{dropId, version, drop: Drop}` |
//! | `dropSoldOut` | `{dropId, version}` |
//!
//! A connection may get another `snapshot` at any time: it was slow, or the hub was. The
//! present state then replaces everything before it.

mod app;
mod auth;
mod builder;
mod client;
mod cors;
mod dto;
mod error;
mod etag;
mod extract;
mod limits;
mod listing;
mod live;
mod metrics;
mod middleware;
mod names;
mod outage;
mod routes;
mod sockets;
mod throttle;

pub use builder::Builder;
pub use cors::{Cors, InvalidOrigin};
pub use live::Hub;

/// Begins a router on `service`.
pub fn builder(service: drop_core::DropService) -> Builder {
    Builder::new(service)
}
