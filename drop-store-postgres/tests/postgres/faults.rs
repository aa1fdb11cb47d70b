//! Faults: bounded retries, the right kind of error, and nothing left behind.

use std::future::Future;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use drop_core::rules::Rejection;
use drop_core::{Store, StoreError};
use drop_store_postgres::PostgresStore;
use drop_store_postgres::testing::{Cluster, Database, SqlProxy, Verdict};
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use crate::kit::{
    assert_sound, batch, counts, database, drop_of, hold, is_hold, outcome, purchase, refused,
    reserve, store, try_one,
};
use crate::races::waits;
use crate::sales::replays;

/// Lets the next `times` changes fail with this SQLSTATE, after they were written.
///
/// A sequence counts: what it counted stays counted when the transaction is undone.
async fn injure(database: &Database, sqlstate: &str, times: i64) -> PgConnection {
    let mut outside = database.connection().await.unwrap();
    let script = format!(
        "DROP SEQUENCE IF EXISTS injuries CASCADE;
         CREATE SEQUENCE injuries;
         CREATE OR REPLACE FUNCTION injure() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('injuries') <= {times} THEN
                RAISE EXCEPTION 'injected' USING ERRCODE = '{sqlstate}';
            END IF;
            RETURN NULL; END $$;
         CREATE OR REPLACE TRIGGER injure AFTER INSERT ON drop_changes
            FOR EACH STATEMENT EXECUTE FUNCTION injure();"
    );
    outside.execute(AssertSqlSafe(script)).await.unwrap();
    outside
}

async fn injuries(outside: &mut PgConnection) -> i64 {
    let last = sqlx::query_scalar::<_, i64>("SELECT last_value FROM injuries");
    last.fetch_one(outside).await.unwrap()
}

#[tokio::test]
async fn write_conflicts_and_deadlocks_are_tried_again_up_to_a_bound() {
    let (database, store) = store().await;
    let id = drop_of(&store, 5).await;
    for sqlstate in ["40001", "40P01"] {
        let mut outside = injure(&database, sqlstate, 4).await;
        assert!(is_hold(&outcome(&store, id, reserve(&format!("u{sqlstate}"))).await));
        assert_eq!(injuries(&mut outside).await, 5);
        let mut outside = injure(&database, sqlstate, 1000).await;
        let error = try_one(&store, id, reserve("ann")).await.unwrap_err();
        assert!(matches!(error, StoreError::Contended(_)), "{error:?}");
        assert_eq!(injuries(&mut outside).await, 5);
    }
    injure(&database, "40001", 0).await;
    assert_eq!(counts(&store, id).await, (5, 2, 0));
    assert_sound(&store, id).await;
    replays(&store, id).await;
}

/// As another instance that trims at the same time, or a drop that is deleted meanwhile.
#[tokio::test]
async fn trimming_that_others_undo_runs_again() {
    let database = database().await;
    database.set("default_transaction_isolation", "repeatable read").await.unwrap();
    let store = database.connect().await.unwrap();
    let id = drop_of(&store, 5).await;
    for customer in ["ann", "bob"] {
        hold(&store, id, customer).await;
    }
    let mut outside = database.connection().await.unwrap();
    outside.execute("BEGIN; DELETE FROM drop_changes WHERE revision = 1").await.unwrap();
    let trimming = tokio::spawn({
        let store = store.clone();
        async move { store.trim(1).await }
    });
    waits(&database, 1).await;
    outside.execute("COMMIT").await.unwrap();
    assert_eq!(trimming.await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn other_faults_are_not_tried_again_and_say_what_they_are() {
    let (database, store) = store().await;
    let id = drop_of(&store, 5).await;
    let unavailable = |error: &StoreError| matches!(error, StoreError::Unavailable(_));
    for sqlstate in ["53100", "53300", "57P01", "57P03", "57014", "25006", "58030", "08006"] {
        let mut outside = injure(&database, sqlstate, 1).await;
        let error = try_one(&store, id, reserve("ann")).await.unwrap_err();
        assert!(unavailable(&error) && error.is_retryable(), "{sqlstate}: {error:?}");
        assert_eq!(injuries(&mut outside).await, 1);
    }
    for sqlstate in ["23514", "23505", "XX001"] {
        injure(&database, sqlstate, 1).await;
        let error = try_one(&store, id, reserve("ann")).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)), "{sqlstate}: {error:?}");
    }
    injure(&database, "42P01", 1).await;
    let error = try_one(&store, id, reserve("ann")).await.unwrap_err();
    assert!(matches!(error, StoreError::Backend(_)), "{error:?}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("injected"), "{source}");
    assert_eq!(counts(&store, id).await, (5, 0, 0));
    hold(&store, id, "ann").await;
    assert_sound(&store, id).await;
}

