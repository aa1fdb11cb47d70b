//! What surrounds every answer: headers, a time limit, counting, and panics caught.

use std::any::Any;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::error::{Outcome, Problem};

/// Headers of an API: nothing here is a page, and nothing is to be kept unless it says so.
const HEADERS: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
];

/// Counts a request, and adds the headers that its handler did not set.
pub(crate) async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    let status = response.status();
    let outcome = match response.extensions().get::<Outcome>() {
        Some(outcome) => outcome.0,
        None if status.is_client_error() || status.is_server_error() => "OTHER",
        None => "OK",
    };
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let took = started.elapsed();
    app.metrics.request(&method, route, status, outcome, took);
    tracing::debug!(%method, route, status = status.as_u16(), outcome, ?took, "answered");
    response
}

/// Gives up on a request that takes too long. What the service has begun it finishes; the
/// client repeats the request and finds it done.
pub(crate) async fn time_limit(State(app): State<App>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(app.request_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::busy().into_response(),
    }
}

/// A handler panicked: the log has the reason, the client does not.
#[expect(clippy::needless_pass_by_value, reason = "the signature is CatchPanicLayer's")]
pub(crate) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let reason = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no words");
    tracing::error!(reason, "a handler panicked");
    Problem::internal().into_response()
}

/// 404 as a problem.
pub(crate) async fn no_route() -> Problem {
    Problem::not_found()
}

/// 405 as a problem; axum adds `Allow`.
pub(crate) async fn no_method() -> Problem {
    Problem::method_not_allowed()
}

/// A JSON answer with a status.
pub(crate) fn json<T: serde::Serialize>(status: StatusCode, value: T) -> Response {
    (status, axum::Json(value)).into_response()
}
