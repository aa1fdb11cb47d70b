//! What surrounds every answer: headers, a time limit, counting, and panics caught.

use std::any::Any;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use futures::future::BoxFuture;
use tower::{Layer, Service};

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

/// What surrounds an answer, as one layer: axum boxes and clones each of several, at every request.
#[derive(Clone, Debug)]
pub(crate) struct Around {
    app: App,
    time_limit: Option<Duration>,
}

impl Around {
    /// An answer that takes as long as it takes: sockets, probes.
    pub(crate) const fn new(app: App) -> Self {
        Self { app, time_limit: None }
    }

    /// Gives up on a request that takes too long. What the service has begun it finishes; the
    /// client repeats the request and finds it done.
    pub(crate) fn within(self, time_limit: Duration) -> Self {
        Self { time_limit: Some(time_limit), ..self }
    }
}

impl<S> Layer<S> for Around {
    type Service = Surrounded<S>;

    fn layer(&self, inner: S) -> Surrounded<S> {
        Surrounded { around: self.clone(), inner }
    }
}

/// A route with what surrounds it.
#[derive(Clone, Debug)]
pub(crate) struct Surrounded<S> {
    around: Around,
    inner: S,
}

impl<S> Service<Request> for Surrounded<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let started = Instant::now();
        let method = request.method().clone();
        let route = request.extensions().get::<MatchedPath>().cloned();
        let Around { app, time_limit } = self.around.clone();
        // No handler begins before it is polled.
        let answering = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        Box::pin(async move {
            let answered = match time_limit {
                Some(limit) => tokio::time::timeout(limit, answering).await,
                None => Ok(answering.await),
            };
            let mut response = match answered {
                Ok(Ok(Ok(response))) => response,
                Ok(Err(panic)) => panicked(&*panic),
                Err(_) => Problem::busy().into_response(),
            };
            for (name, value) in HEADERS {
                response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
            }
            let took = started.elapsed();
            observe(&app, &method, route.as_ref(), &response, took);
            Ok(response)
        })
    }
}

/// Counts a request.
fn observe(
    app: &App,
    method: &Method,
    route: Option<&MatchedPath>,
    response: &Response,
    took: Duration,
) {
    let status = response.status();
    let outcome = match response.extensions().get::<Outcome>() {
        Some(outcome) => outcome.0,
        None if status.is_client_error() || status.is_server_error() => "OTHER",
        None => "OK",
    };
    let route = route.map_or("none", MatchedPath::as_str);
    app.metrics.request(method, route, status, outcome, took);
    tracing::debug!(%method, route, status = status.as_u16(), outcome, ?took, "answered");
}

/// A handler panicked: the log has the reason, the client does not.
fn panicked(panic: &(dyn Any + Send)) -> Response {
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
