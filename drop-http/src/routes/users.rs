//! Users, for the seller.
//!
//! | route | success | refusals |
//! | --- | --- | --- |
//! | `DELETE /api/users/{username}?force=` | 204 | 400, 401, 404, 409 USER_HAS_SALES |

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::delete;
use serde::Deserialize;

use crate::app::App;
use crate::error::{About, Problem};
use crate::extract::{self, Admin, Params, Segment};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/api/users/{username}", delete(delete_user))
}

#[derive(Debug, Deserialize)]
struct DeleteParams {
    force: Option<String>,
}

async fn delete_user(
    _: Admin,
    State(app): State<App>,
    segment: Segment,
    Params(params): Params<DeleteParams>,
) -> Result<Response, Problem> {
    let force = extract::switch("force", params.force.as_deref())?;
    let deleted = app.service.delete_user(segment.as_str(), force).await;
    deleted.map_err(|error| Problem::of(About::User, &error))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
