//! The transports of events.

#[cfg(feature = "socketio")]
pub(crate) mod socketio;
mod sse;
mod watch;
mod ws;

use axum::Router;
use axum::routing::get;

use crate::app::App;

/// WebSocket and server-sent events.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/ws", get(ws::connect)).route("/api/events", get(sse::connect))
}
