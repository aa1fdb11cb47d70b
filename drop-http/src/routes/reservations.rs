//! Reservations: taken, read and given back.
//!
//! | route | success | refusals |
//! | --- | --- | --- |
//! | `POST /api/reservations` | 201, `extended` at a repeat | 400, 404, 409, 429, 503 |
//! | `GET /api/reservations/{id}` | 200 while active | 404 NOT_FOUND, 410 EXPIRED |
//! | `DELETE /api/reservations/{id}?username=` | 200, also at a repeat | 400, 401, 403, 404, 409 |
//!
//! The seller deletes without a username, with the admin key.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use drop_core::model::{DropId, ReservationId, Status, VariantNo};
use drop_core::{Rejection, ServiceError};
use serde::Deserialize;

use crate::app::App;
use crate::auth::offered;
use crate::dto::{ActiveView, ReleaseAnswer, ReservationView, ReserveAnswer, ReserveBody};
use crate::error::{About, Problem};
use crate::extract::{Input, Params, Segment};
use crate::limits;
use crate::middleware::json;

pub(super) fn routes(app: &App) -> Router<App> {
    let mut taking = post(reserve);
    if app.reserves.is_some() {
        taking = taking.route_layer(from_fn_with_state(app.clone(), limits::reserves));
    }
    Router::new()
        .route("/api/reservations", taking)
        .route("/api/reservations/{id}", get(read).delete(release))
}

async fn reserve(
    State(app): State<App>,
    Input(body): Input<ReserveBody>,
) -> Result<Response, Problem> {
    let (drop_id, ask) = body.parse()?;
    let reserved = app.service.reserve(drop_id, ask).await;
    let reserved = reserved.map_err(|error| Problem::of(About::Drop, &error))?;
    let variant = reserved.reservation.claim().variant;
    let variant = variant_name(&app, drop_id, variant).await;
    let answer = ReserveAnswer {
        success: true,
        extended: reserved.extended,
        reservation: ReservationView::new(&reserved.reservation, variant),
        version: reserved.revision.get(),
        server_time: reserved.as_of,
    };
    Ok(json(StatusCode::CREATED, answer))
}

/// The name of what was just held or bought. That it cannot be read now does not undo it.
pub(super) async fn variant_name(app: &App, id: DropId, variant: VariantNo) -> Option<String> {
    app.names.name(&app.service, id, variant).await.unwrap_or_else(|error| {
        tracing::warn!(%id, %error, "the variant's name cannot be read");
        None
    })
}

async fn read(State(app): State<App>, segment: Segment) -> Result<Response, Problem> {
    let nothing = Problem::refusal(About::Reservation, &Rejection::ReservationNotFound);
    let id: ReservationId = segment.id(nothing.clone())?;
    let reading = app.service.reservation(id).await.map_err(refused)?.ok_or(nothing)?;
    match reading.reservation.status_at(reading.as_of) {
        Status::Active => Ok(json(StatusCode::OK, ActiveView::new(&reading.reservation))),
        Status::Completed => Err(over("This reservation has already been purchased")),
        Status::Released => Err(over("This reservation was released")),
        Status::Expired => Err(over("Your reservation has expired")),
    }
}

fn over(message: &'static str) -> Problem {
    Problem::new(StatusCode::GONE, "EXPIRED", message)
}

#[derive(Debug, Deserialize)]
struct ReleaseParams {
    username: Option<String>,
}

async fn release(
    State(app): State<App>,
    segment: Segment,
    Params(params): Params<ReleaseParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let nothing = Problem::refusal(About::Reservation, &Rejection::ReservationNotFound);
    let username = params.username.as_deref().filter(|text| !text.is_empty());
    let released = match username {
        Some(username) => app.service.release(segment.id(nothing)?, username).await,
        None if app.admin_key.opens(&headers) => {
            app.service.release_any(segment.id(nothing)?).await
        }
        None if offered(&headers).is_some() => return Err(Problem::unauthorized()),
        None => return Err(Problem::validation("username is required")),
    };
    let released = released.map_err(refused)?;
    let answer = ReleaseAnswer {
        success: true,
        version: released.revision.get(),
        server_time: released.as_of,
    };
    Ok(json(StatusCode::OK, answer))
}

#[expect(clippy::needless_pass_by_value, reason = "it is used in map_err")]
fn refused(error: ServiceError) -> Problem {
    Problem::of(About::Reservation, &error)
}
