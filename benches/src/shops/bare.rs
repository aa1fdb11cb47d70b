//! [`BareInsert`]: what a request costs in a transaction of its own, without any rule.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::shop::Shop;
use super::tables::Tables;

/// One statement for each request, which inserts the user and the reservation and looks at
/// nothing.
#[derive(Clone, Debug)]
pub struct BareInsert {
    tables: Tables,
    next: Arc<AtomicI64>,
}

impl BareInsert {
    /// Its name.
    pub const SERIES: &str = "bare insert";

    /// On a database of its own.
    pub async fn begin() -> Self {
        Self { tables: Tables::begin().await, next: Arc::new(AtomicI64::new(1)) }
    }
}

impl Shop for BareInsert {
    fn series(&self) -> &'static str {
        Self::SERIES
    }

    async fn open(&self, stock: u32) -> i64 {
        self.tables.open(stock).await
    }

    async fn reserve(&self, drop_id: i64, username: String) -> Option<i64> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let inserted = sqlx::query(
            "WITH made AS (INSERT INTO users (id, username, created_at, updated_at) \
             OVERRIDING SYSTEM VALUE VALUES ($2, $3, now(), now())) \
             INSERT INTO reservations (drop_id, n, user_id, variant, quantity, price, status, \
             created_at, expires_at, updated_at) VALUES ($1, $2, $2, 0, 1, 149.99, 'active', \
             now(), now() + interval '1 hour', now())",
        )
        .bind(drop_id)
        .bind(number)
        .bind(username)
        .execute(&self.tables.pool)
        .await
        .expect("a row");
        assert_eq!(inserted.rows_affected(), 1);
        Some(number)
    }

    async fn held(&self, drop_id: i64) -> u64 {
        self.tables.held(drop_id).await
    }
}
