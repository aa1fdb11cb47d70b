//! `/api/health`, `/healthz`: the process answers. `/readyz`: the store does. `/metrics`.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::app::App;
use crate::error::Problem;

/// How long the store may take to say that it is ready.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Health {
    ok: bool,
}

pub(super) async fn alive() -> Response {
    Json(Health { ok: true }).into_response()
}

pub(super) async fn ready(State(app): State<App>) -> Result<Response, Problem> {
    match tokio::time::timeout(PATIENCE, app.service.ready()).await {
        Ok(Ok(_)) => Ok(Json(Health { ok: true }).into_response()),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the store is not ready");
            Err(not_ready())
        }
        Err(_) => Err(not_ready()),
    }
}

fn not_ready() -> Problem {
    let message = "The store is not ready";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message).retry_after(2)
}

#[cfg(feature = "metrics")]
pub(super) async fn metrics(State(app): State<App>) -> Response {
    let text = "text/plain; version=0.0.4; charset=utf-8";
    ([(axum::http::header::CONTENT_TYPE, text)], app.metrics.render()).into_response()
}
