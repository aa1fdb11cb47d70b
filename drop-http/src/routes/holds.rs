//! What the seller sees inside a drop: live holds, and a recount.
//!
//! | route | success | refusals |
//! | --- | --- | --- |
//! | `GET /api/drops/{id}/reservations?limit=&before=` | 200, newest first | 400, 401, 404 |
//! | `GET /api/drops/{id}/audit` | 200 | 401, 404, 500 where counters and rows differ |

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use drop_core::ServiceError;
use drop_core::model::DropId;
use drop_core::store::{Page, Scope};
use serde::Deserialize;

use crate::app::App;
use crate::dto::{AuditView, HeldView, HoldsView};
use crate::error::{About, Problem};
use crate::extract::{self, Admin, Params, Segment};
use crate::middleware::json;

use super::drops::no_drop;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/drops/{id}/reservations", get(holds))
        .route("/api/drops/{id}/audit", get(audit))
}

#[derive(Debug, Deserialize)]
pub(super) struct PageParams {
    limit: Option<String>,
    before: Option<String>,
}

impl PageParams {
    const USUAL_LIMIT: usize = 100;
    const MAX_LIMIT: usize = 500;

    pub(super) fn page(&self) -> Result<Page, Problem> {
        Ok(Page {
            before: extract::id("before", self.before.as_deref())?,
            limit: extract::limit(self.limit.as_deref(), Self::USUAL_LIMIT, Self::MAX_LIMIT)?,
        })
    }
}

async fn holds(
    _: Admin,
    State(app): State<App>,
    segment: Segment,
    Params(params): Params<PageParams>,
) -> Result<Response, Problem> {
    let id: DropId = segment.id(no_drop())?;
    let page = params.page()?;
    let holds = app.service.holds(&Scope::Drop(id), page).await.map_err(refused)?;
    if holds.is_empty() {
        must_exist(&app, id).await?;
    }
    let mut reservations = Vec::with_capacity(holds.len());
    for held in &holds {
        let variant = held.reservation.claim().variant;
        let name = app.names.name(&app.service, id, variant).await.map_err(refused)?;
        reservations.push(HeldView::new(held, name));
    }
    Ok(json(StatusCode::OK, HoldsView { reservations }))
}

/// An empty list is no answer about a drop that does not exist.
pub(super) async fn must_exist(app: &App, id: DropId) -> Result<(), Problem> {
    let snapshot = app.service.drop_snapshot(id).await.map_err(refused)?;
    snapshot.map(|_| ()).ok_or_else(no_drop)
}

async fn audit(_: Admin, State(app): State<App>, segment: Segment) -> Result<Response, Problem> {
    let id = segment.id(no_drop())?;
    let audit = app.service.audit(id).await.map_err(refused)?;
    Ok(json(StatusCode::OK, AuditView::new(&audit)))
}

#[expect(clippy::needless_pass_by_value, reason = "it is used in map_err")]
fn refused(error: ServiceError) -> Problem {
    Problem::of(About::Drop, &error)
}
