//! [`Tables`]: the store's schema without the store, for baselines.

use std::sync::Arc;
use std::time::Duration;

use drop_store_postgres::testing::{Cluster, Database};
use sqlx::postgres::{PgPool, PgPoolOptions};

/// A database with the store's schema, on the same server as ours, and a pool like ours.
#[derive(Clone, Debug)]
pub struct Tables {
    pub(super) pool: PgPool,
    /// Goes with the last clone.
    database: Arc<Database>,
}

impl Tables {
    /// As many as the store's pool has unless it is told otherwise.
    pub const CONNECTIONS: u32 = 10;
    /// Nobody gives up: who queues longest is part of the figure.
    const PATIENCE: Duration = Duration::from_secs(600);

    /// A new database.
    ///
    /// # Panics
    /// Where there is no PostgreSQL.
    pub async fn begin() -> Self {
        let cluster = Cluster::shared().await.expect("PostgreSQL");
        let database = cluster.database().await.expect("a database");
        // A plan made while a table was empty must not read all of it once it is full.
        let options = database.options().options([("enable_seqscan", "off")]);
        let pool = PgPoolOptions::new()
            .max_connections(Self::CONNECTIONS)
            .acquire_timeout(Self::PATIENCE)
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .expect("a pool");
        for sequence in ["CREATE SEQUENCE numbers", "CREATE SEQUENCE drop_numbers"] {
            sqlx::query(sequence).execute(&pool).await.expect("a sequence");
        }
        Self { pool, database: Arc::new(database) }
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    /// A new drop.
    pub(super) async fn open(&self, stock: u32) -> i64 {
        sqlx::query_scalar(
            "INSERT INTO drops (id, revision, next_number, total, held, sold, name, price, \
             starts_at, hold_micros, longest_micros, recent, created_at, updated_at) \
             VALUES (nextval('drop_numbers'), 1, 1, $1, 0, 0, 'Air One', 149.99, now(), 1, 1, \
             '[]', now(), now()) RETURNING id",
        )
        .bind(i64::from(stock))
        .fetch_one(&self.pool)
        .await
        .expect("a drop")
    }

    /// The holds of a drop, counted from their rows.
    pub(super) async fn held(&self, drop_id: i64) -> u64 {
        self.count(
            "SELECT count(*) FROM reservations r JOIN users u ON u.id = r.user_id \
             WHERE r.drop_id = $1 AND r.status = 'active'",
            drop_id,
        )
        .await
    }

    /// The purchases of a drop, counted from their rows.
    pub(super) async fn sold(&self, drop_id: i64) -> u64 {
        self.count(
            "SELECT count(*) FROM purchases p JOIN reservations r USING (drop_id, n) \
             WHERE p.drop_id = $1 AND r.status = 'completed'",
            drop_id,
        )
        .await
    }

    async fn count(&self, query: &'static str, drop_id: i64) -> u64 {
        let count: i64 =
            sqlx::query_scalar(query).bind(drop_id).fetch_one(&self.pool).await.expect("a count");
        u64::try_from(count).expect("a count")
    }
}
