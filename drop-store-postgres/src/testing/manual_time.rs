//! [`ManualTime`]: the server's time in a test's hand, with the product's own statements.

use std::time::Duration;

use drop_core::model::Timestamp;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::ClusterError;
use super::address::url;
use crate::builder::PostgresBuilder;
use crate::store::PostgresStore;

/// A function of the name that the store asks for the time, which tells what a row says. It finds
/// the row by an index: sequential scans are forbidden where it is asked.
pub(super) const SCHEMA: &str = "\
CREATE SCHEMA manual_time;
CREATE TABLE manual_time.clock (one BIGINT PRIMARY KEY CHECK (one = 1), at TIMESTAMPTZ NOT NULL);
INSERT INTO manual_time.clock VALUES (1, '2026-01-01T00:00:00Z');
CREATE FUNCTION manual_time.clock_timestamp() RETURNS TIMESTAMPTZ
    LANGUAGE sql VOLATILE AS 'SELECT at FROM manual_time.clock WHERE one = 1';";

/// Names are looked for in the tables' schema first, where new tables go as well; then here;
/// and only then among the server's own functions.
const SEARCH_PATH: &str = "public,manual_time,pg_catalog";

/// The time of a database, for sessions that are opened at its address.
///
/// The statements of the store are the same as ever: their `clock_timestamp()` is looked up
/// along the session's search path, and found here before it is found in `pg_catalog`.
#[derive(Clone, Debug)]
pub struct ManualTime {
    options: PgConnectOptions,
    pool: PgPool,
}

impl ManualTime {
    pub(super) fn over(options: PgConnectOptions) -> Self {
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options.clone());
        Self { options: options.options([("search_path", SEARCH_PATH)]), pool }
    }

    /// The address at which this time counts.
    #[must_use]
    pub fn url(&self) -> String {
        let path = SEARCH_PATH.replace(',', "%2C");
        format!("{}&options=-csearch_path%3D{path}", url(&self.options))
    }

    /// The same, to be changed.
    #[must_use]
    pub fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// Settings for a store that goes by this time.
    pub fn builder(&self) -> PostgresBuilder {
        PostgresStore::builder_with(self.options.clone())
    }

    /// A store that goes by this time, another instance each time.
    ///
    /// # Errors
    /// [`ClusterError::Store`].
    pub async fn connect(&self) -> Result<PostgresStore, ClusterError> {
        Ok(self.builder().connect().await?)
    }

    /// Sets it, forwards or back; transactions that are under way see it at once.
    ///
    /// # Errors
    /// [`ClusterError::Sql`].
    pub async fn set_time(&self, at: Timestamp) -> Result<(), ClusterError> {
        sqlx::query("UPDATE manual_time.clock SET at = $1")
            .bind(at.to_chrono())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Moves it on.
    ///
    /// # Errors
    /// [`ClusterError::Sql`].
    pub async fn advance(&self, span: Duration) -> Result<(), ClusterError> {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        sqlx::query("UPDATE manual_time.clock SET at = at + $1 * INTERVAL '1 microsecond'")
            .bind(micros)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
