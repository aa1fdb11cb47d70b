//! [`ArraysOnly`]: the ceiling of a transaction that writes a batch.

use drop_core::rules::Batch;
use tokio::sync::{mpsc, oneshot};

use super::shop::Shop;
use super::tables::Tables;

/// What queued goes into the tables as arrays, in one statement: users and reservations, with
/// every key, index and foreign key of the schema. No stock, no rules, no feed.
#[derive(Clone, Debug)]
pub struct ArraysOnly {
    tables: Tables,
    series: &'static str,
    queue: mpsc::UnboundedSender<Ask>,
}

#[derive(Debug)]
struct Ask {
    drop_id: i64,
    username: String,
    reply: oneshot::Sender<i64>,
}

impl ArraysOnly {
    /// Its name.
    pub const SERIES: &str = "arrays only";

    /// Its name without the foreign keys.
    pub const UNBOUND: &str = "arrays only, no foreign keys";

    /// On a database of its own, with one writer for all drops.
    pub async fn begin() -> Self {
        Self::over(Tables::begin().await, Self::SERIES, 1)
    }

    /// As [`ArraysOnly::begin`], where a reservation is of whatever drop and user it says.
    pub async fn unbound() -> Self {
        let tables = Tables::begin().await;
        for key in ["reservations_drop", "reservations_user"] {
            let alter = format!("ALTER TABLE reservations DROP CONSTRAINT {key}");
            let altered = sqlx::query(sqlx::AssertSqlSafe(alter)).execute(&tables.pool).await;
            altered.expect("a constraint");
        }
        Self::over(tables, Self::UNBOUND, 1)
    }

    /// On tables that may have been filled before, with the number of its first hold.
    pub(super) fn over(tables: Tables, series: &'static str, first: i64) -> Self {
        let (queue, asks) = mpsc::unbounded_channel();
        tokio::spawn(drain(tables.clone(), asks, first));
        Self { tables, series, queue }
    }
}

async fn drain(tables: Tables, mut asks: mpsc::UnboundedReceiver<Ask>, mut first: i64) {
    let mut batch = Vec::new();
    while asks.recv_many(&mut batch, Batch::MAX_COMMANDS).await > 0 {
        let count = i64::try_from(batch.len()).expect("a batch");
        let numbers: Vec<i64> = (first..first + count).collect();
        first += count;
        let drops: Vec<i64> = batch.iter().map(|ask| ask.drop_id).collect();
        let names: Vec<&str> = batch.iter().map(|ask| ask.username.as_str()).collect();
        // The numbers of the holds are those of their users: nothing has to be read first.
        sqlx::query(
            "WITH made AS (INSERT INTO users (id, username, created_at, updated_at) \
             OVERRIDING SYSTEM VALUE SELECT new.n, new.username, now(), now() \
             FROM unnest($2::bigint[], $3::text[]) AS new (n, username)) \
             INSERT INTO reservations (drop_id, n, user_id, variant, quantity, price, status, \
             created_at, expires_at, updated_at) SELECT new.drop_id, new.n, new.n, 0, 1, 149.99, \
             'active', now(), now() + interval '1 hour', now() \
             FROM unnest($1::bigint[], $2::bigint[]) AS new (drop_id, n)",
        )
        .bind(drops)
        .bind(&numbers)
        .bind(names)
        .execute(&tables.pool)
        .await
        .expect("a batch");
        for (ask, number) in batch.drain(..).zip(numbers) {
            ask.reply.send(number).expect("who asked");
        }
    }
}

impl Shop for ArraysOnly {
    fn series(&self) -> &'static str {
        self.series
    }

    async fn open(&self, stock: u32) -> i64 {
        self.tables.open(stock).await
    }

    async fn reserve(&self, drop_id: i64, username: String) -> Option<i64> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Ask { drop_id, username, reply }).expect("the writer");
        Some(answer.await.expect("an answer"))
    }

    async fn held(&self, drop_id: i64) -> u64 {
        self.tables.held(drop_id).await
    }
}
