//! The REST routes. A file is its routes, their documentation and nothing else; the table of
//! refusals is in `error`.

mod drops;
mod health;
mod holds;
mod purchases;
mod reservations;
mod sales;
mod users;

use axum::Router;
use axum::routing::get;

use crate::app::App;

/// Everything that answers and is done, as opposed to sockets.
pub(crate) fn rest(app: &App) -> Router<App> {
    Router::new()
        .merge(drops::routes())
        .merge(holds::routes())
        .merge(sales::routes())
        .merge(reservations::routes(app))
        .merge(purchases::routes(app))
        .merge(users::routes())
}

/// What a supervisor asks.
pub(crate) fn probes() -> Router<App> {
    let probes = Router::new()
        .route("/api/health", get(health::alive))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready));
    #[cfg(feature = "metrics")]
    let probes = probes.route("/metrics", get(health::metrics));
    probes
}
