//! Addresses that other programs understand.

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

/// The address without what only this client understands.
pub(super) fn url(options: &PgConnectOptions) -> String {
    let url = options.to_url_lossy().to_string();
    url.split("&statement-cache-capacity").next().unwrap_or_default().to_owned()
}
