//! Drops: listed and read by everybody, created, amended and deleted by the seller.
//!
//! | route | success | refusals |
//! | --- | --- | --- |
//! | `GET /api/drops?username=&status=&limit=&after=` | 200, 304 | 400 |
//! | `GET /api/drops/{id}?username=` | 200, 304 | 404 |
//! | `POST /api/drops` | 201 | 400, 401 |
//! | `PATCH /api/drops/{id}` | 200 | 400, 401, 404, 409 STOCK_BELOW_COMMITTED, 412 |
//! | `DELETE /api/drops/{id}?force=` | 204 | 401, 404, 409 DROP_HAS_SALES |

use std::collections::HashMap;

use axum::Router;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use drop_core::model::{DropId, DropStatus, Reservation, Username};
use drop_core::store::{DropPage, Page, Scope};
use drop_core::{Rejection, ServiceError};
use serde::Deserialize;

use crate::app::App;
use crate::dto::{AmendBody, CreateBody, DropAnswer, DropView, DropsView};
use crate::error::{About, Problem};
use crate::etag;
use crate::extract::{self, Admin, Input, Params, Segment};
use crate::listing::Listing;
use crate::middleware::json;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/drops", get(list).post(create))
        .route("/api/drops/{id}", get(read).patch(amend).delete(delete))
}

/// Drops in one answer at most.
const MAX_LIMIT: usize = 500;

#[derive(Debug, Deserialize)]
struct ListParams {
    username: Option<String>,
    status: Option<String>,
    limit: Option<String>,
    after: Option<String>,
}

async fn list(
    State(app): State<App>,
    Params(params): Params<ListParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let page = DropPage {
        status: status(params.status.as_deref())?,
        after: extract::id("after", params.after.as_deref())?,
        limit: extract::limit(params.limit.as_deref(), Listing::USUAL_LIMIT, MAX_LIMIT)?,
    };
    let private = params.username.is_some();
    if page == Listing::PAGE {
        let reading = app.listing.read(&app.service, &**app.live.clock()).await?;
        let own = own_holds(&app, params.username.as_deref()).await?;
        // Who holds nothing is told what everybody is told.
        if own.is_empty() {
            return Ok(reading.written.answer(&headers, private));
        }
        return etag::answer(&headers, None, private, &DropsView::new(&reading.snapshots, own));
    }
    let snapshots = app.service.drop_snapshots(&page).await.map_err(refused)?;
    let own = own_holds(&app, params.username.as_deref()).await?;
    etag::answer(&headers, None, private, &DropsView::new(&snapshots, own))
}

/// Absent means inside the window, as in the seed; sold-out drops stay there.
fn status(word: Option<&str>) -> Result<Option<DropStatus>, Problem> {
    match word {
        None | Some("open") => Ok(Some(DropStatus::Open)),
        Some("upcoming") => Ok(Some(DropStatus::Upcoming)),
        Some("ended") => Ok(Some(DropStatus::Ended)),
        Some("all") => Ok(None),
        Some(_) => Err(Problem::validation("status must be upcoming, open, ended or all")),
    }
}

/// The live holds of the one who asks. Who is nobody holds nothing: the seed's page asks with
/// whatever stands in its name field.
async fn own_holds(
    app: &App,
    username: Option<&str>,
) -> Result<HashMap<DropId, Reservation>, Problem> {
    let Some(username) = username.and_then(|text| Username::new(text).ok()) else {
        return Ok(HashMap::new());
    };
    let page = Page { before: None, limit: MAX_LIMIT };
    let holds = app.service.holds(&Scope::Customer(username), page).await.map_err(refused)?;
    let each = holds.iter().map(|held| (held.reservation.id().drop_id(), held.reservation));
    Ok(each.collect())
}

#[derive(Debug, Deserialize)]
struct ReadParams {
    username: Option<String>,
}

async fn read(
    State(app): State<App>,
    segment: Segment,
    Params(params): Params<ReadParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = segment.id(no_drop())?;
    let snapshot = app.service.drop_snapshot(id).await.map_err(refused)?.ok_or_else(no_drop)?;
    let own = own_holds(&app, params.username.as_deref()).await?.remove(&id);
    let view = DropView::new(&snapshot, snapshot.as_of).held_by(own);
    etag::answer(&headers, Some(snapshot.revision), params.username.is_some(), &view)
}

async fn create(
    _: Admin,
    State(app): State<App>,
    Input(body): Input<CreateBody>,
) -> Result<Response, Problem> {
    let now = app.service.ready().await.map_err(refused)?;
    let new = body.parse(now, app.service.hold_policy())?;
    let snapshot = app.service.create_drop(new).await.map_err(refused)?;
    let mut response = json(StatusCode::CREATED, DropAnswer::new(&snapshot));
    // Relative to `POST /api/drops`, so that it holds under any prefix.
    if let Ok(location) = HeaderValue::from_str(&format!("drops/{}", snapshot.id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(etag::versioned(response, snapshot.revision))
}

async fn amend(
    _: Admin,
    State(app): State<App>,
    segment: Segment,
    headers: HeaderMap,
    Input(body): Input<AmendBody>,
) -> Result<Response, Problem> {
    let id = segment.id(no_drop())?;
    let amendment = body.parse(etag::if_match(&headers)?)?;
    let snapshot = app.service.amend_drop(id, amendment).await.map_err(refused)?;
    let response = json(StatusCode::OK, DropAnswer::new(&snapshot));
    Ok(etag::versioned(response, snapshot.revision))
}

#[derive(Debug, Deserialize)]
struct DeleteParams {
    force: Option<String>,
}

async fn delete(
    _: Admin,
    State(app): State<App>,
    segment: Segment,
    Params(params): Params<DeleteParams>,
) -> Result<Response, Problem> {
    let id = segment.id(no_drop())?;
    let force = extract::switch("force", params.force.as_deref())?;
    app.service.delete_drop(id, force).await.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) fn no_drop() -> Problem {
    Problem::refusal(About::Drop, &Rejection::DropNotFound)
}

#[expect(clippy::needless_pass_by_value, reason = "it is used in map_err")]
fn refused(error: ServiceError) -> Problem {
    Problem::of(About::Drop, &error)
}
