//! That the statements of several drops read what they are asked for, whatever the planner believed
//! of the tables when it planned them.

use drop_core::model::DropId;
use drop_core::rules::Command;
use drop_store_postgres::testing::Database;
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use super::{Queue, outcomes, transactions};
use crate::kit::{assert_sound, database, purchase, reserve};

#[tokio::test]
async fn what_was_planned_on_empty_tables_reads_no_full_one() {
    grows(true).await;
}

#[tokio::test]
async fn what_was_planned_on_tables_that_nobody_has_analysed_reads_no_full_one() {
    grows(false).await;
}

const MANY: u32 = 50_000;

/// Fills tables under a store that has planned its statements, `analysed` while they were nearly
/// empty or not at all, and never again.
async fn grows(analysed: bool) {
    let database = database().await;
    let mut outside = database.connection().await.unwrap();
    for table in ["users", "drops", "drop_variants", "reservations", "purchases", "drop_changes"] {
        let off = format!("ALTER TABLE {table} SET (autovacuum_enabled = off)");
        outside.execute(AssertSqlSafe(off)).await.unwrap();
    }
    let mut queue = Queue::of(&database).await;
    let drops: [DropId; 3] = queue.drops(1_000_000).await;
    if analysed {
        outside.execute("ANALYZE").await.unwrap();
    }
    for round in 0..8 {
        everything(&database, &mut queue, drops, &format!("early{round}")).await;
    }
    fill(&mut outside).await;
    // Each session tells what it counted at the end of its next transaction, if the last time is a
    // second ago.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    everything(&database, &mut queue, drops, "between").await;
    outside.execute("SELECT pg_stat_reset()").await.unwrap();
    for round in 0..8 {
        everything(&database, &mut queue, drops, &format!("late{round}")).await;
    }
    queue.store.close().await;
    let reads = "SELECT relname || ': ' || seq_scan || ' scans' FROM pg_stat_user_tables \
                 WHERE seq_scan > 0 AND relname <> 'drop_ids' AND relname <> 'drop_migrations' \
                 UNION ALL SELECT indexrelname || ': ' || idx_tup_read || ' entries read' \
                 FROM pg_stat_user_indexes WHERE idx_tup_read > 5000";
    let reads: Vec<String> = sqlx::query_scalar(reads).fetch_all(&mut outside).await.unwrap();
    assert_eq!(reads, Vec::<String>::new());
    let store = database.connect().await.unwrap();
    for id in drops {
        assert_sound(&store, id).await;
    }
}

/// Every statement of several drops: holds, and purchases that settle them beside new holds.
async fn everything(database: &Database, queue: &mut Queue, drops: [DropId; 3], name: &str) {
    let mut buying = Vec::new();
    for take in [true, false] {
        let busy = queue.take_connection().await;
        let mut asked = Vec::new();
        for (n, id) in drops.into_iter().enumerate() {
            let commands = match buying.get(n) {
                Some(hold) => vec![purchase(*hold, name), reserve("regular"), Command::Expire],
                None => vec![reserve(name)],
            };
            asked.push(queue.ask(id, commands).await);
        }
        busy.let_go().await;
        let outcomes = outcomes(asked).await;
        if take {
            buying = outcomes.iter().map(|outcomes| super::reserved(&outcomes[0])).collect();
        }
        assert_eq!(transactions(database, &drops).await, 1);
    }
}

/// Many other drops, users, holds and changes.
async fn fill(outside: &mut PgConnection) {
    let script = format!(
        "SET session_replication_role = replica;
         INSERT INTO users (username, created_at, updated_at)
         SELECT 'filler' || i, now(), now() FROM generate_series(1, {MANY}) i;
         INSERT INTO drops SELECT 1000 + i, 1, 2, 9, 1, 0, 'Other', 1, now(), NULL, NULL, 60000000,
            300000000, '[]', now(), now() FROM generate_series(1, {MANY}) i;
         INSERT INTO drop_variants SELECT 1000 + i, 0, NULL, 9, 1, 0
         FROM generate_series(1, {MANY}) i;
         INSERT INTO reservations (drop_id, n, user_id, variant, quantity, price, status,
            created_at, expires_at, updated_at)
         SELECT 1000 + i, 1, 1, 0, 1, 1, 'active', now(), now() + INTERVAL '1 day', now()
         FROM generate_series(1, {MANY}) i;
         INSERT INTO drop_changes (drop_id, revision, as_of, facts)
         SELECT 1000 + i, 1, now(), '{{}}' FROM generate_series(1, {MANY}) i;
         SET session_replication_role = origin;"
    );
    outside.execute(AssertSqlSafe(script)).await.unwrap();
}