#[tokio::test]
async fn the_constraint_stops_what_the_rules_would_let_pass() {
    let (database, store) = store().await;
    let id = drop_of(&store, 5).await;
    let mut outside = database.connection().await.unwrap();
    // Somebody lowers the total past every rule; then rows and counters disagree.
    let held = hold(&store, id, "ann").await;
    let stolen = format!("UPDATE drop_variants SET held = 0 WHERE drop_id = {id}");
    outside.execute(AssertSqlSafe(stolen)).await.unwrap();
    let error = try_one(&store, id, purchase(held.id(), "ann")).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    let audit = store.audit(id).await;
    assert!(matches!(audit, Err(StoreError::Corrupt(_))), "{audit:?}");
    let oversold = format!("UPDATE drop_variants SET sold = 6 WHERE drop_id = {id}");
    let refusal = outside.execute(AssertSqlSafe(oversold)).await.unwrap_err();
    assert_eq!(refusal.as_database_error().unwrap().code().unwrap(), "23514");
}

#[tokio::test]
async fn a_lock_that_is_not_had_in_time_is_unavailable_and_others_go_on() {
    let database = database().await;
    let store = database.builder().lock_timeout(Duration::from_millis(200));
    let store = store.connect().await.unwrap();
    let id = drop_of(&store, 5).await;
    let other = drop_of(&store, 5).await;
    let mut outside = database.connection().await.unwrap();
    outside.execute("BEGIN").await.unwrap();
    let lock = format!("SELECT 1 FROM drops WHERE id = {id} FOR UPDATE");
    outside.execute(AssertSqlSafe(lock)).await.unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { try_one(&store, id, reserve("ann")).await }
    });
    waits(&database, 1).await;
    hold(&store, other, "ann").await;
    // Readers do not wait either.
    assert_eq!(counts(&store, id).await, (5, 0, 0));
    let error = waiting.await.unwrap().unwrap_err();
    // The database said so: nobody gave the connection up for a lack of any answer.
    let StoreError::Unavailable(cause) = &error else { panic!("{error:?}") };
    assert!(cause.to_string().contains("lock timeout"), "{cause}");
    // Of this drop it is said, not of the store; and the connection was good for the next.
    store.ready().await.unwrap();
    outside.execute("ROLLBACK").await.unwrap();
    hold(&store, id, "ann").await;
    assert_eq!(open_transactions(&database).await, 0);
}

#[tokio::test]
async fn a_process_that_stops_in_the_middle_loses_its_lock() {
    let (database, other) = store().await;
    let id = drop_of(&other, 5).await;
    let proxy = SqlProxy::before(&database.options()).await.unwrap();
    let store = PostgresStore::builder_with(proxy.options());
    let store = store.idle_timeout(Duration::from_millis(100)).connect_unmigrated().await.unwrap();
    // It holds the lock, and says nothing more.
    let mut gate = proxy.gate();
    proxy.set_judge(|step| match step.sql.starts_with("WITH rows") {
        true => Verdict::Hold,
        false => Verdict::Pass,
    });
    let stopped = tokio::spawn({
        let store = store.clone();
        async move { try_one(&store, id, reserve("ann")).await }
    });
    let write = gate.next().await.unwrap();
    hold(&other, id, "bob").await;
    proxy.pass();
    write.release();
    let error = stopped.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert_eq!(counts(&store, id).await, (5, 1, 0));
}

#[tokio::test]
async fn a_session_that_is_ended_before_its_commit_wrote_nothing() {
    let (database, store) = store().await;
    let id = drop_of(&store, 5).await;
    hold(&store, id, "bob").await;
    let mut outside = database.connection().await.unwrap();
    // The write waits for a table that somebody has locked; there its session is ended.
    outside.execute("BEGIN; LOCK TABLE drop_changes IN SHARE MODE").await.unwrap();
    let writing = tokio::spawn({
        let store = store.clone();
        async move { try_one(&store, id, reserve("ann")).await }
    });
    waits(&database, 1).await;
    terminate(&mut outside, "wait_event_type = 'Lock'").await;
    let error = writing.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    outside.execute("ROLLBACK").await.unwrap();
    assert_eq!(counts(&store, id).await, (5, 1, 0));
    hold(&store, id, "ann").await;
    // Every connection that idles in the pool is ended: the next call takes another.
    terminate(&mut outside, "true").await;
    hold(&store, id, "eve").await;
    assert_eq!(counts(&store, id).await, (5, 3, 0));
    assert_sound(&store, id).await;
}

