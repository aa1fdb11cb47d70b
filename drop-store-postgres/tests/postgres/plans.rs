//! What the hot path costs on full tables, and that a plan made on empty ones does not stay.

use drop_core::Store;
use drop_core::model::{DropId, ReservationId};
use drop_store_postgres::PostgresStore;
use drop_store_postgres::testing::{Cluster, HotStatement, hot_statements};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::kit::{
    apply, assert_sound, buy, database, drop_of, hold, purchase, reserve, terms, units,
};

/// More blocks than any hot statement may touch for a handful of rows: a table of 200,000
/// reservations has 3,000, and its smallest index 500.
const BLOCKS: i64 = 400;

/// As many users as `rows`, and in two drops each half as many reservations, numbered from
/// `after` on: two of five active, beginning with the first, and two of five bought; and a tenth
/// as many changes. Counters and rows agree.
async fn fill(outside: &mut PgConnection, [first, second]: [DropId; 2], after: i64, rows: i64) {
    let (changes, fifths) = (rows / 10, rows / 5);
    let script = format!(
        "SET session_replication_role = replica;
         INSERT INTO users (username, created_at, updated_at)
         SELECT 'filler' || i, now(), now() FROM generate_series(1, {rows}) i;
         INSERT INTO reservations (drop_id, n, user_id, variant, quantity, price, status,
            created_at, expires_at, updated_at)
         SELECT CASE WHEN i % 2 = 0 THEN {first} ELSE {second} END, {after} + (i + 1) / 2,
            (SELECT id FROM users WHERE lower(username COLLATE \"C\") = 'filler1') + i - 1, 0, 1, 1.5, CASE WHEN (i + 1) / 2 % 5 IN (1, 2) THEN 'active'
                WHEN (i + 1) / 2 % 5 IN (3, 4) THEN 'completed' ELSE 'expired' END,
            now(), now() + INTERVAL '1 day', now()
         FROM generate_series(1, {rows}) i;
         INSERT INTO purchases (drop_id, n, user_id, variant, quantity, amount_paid, created_at,
            updated_at)
         SELECT drop_id, n, user_id, variant, quantity, price, created_at, updated_at
         FROM reservations WHERE status = 'completed' AND n > {after};
         INSERT INTO drop_changes (drop_id, revision, as_of, facts)
         SELECT {second}, 1000 + i, now(), '{{}}' FROM generate_series(1, {changes}) i;
         UPDATE drop_variants SET held = held + {fifths}, sold = sold + {fifths}
         WHERE drop_id IN ({first}, {second});
         UPDATE drops SET held = held + {fifths}, sold = sold + {fifths}, next_number = 300000,
            updated_at = clock_timestamp() WHERE id IN ({first}, {second});
         SET session_replication_role = origin;"
    );
    outside.execute(AssertSqlSafe(script)).await.unwrap();
}

#[tokio::test]
async fn no_hot_statement_scans_a_table() {
    let database = database().await;
    let store = database.connect().await.unwrap();
    let first = drop_of(&store, 1_000_000).await;
    let second = drop_of(&store, 1_000_000).await;
    assert_eq!(first.get(), 1);
    let mut outside = database.connection().await.unwrap();
    fill(&mut outside, [first, second], 0, 200_000).await;
    outside.execute("ANALYZE").await.unwrap();
    for statement in hot_statements() {
        for kept in [false, true] {
            let plan = explain(&mut outside, &statement, kept).await;
            let name = statement.name;
            for table in ["reservations", "purchases", "users", "drop_changes"] {
                assert!(!plan.contains(&format!("Seq Scan on {table}")), "{name}: {plan}");
            }
            assert!(blocks(&plan) < BLOCKS, "{name} touches {} blocks: {plan}", blocks(&plan));
        }
    }
}

/// The plan of one run, which is undone; with `kept`, of one as a session has it that keeps
/// its plans, where the statement is prepared at all.
async fn explain(outside: &mut PgConnection, statement: &HotStatement, kept: bool) -> String {
    let mut transaction = outside.begin().await.unwrap();
    if statement.within {
        for setting in HotStatement::settings() {
            transaction.execute(AssertSqlSafe(setting)).await.unwrap();
        }
        if kept && !statement.name.starts_with("LOAD") {
            transaction.execute("SET LOCAL plan_cache_mode = force_generic_plan").await.unwrap();
        }
    }
    let types =
        if statement.types.is_empty() { String::new() } else { format!("({})", statement.types) };
    let prepare = format!("PREPARE hot {types} AS {}", statement.sql);
    transaction.execute(AssertSqlSafe(prepare)).await.unwrap();
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS) EXECUTE hot ({})", statement.arguments);
    let lines = sqlx::query_scalar::<_, String>(AssertSqlSafe(explain)).persistent(false);
    let lines = lines.fetch_all(&mut *transaction).await.unwrap();
    transaction.execute("DEALLOCATE hot").await.unwrap();
    transaction.rollback().await.unwrap();
    lines.join("\n")
}

/// The blocks that the whole statement touched: the first line that counts them.
fn blocks(plan: &str) -> i64 {
    let line = plan.lines().find(|line| line.trim_start().starts_with("Buffers: shared"));
    let counts = line.unwrap_or_default().split(['=', ' ']);
    counts.filter_map(|count| count.parse::<i64>().ok()).sum()
}

#[tokio::test]
async fn a_statement_that_was_planned_on_empty_tables_does_not_scan_full_ones() {
    grows(20_000, true).await;
}

#[tokio::test]
async fn tables_that_nobody_has_analysed_are_not_scanned() {
    // At some sizes its guesses mislead a planner, at others they do not.
    grows(20_000, false).await;
    grows(200_000, false).await;
}

/// Fills tables under a store that has planned its statements, `analysed` while they were empty
/// or not at all, and never again.
async fn grows(rows: i64, analysed: bool) {
    let database = database().await;
    let mut outside = database.connection().await.unwrap();
    for table in ["users", "drops", "drop_variants", "reservations", "purchases", "drop_changes"] {
        let off = format!("ALTER TABLE {table} SET (autovacuum_enabled = off)");
        outside.execute(AssertSqlSafe(off)).await.unwrap();
    }
    if analysed {
        outside.execute("ANALYZE").await.unwrap();
    }
    // One connection, so that each statement is planned, and kept, before there are any rows.
    let store = database.builder().pool_size(1).connect().await.unwrap();
    let first = drop_of(&store, 1_000_000).await;
    let mut limited = terms();
    limited.limit = Some(units(1000));
    let limited = drop_core::model::NewDrop::plain(limited, units(1_000_000)).unwrap();
    let second = store.create_drop(&limited).await.unwrap().id;
    for round in 0..12 {
        everything(&store, &format!("early{round}"), [first, second]).await;
    }
    fill(&mut outside, [first, second], 1000, rows).await;
    // What others have made of a drop is loaded once.
    everything(&store, "first", [first, second]).await;
    reset(&mut outside, &store).await;
    for round in 0..12 {
        everything(&store, &format!("late{round}"), [first, second]).await;
    }
    // A session tells what it did at its end at the latest.
    store.close().await;
    let scans = "SELECT relname || ': ' || seq_scan || ' scans' FROM pg_stat_user_tables \
                 WHERE seq_scan > 0 AND relname IN \
                 ('reservations', 'purchases', 'users', 'drop_changes')";
    let scans = sqlx::query_scalar::<_, String>(scans).fetch_all(&mut outside).await.unwrap();
    assert_eq!(scans, Vec::<String>::new());
    // Nor did it read a whole index: 60 batches for each of two drops, each of a few rows. Of the
    // drops' own rows an index has two, and each version that a snapshot of the server's keeps.
    let reads = "SELECT indexrelname || ': ' || idx_tup_read || ' entries read' \
                 FROM pg_stat_user_indexes WHERE idx_tup_read > 5000 AND relname IN \
                 ('reservations', 'purchases', 'users', 'drop_changes')";
    let reads = sqlx::query_scalar::<_, String>(reads).fetch_all(&mut outside).await.unwrap();
    assert_eq!(reads, Vec::<String>::new());
    let store = database.connect().await.unwrap();
    assert_sound(&store, first).await;
    assert_sound(&store, second).await;
}

/// Every statement of the hot path once, on each drop.
async fn everything(store: &PostgresStore, customer: &str, drops: [DropId; 2]) {
    for id in drops {
        buy(store, id, customer).await;
        let held = hold(store, id, customer).await;
        // Ends one hold and takes another in one change.
        let next = ReservationId::new(id, held.id().number() + 1).unwrap();
        let commands = vec![crate::kit::release(held.id(), customer), reserve(customer)];
        apply(store, id, commands).await;
        apply(store, id, vec![purchase(next, customer), reserve("regular")]).await;
    }
}

/// To plan what every batch asks takes a lone caller longer than to run it.
#[tokio::test]
async fn what_every_batch_asks_is_planned_once() {
    let settings = [
        ("shared_preload_libraries", "pg_stat_statements"),
        ("pg_stat_statements.track_planning", "on"),
    ];
    let cluster = Cluster::private_in_memory(&settings).await.unwrap();
    let database = cluster.database().await.unwrap();
    let mut outside = database.connection().await.unwrap();
    outside.execute("CREATE EXTENSION pg_stat_statements").await.unwrap();
    let store = database.builder().pool_size(1).connect().await.unwrap();
    let id = drop_of(&store, 100).await;
    for n in 0..20 {
        hold(&store, id, &format!("user{n}")).await;
    }
    let asked = "SELECT query, plans FROM pg_stat_statements WHERE calls >= 20 AND \
                 query ~ 'INTO users|FROM drops|AS sought|INTO reservations'";
    let asked = sqlx::query_as::<_, (String, i64)>(asked).fetch_all(&mut outside).await.unwrap();
    assert_eq!(asked.len(), 5, "users, lock, head, customers, the write: {asked:?}");
    // Once more where its tables have been analysed meanwhile.
    assert!(asked.iter().all(|(_, plans)| *plans <= 2), "{asked:?}");
}

/// Forgets what the server has counted so far. Each session tells what it counted at the end of
/// its next transaction, if the last time is a second ago: so both are asked for one first.
async fn reset(outside: &mut PgConnection, store: &PostgresStore) {
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    outside.execute("SELECT 1").await.unwrap();
    store.heads(None, 1).await.unwrap();
    outside.execute("SELECT pg_stat_reset()").await.unwrap();
}
