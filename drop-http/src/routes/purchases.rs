//! Purchasing what is held.
//!
//! | route | success | refusals |
//! | --- | --- | --- |
//! | `POST /api/purchases` | 201; 200 at a repeat by the holder | 400, 403, 409, 410, 429, 503 |

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::post;

use crate::app::App;
use crate::dto::{PurchaseAnswer, PurchaseBody, PurchaseView};
use crate::error::{About, Problem};
use crate::extract::Input;
use crate::limits;
use crate::middleware::json;

use super::reservations::variant_name;
use super::sales::of_customer;

pub(super) fn routes(app: &App) -> Router<App> {
    let mut buying = post(purchase);
    if app.purchases.is_some() {
        buying = buying.route_layer(from_fn_with_state(app.clone(), limits::purchases));
    }
    Router::new().route("/api/purchases", buying.get(of_customer))
}

async fn purchase(
    State(app): State<App>,
    Input(body): Input<PurchaseBody>,
) -> Result<Response, Problem> {
    let (id, username) = body.parse()?;
    let purchased = app.service.purchase(id, &username).await;
    let purchased = purchased.map_err(|error| Problem::of(About::Purchase, &error))?;
    let variant = variant_name(&app, id.drop_id(), purchased.purchase.variant).await;
    let answer = PurchaseAnswer {
        success: true,
        purchase: PurchaseView::new(&purchased.purchase, &purchased.username, variant),
        version: purchased.revision.get(),
        server_time: purchased.as_of,
    };
    let status = if purchased.repeated { StatusCode::OK } else { StatusCode::CREATED };
    Ok(json(status, answer))
}
