//! [`LockCountInsert`]: the seed's transaction.

use super::shop::Shop;
use super::tables::Tables;
use super::till::Till;

/// A transaction for each request: lock the drop's row, count what is held and sold, insert.
#[derive(Clone, Debug)]
pub struct LockCountInsert {
    tables: Tables,
}

impl LockCountInsert {
    /// Its name.
    pub const SERIES: &str = "lock, count, insert";

    /// On a database of its own.
    pub async fn begin() -> Self {
        Self::over(Tables::begin().await)
    }

    /// On tables that may have been filled before.
    pub(super) const fn over(tables: Tables) -> Self {
        Self { tables }
    }

    async fn attempt(&self, drop_id: i64, username: &str) -> Result<Option<i64>, sqlx::Error> {
        let mut transaction = self.tables.pool.begin().await?;
        let user: i64 = sqlx::query_scalar(
            "INSERT INTO users (username, created_at, updated_at) VALUES ($1, now(), now()) \
             ON CONFLICT (lower(username COLLATE \"C\")) DO UPDATE SET updated_at = now() RETURNING id",
        )
        .bind(username)
        .fetch_one(&mut *transaction)
        .await?;
        let total: i64 = sqlx::query_scalar("SELECT total FROM drops WHERE id = $1 FOR UPDATE")
            .bind(drop_id)
            .fetch_one(&mut *transaction)
            .await?;
        let held: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM reservations \
             WHERE drop_id = $1 AND status = 'active' AND expires_at > now()",
        )
        .bind(drop_id)
        .fetch_one(&mut *transaction)
        .await?;
        let sold: i64 = sqlx::query_scalar("SELECT count(*) FROM purchases WHERE drop_id = $1")
            .bind(drop_id)
            .fetch_one(&mut *transaction)
            .await?;
        if held + sold >= total {
            transaction.rollback().await?;
            return Ok(None);
        }
        let number = sqlx::query_scalar(
            "INSERT INTO reservations (drop_id, n, user_id, variant, quantity, price, status, \
             created_at, expires_at, updated_at) VALUES ($1, nextval('numbers'), $2, 0, 1, \
             149.99, 'active', now(), now() + interval '1 hour', now()) RETURNING n",
        )
        .bind(drop_id)
        .bind(user)
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Some(number))
    }

    /// As the seed does: the lock over the join is the drop's too.
    async fn attempt_purchase(&self, drop_id: i64, number: i64) -> Result<(), sqlx::Error> {
        let mut transaction = self.tables.pool.begin().await?;
        let user: i64 = sqlx::query_scalar(
            "SELECT r.user_id, d.price FROM reservations r JOIN drops d ON d.id = r.drop_id \
             WHERE r.drop_id = $1 AND r.n = $2 AND r.status = 'active' FOR UPDATE",
        )
        .bind(drop_id)
        .bind(number)
        .fetch_one(&mut *transaction)
        .await?;
        sqlx::query(
            "INSERT INTO purchases (drop_id, n, user_id, variant, quantity, amount_paid, \
             created_at, updated_at) VALUES ($1, $2, $3, 0, 1, 149.99, now(), now())",
        )
        .bind(drop_id)
        .bind(number)
        .bind(user)
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "UPDATE reservations SET status = 'completed', updated_at = now() \
             WHERE drop_id = $1 AND n = $2",
        )
        .bind(drop_id)
        .bind(number)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }
}

impl Shop for LockCountInsert {
    fn series(&self) -> &'static str {
        Self::SERIES
    }

    async fn open(&self, stock: u32) -> i64 {
        self.tables.open(stock).await
    }

    async fn reserve(&self, drop_id: i64, username: String) -> Option<i64> {
        self.attempt(drop_id, &username).await.expect("a reserve")
    }

    async fn held(&self, drop_id: i64) -> u64 {
        self.tables.held(drop_id).await
    }
}

impl Till for LockCountInsert {
    async fn purchase(&self, drop_id: i64, hold: i64, _username: &str) {
        self.attempt_purchase(drop_id, hold).await.expect("a purchase");
    }

    async fn sold(&self, drop_id: i64) -> u64 {
        self.tables.sold(drop_id).await
    }
}
