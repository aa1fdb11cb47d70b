//! [`Filled`]: contenders whose drops have rows already.

use std::sync::Arc;

use drop_core::model::HoldPolicy;
use drop_store_postgres::testing::Database;
use sqlx::PgConnection;

use super::{ArraysOnly, Contender, CounterStatement, LockCountInsert, Ours, Shop, Tables, Till};
use crate::drops::STOCK;
use crate::load::load;
use crate::stores::{Kind, Stores};

/// Callers that fill what can only be filled by asking.
const CALLERS: usize = 1_024;
/// Numbers that no row has yet, for those who do not count on the drop's row.
const SEQUENCE: i64 = 1 << 27;
const ARRAYS: i64 = 1 << 28;
/// Of so many customers one has not bought yet.
const HELD: usize = 4;

/// A contender whose drops have rows already.
#[expect(missing_debug_implementations, reason = "a contender may be anything")]
pub struct Filled {
    /// Who sells.
    pub contender: Arc<dyn Contender>,
    /// The drops, in each of which so many reservations have been made: a quarter is held, the
    /// others are bought.
    pub drops: Vec<i64>,
}

impl Filled {
    /// One of our stores.
    ///
    /// # Panics
    /// Where it fails.
    pub async fn ours(kind: Kind, drops: usize, rows: usize) -> Self {
        let (ours, drops) = ours(kind, drops, rows).await;
        Self { contender: Arc::new(ours), drops }
    }

    /// Baselines, all on the same tables and drops: to fill a database takes long, and what one
    /// of them adds in a round is little.
    ///
    /// # Panics
    /// Where nobody has a name, or the database fails.
    pub async fn baselines(series: &[&str], drops: usize, rows: usize) -> Vec<Self> {
        let tables = Tables::begin().await;
        let drops = fill_tables(&tables, drops, rows).await;
        let contender = |name: &&str| -> Arc<dyn Contender> {
            match *name {
                LockCountInsert::SERIES => Arc::new(LockCountInsert::over(tables.clone())),
                CounterStatement::SERIES => Arc::new(CounterStatement::over(tables.clone())),
                ArraysOnly::SERIES => {
                    Arc::new(ArraysOnly::over(tables.clone(), ArraysOnly::SERIES, ARRAYS))
                }
                other => panic!("no baseline is called {other}"),
            }
        };
        let filled = series.iter().map(contender);
        filled.map(|contender| Self { contender, drops: drops.clone() }).collect()
    }
}

async fn fill_tables(tables: &Tables, drops: usize, rows: usize) -> Vec<i64> {
    let mut ids = Vec::new();
    for _ in 0..drops {
        ids.push(tables.open(STOCK).await);
    }
    let mut connection = tables.database().connection().await.expect("a connection");
    fill(&mut connection, &ids, rows).await;
    let numbers = sqlx::query("SELECT setval('numbers', $1)").bind(SEQUENCE);
    numbers.execute(&mut connection).await.expect("a number");
    ids
}

async fn ours(kind: Kind, drops: usize, rows: usize) -> (Ours, Vec<i64>) {
    let hold = HoldPolicy::seconds(3600);
    let mut ids = Vec::new();
    if kind != Kind::Postgres {
        let ours = Ours::begin(kind).await;
        for _ in 0..drops {
            let drop_id = Shop::open(&ours, STOCK).await;
            reserve_and_buy(&ours, drop_id, rows).await;
            ids.push(drop_id);
        }
        return (ours, ids);
    }
    // Made by one instance, filled by nobody's, and opened by another, which knows nothing yet.
    let mut stores = Stores::default();
    let database: &Database = stores.database().await;
    let first = database.connect().await.expect("a store");
    for _ in 0..drops {
        let new = crate::drops::new_drop(hold);
        let made = drop_core::Store::create_drop(&first, &new).await.expect("a drop");
        ids.push(made.id.get());
    }
    first.close().await;
    fill(&mut database.connection().await.expect("a connection"), &ids, rows).await;
    let store = database.connect().await.expect("a store");
    (Ours::over(Arc::new(store), stores, kind, hold), ids)
}

async fn reserve_and_buy(ours: &Ours, drop_id: i64, rows: usize) {
    let asks: Vec<_> = super::usernames(rows).into_iter().enumerate().collect();
    let shop = ours.clone();
    load(CALLERS, asks, move |(place, username)| {
        let shop = shop.clone();
        async move {
            let hold = shop.reserve(drop_id, username.clone()).await.expect("stock");
            if place % HELD != 0 {
                shop.purchase(drop_id, hold, &username).await;
            }
        }
    })
    .await;
}

/// Puts reservations, their users and purchases into the tables, as the store would have left
/// them. Foreign keys hold by construction and are not looked at; a million rows take seconds.
async fn fill(connection: &mut PgConnection, drops: &[i64], rows: usize) {
    let rows = i64::try_from(rows).expect("a count");
    let held = i64::try_from(HELD).expect("few");
    let statements = [
        "INSERT INTO users (username, created_at, updated_at) \
         SELECT 'f' || $1 || '_' || n, now(), now() FROM generate_series(1, $2) AS n \
         WHERE $3 > 0",
        "INSERT INTO reservations (drop_id, n, user_id, variant, quantity, price, status, \
         created_at, expires_at, updated_at) \
         SELECT $1, n, (SELECT max(id) FROM users) - $2 + n, 0, 1, 149.99, \
         CASE WHEN n % $3 = 0 THEN 'active' ELSE 'completed' END, now(), \
         now() + interval '1 hour', now() FROM generate_series(1, $2) AS n",
        "INSERT INTO purchases (drop_id, n, user_id, variant, quantity, amount_paid, \
         created_at, updated_at) SELECT drop_id, n, user_id, variant, quantity, price, now(), \
         now() FROM reservations WHERE drop_id = $1 AND n <= $2 AND n % $3 <> 0",
        "UPDATE drops SET next_number = $2 + 1, held = $2 / $3, sold = $2 - $2 / $3 \
         WHERE id = $1",
        "UPDATE drop_variants SET held = $2 / $3, sold = $2 - $2 / $3 WHERE drop_id = $1",
    ];
    let run = async |connection: &mut PgConnection, statement: &'static str| {
        sqlx::raw_sql(statement).execute(connection).await.expect("a statement");
    };
    run(connection, "SET session_replication_role = replica; SET synchronous_commit = off").await;
    for drop_id in drops {
        for statement in statements {
            let query = sqlx::query(statement).bind(*drop_id).bind(rows).bind(held);
            query.execute(&mut *connection).await.expect("rows");
        }
    }
    // What a server does by itself in time, so that it does not do it while it is measured.
    run(connection, "VACUUM (ANALYZE) users, reservations, purchases").await;
    run(connection, "CHECKPOINT").await;
}
