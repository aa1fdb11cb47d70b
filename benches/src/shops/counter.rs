//! [`CounterStatement`]: one statement, with a counter on the drop's row.

use super::shop::Shop;
use super::tables::Tables;
use super::till::Till;

/// One statement for each request, which counts on the drop's row and inserts.
#[derive(Clone, Debug)]
pub struct CounterStatement {
    tables: Tables,
}

impl CounterStatement {
    /// Its name.
    pub const SERIES: &str = "one statement, counter";

    /// On a database of its own.
    pub async fn begin() -> Self {
        Self::over(Tables::begin().await)
    }

    /// On tables that may have been filled before.
    pub(super) const fn over(tables: Tables) -> Self {
        Self { tables }
    }
}

impl Shop for CounterStatement {
    fn series(&self) -> &'static str {
        Self::SERIES
    }

    async fn open(&self, stock: u32) -> i64 {
        self.tables.open(stock).await
    }

    async fn reserve(&self, drop_id: i64, username: String) -> Option<i64> {
        // Who is refused is not made a user: nothing is written then.
        sqlx::query_scalar(
            "WITH stock AS (UPDATE drops SET held = held + 1, next_number = next_number + 1 \
             WHERE id = $1 AND held + sold < total RETURNING next_number - 1 AS n, price), \
             buyer AS (INSERT INTO users (username, created_at, updated_at) \
             SELECT $2, now(), now() FROM stock \
             ON CONFLICT (lower(username COLLATE \"C\")) DO UPDATE SET updated_at = now() RETURNING id) \
             INSERT INTO reservations (drop_id, n, user_id, variant, quantity, price, status, \
             created_at, expires_at, updated_at) SELECT $1, stock.n, buyer.id, 0, 1, \
             stock.price, 'active', now(), now() + interval '1 hour', now() \
             FROM stock, buyer RETURNING n",
        )
        .bind(drop_id)
        .bind(username)
        .fetch_optional(&self.tables.pool)
        .await
        .expect("a reserve")
    }

    async fn held(&self, drop_id: i64) -> u64 {
        let held = self.tables.held(drop_id).await;
        let counter: i64 = sqlx::query_scalar("SELECT held FROM drops WHERE id = $1")
            .bind(drop_id)
            .fetch_one(&self.tables.pool)
            .await
            .expect("a counter");
        assert_eq!(u64::try_from(counter), Ok(held), "the counter and the rows");
        held
    }
}

impl Till for CounterStatement {
    async fn purchase(&self, drop_id: i64, hold: i64, _username: &str) {
        let bought = sqlx::query(
            "WITH ended AS (UPDATE reservations SET status = 'completed', updated_at = now() \
             WHERE drop_id = $1 AND n = $2 AND status = 'active' AND expires_at > now() \
             RETURNING user_id, price), \
             counted AS (UPDATE drops SET held = held - 1, sold = sold + 1 \
             WHERE id = $1 AND EXISTS (SELECT 1 FROM ended)) \
             INSERT INTO purchases (drop_id, n, user_id, variant, quantity, amount_paid, \
             created_at, updated_at) SELECT $1, $2, user_id, 0, 1, price, now(), now() \
             FROM ended",
        )
        .bind(drop_id)
        .bind(hold)
        .execute(&self.tables.pool)
        .await
        .expect("a purchase");
        assert_eq!(bought.rows_affected(), 1, "the hold is there");
    }

    async fn sold(&self, drop_id: i64) -> u64 {
        self.tables.sold(drop_id).await
    }
}
