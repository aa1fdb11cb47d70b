//! Who asks, bodies, queries and paths, with refusals as problems.

use std::str::FromStr;
use std::time::Duration;

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::app::App;
use crate::error::Problem;

/// Proof, in a handler's arguments, that the seller asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admin;

impl FromRequestParts<App> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if app.admin_key.opens(&parts.headers) { Ok(Self) } else { Err(Problem::unauthorized()) }
    }
}

/// A JSON object as a body.
#[derive(Debug)]
pub(crate) struct Input<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let message = "Send JSON: Content-Type must be application/json";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "UNSUPPORTED_MEDIA_TYPE", message));
        }
        let reading = Bytes::from_request(request, app);
        // Half of the request's time, so that a slow body is told apart from a slow store.
        let body = tokio::time::timeout(body_time(app.request_timeout), reading).await;
        let body = body.map_err(|_| {
            let message = "The body did not arrive in time";
            Problem::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", message)
        })?;
        parse(&body.map_err(|rejection| unread(&rejection))?).map(Self)
    }
}

fn body_time(request: Duration) -> Duration {
    request.checked_div(2).unwrap_or(request)
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn unread(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let message = "The body is too large";
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", message);
    }
    Problem::validation("The body could not be read")
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // A struct would also be read from a list of its fields.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::validation("The body must be a JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        Category::Data => Problem::validation(format!("The body is not as expected: {error}")),
        Category::Io | Category::Syntax | Category::Eof => {
            Problem::validation("The body is not valid JSON")
        }
    })
}

/// The query.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let query = Query::<T>::try_from_uri(&parts.uri)
            .map_err(|_| Problem::validation("The query is not as expected"))?;
        Ok(Self(query.0))
    }
}

/// The path's only parameter, as text.
#[derive(Debug)]
pub(crate) struct Segment(String);

impl Segment {
    /// The id that it is; what is none is the name of nothing.
    pub(crate) fn id<T: FromStr>(&self, nothing: Problem) -> Result<T, Problem> {
        self.0.parse().map_err(|_| nothing)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromRequestParts<App> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let path = Path::<Vec<(String, String)>>::from_request_parts(parts, app).await;
        // Not UTF-8 after decoding: nothing is called that. A host that nests the router
        // under a parameter of its own puts that before ours.
        let Path(mut parameters) = path.map_err(|_| Problem::not_found())?;
        let (_, segment) = parameters.pop().ok_or_else(Problem::not_found)?;
        Ok(Self(segment))
    }
}

/// A switch in a query: absent, `false` and `0` are off; present, `true` and `1` are on.
pub(crate) fn switch(name: &str, value: Option<&str>) -> Result<bool, Problem> {
    match value {
        None | Some("false" | "0") => Ok(false),
        Some("" | "true" | "1") => Ok(true),
        Some(_) => Err(Problem::validation(format!("{name} must be true or false"))),
    }
}

/// How many of a list, at most `most`; `usual` if nothing is said.
pub(crate) fn limit(value: Option<&str>, usual: usize, most: usize) -> Result<usize, Problem> {
    let Some(text) = value else {
        return Ok(usual);
    };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(limit) if digits && (1..=most).contains(&limit) => Ok(limit),
        _ => Err(Problem::validation(format!("limit must be from 1 to {most}"))),
    }
}

/// An id in a query.
pub(crate) fn id<T: FromStr>(name: &str, value: Option<&str>) -> Result<Option<T>, Problem> {
    let parsed = value.map(str::parse).transpose();
    parsed.map_err(|_| Problem::validation(format!("{name} must be an id")))
}
