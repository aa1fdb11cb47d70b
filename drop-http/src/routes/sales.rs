//! Lists of purchases.
//!
//! | route | success | refusals |
//! | --- | --- | --- |
//! | `GET /api/purchases?username=&limit=&before=` | 200, newest first | 400 |
//! | `GET /api/drops/{id}/purchases?limit=&before=` (seller) | 200, newest first | 400, 401, 404 |

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use drop_core::Rejection;
use drop_core::ServiceError;
use drop_core::model::{DropId, Username};
use drop_core::store::{Page, Scope};
use serde::Deserialize;

use crate::app::App;
use crate::dto::{PurchaseView, PurchasesView};
use crate::error::{About, Problem};
use crate::extract::{Admin, Params, Segment};
use crate::middleware::json;

use super::drops::no_drop;
use super::holds::{PageParams, must_exist};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/api/drops/{id}/purchases", get(of_drop))
}

#[derive(Debug, Deserialize)]
pub(super) struct CustomerParams {
    username: Option<String>,
    #[serde(flatten)]
    page: PageParams,
}

pub(super) async fn of_customer(
    State(app): State<App>,
    Params(params): Params<CustomerParams>,
) -> Result<Response, Problem> {
    let username = params.username.as_deref().filter(|text| !text.is_empty());
    let username = username.ok_or_else(|| Problem::validation("username is required"))?;
    let username = Username::new(username).map_err(|invalid| {
        Problem::refusal(About::Purchase, &Rejection::InvalidUsername(invalid))
    })?;
    let purchases = views(&app, &Scope::Customer(username), params.page.page()?).await?;
    Ok(json(StatusCode::OK, PurchasesView { purchases }))
}

async fn of_drop(
    _: Admin,
    State(app): State<App>,
    segment: Segment,
    Params(params): Params<PageParams>,
) -> Result<Response, Problem> {
    let id: DropId = segment.id(no_drop())?;
    let purchases = views(&app, &Scope::Drop(id), params.page()?).await?;
    if purchases.is_empty() {
        must_exist(&app, id).await?;
    }
    Ok(json(StatusCode::OK, PurchasesView { purchases }))
}

async fn views(app: &App, scope: &Scope, page: Page) -> Result<Vec<PurchaseView>, Problem> {
    let sales = app.service.purchases(scope, page).await.map_err(refused)?;
    let mut views = Vec::with_capacity(sales.len());
    for sale in &sales {
        let (drop_id, variant) = (sale.purchase.id.drop_id(), sale.purchase.variant);
        let name = app.names.name(&app.service, drop_id, variant).await.map_err(refused)?;
        views.push(PurchaseView::new(&sale.purchase, &sale.username, name));
    }
    Ok(views)
}

#[expect(clippy::needless_pass_by_value, reason = "it is used in map_err")]
fn refused(error: ServiceError) -> Problem {
    Problem::of(About::Purchase, &error)
}