#[tokio::test]
async fn a_server_that_goes_away_is_unavailable_and_comes_back() {
    let cluster = Cluster::private(&[]).await.unwrap();
    let database = cluster.database().await.unwrap();
    let builder = database.builder().acquire_timeout(Duration::from_millis(300));
    let store = builder.connect().await.unwrap();
    let id = drop_of(&store, 50).await;
    let mut sold = 0;
    for round in 0..2 {
        for buyer in 0..3 {
            crate::kit::buy(&store, id, &format!("buyer{round}_{buyer}")).await;
            sold += 1;
        }
        cluster.kill().await.unwrap();
        let error = try_one(&store, id, reserve("ann")).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert!(matches!(store.ready().await, Err(StoreError::Unavailable(_))));
        cluster.restart().await.unwrap();
        store.ready().await.unwrap();
        assert_eq!(counts(&store, id).await, (50, 0, sold));
    }
    assert_sound(&store, id).await;
    replays(&store, id).await;
}

#[tokio::test]
async fn a_pool_without_room_says_so_soon() {
    let database = database().await;
    let builder = database.builder().pool_size(1).acquire_timeout(Duration::from_millis(100));
    let store = builder.connect().await.unwrap();
    let id = drop_of(&store, 5).await;
    let mut outside = database.connection().await.unwrap();
    outside.execute("BEGIN; LOCK TABLE drops IN EXCLUSIVE MODE").await.unwrap();
    let taking = tokio::spawn({
        let store = store.clone();
        async move { try_one(&store, id, reserve("ann")).await }
    });
    waits(&database, 1).await;
    let since = Instant::now();
    let error = try_one(&store, id, reserve("bob")).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(since.elapsed() < Duration::from_secs(1));
    outside.execute("ROLLBACK").await.unwrap();
    assert!(is_hold(&taking.await.unwrap().unwrap()));
}

#[tokio::test]
async fn a_caller_who_goes_at_any_moment_leaves_no_transaction_and_no_lock() {
    let (database, store) = store().await;
    // Whoever comes next comes through another pool: through the same one it might be given
    // the very connection, and go on in what was left open there.
    let other = database.connect().await.unwrap();
    let id = drop_of(&store, 100_000).await;
    let mut finished = 0;
    for polls in 0..200 {
        let commands = vec![reserve(&format!("user{polls}")), reserve("ann")];
        let batch = batch(id, commands);
        let mut future = Box::pin(store.apply(&batch));
        let mut done = false;
        for _ in 0..polls {
            if step(future.as_mut()).await.is_ready() {
                done = true;
                break;
            }
        }
        drop(future);
        if done {
            finished += 1;
            if finished == 3 {
                break;
            }
        }
        // Whoever comes next neither waits for a lock that nobody holds nor joins a
        // transaction that somebody left open.
        let next = tokio::time::timeout(Duration::from_secs(2), hold(&other, id, "eve"));
        next.await.expect("a lock was left behind");
        let mut outside = database.connection().await.unwrap();
        let idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND state LIKE 'idle in transaction%'";
        let since = Instant::now();
        while sqlx::query_scalar::<_, i64>(idle).fetch_one(&mut outside).await.unwrap() > 0 {
            assert!(since.elapsed() < Duration::from_secs(2), "left open after {polls} polls");
        }
    }
    assert_eq!(finished, 3, "more polls are needed to see a batch through");
    assert_sound(&store, id).await;
    replays(&store, id).await;
    let sold_out = outcome(&store, id, purchase(hold(&store, id, "ann").await.id(), "bob")).await;
    assert_eq!(sold_out, refused(Rejection::NotYours));
}

/// One poll, and the time for the server's answer to it.
async fn step<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    let mut future = Some(future);
    let polled = std::future::poll_fn(|context: &mut Context<'_>| {
        Poll::Ready(future.take().map(|future| future.poll(context)))
    });
    let polled = polled.await.unwrap_or(Poll::Pending);
    tokio::time::sleep(Duration::from_micros(300)).await;
    polled
}

async fn open_transactions(database: &Database) -> i64 {
    let mut outside = database.connection().await.unwrap();
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                AND state LIKE 'idle in transaction%'";
    sqlx::query_scalar(open).fetch_one(&mut outside).await.unwrap()
}

/// Ends the other sessions of the database for which `condition` holds.
async fn terminate(outside: &mut PgConnection, condition: &str) {
    let script = format!(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND {condition}"
    );
    outside.execute(AssertSqlSafe(script)).await.unwrap();
}
