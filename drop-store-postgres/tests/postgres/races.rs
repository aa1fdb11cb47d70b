//! Many at once, and whatever the owner of the database has set: nothing is sold twice.

use std::sync::Arc;

use drop_core::model::{DropId, Revision};
use drop_core::rules::{Outcome, Rejection};
use drop_core::store::Deletion;
use drop_core::{Store, StoreError};
use drop_store_postgres::PostgresStore;
use drop_store_postgres::testing::Database;
use sqlx::{AssertSqlSafe, Executor};
use tokio::sync::Barrier;

use crate::kit::{
    assert_sound, counts, database, drop_of, forget, hold, is_hold, name, outcome, purchase,
    refused, reserve, seconds, timed, try_one,
};
use crate::sales::replays;

/// Everybody reserves in the same moment, half of them through each instance.
async fn herd(stores: [&PostgresStore; 2], id: DropId, crowd: usize) -> Vec<Outcome> {
    let barrier = Arc::new(Barrier::new(crowd));
    let tasks: Vec<_> = (0..crowd)
        .map(|n| {
            let (store, barrier) = (stores[n % 2].clone(), barrier.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                outcome(&store, id, reserve(&format!("user{n}"))).await
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

async fn one_of_one(database: &Database) {
    let [first, second] = [database.connect().await.unwrap(), database.connect().await.unwrap()];
    for _ in 0..5 {
        let id = drop_of(&first, 1).await;
        let outcomes = herd([&first, &second], id, 16).await;
        let holds = outcomes.iter().filter(|outcome| is_hold(outcome)).count();
        let refusals = outcomes.iter().filter(|o| **o == refused(Rejection::OutOfStock)).count();
        assert_eq!((holds, refusals), (1, 15));
        assert_eq!(counts(&first, id).await, (1, 1, 0));
        assert_sound(&second, id).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_sell_one_of_one() {
    one_of_one(&database().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_sell_one_of_one_where_the_default_is_repeatable_read() {
    let database = database().await;
    database.set("default_transaction_isolation", "repeatable read").await.unwrap();
    one_of_one(&database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_sell_one_of_one_where_the_default_is_serializable() {
    let database = database().await;
    database.set("default_transaction_isolation", "serializable").await.unwrap();
    one_of_one(&database).await;
}

#[tokio::test]
async fn commits_are_flushed_and_read_committed_whatever_the_defaults_are() {
    let database = database().await;
    database.set("synchronous_commit", "off").await.unwrap();
    database.set("default_transaction_isolation", "repeatable read").await.unwrap();
    let mut outside = database.connection().await.unwrap();
    let shown = sqlx::query_scalar::<_, String>("SHOW synchronous_commit");
    assert_eq!(shown.fetch_one(&mut outside).await.unwrap(), "off");
    // A trigger notes what counts at the time of the writing.
    outside
        .execute(
            "CREATE TABLE noted (value TEXT);
             CREATE FUNCTION note() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO noted VALUES (TG_TABLE_NAME || ': '
                    || current_setting('synchronous_commit') || ', '
                    || current_setting('transaction_isolation')); RETURN NULL; END $$;
             CREATE TRIGGER note AFTER INSERT ON drop_changes
                FOR EACH STATEMENT EXECUTE FUNCTION note();
             CREATE TRIGGER note AFTER INSERT ON users
                FOR EACH STATEMENT EXECUTE FUNCTION note();",
        )
        .await
        .unwrap();
    let store = database.connect().await.unwrap();
    let id = drop_of(&store, 1).await;
    hold(&store, id, "ann").await;
    let noted = sqlx::query_scalar::<_, String>("SELECT value FROM noted");
    let noted = noted.fetch_all(&mut outside).await.unwrap();
    // Making a user is not waited for: nobody is told his id before the commit of his
    // reservation, and that flushes what was written before.
    let expected = [
        "drop_changes: on, read committed",
        "users: off, read committed",
        "drop_changes: on, read committed",
    ];
    assert_eq!(noted, expected);
}

#[tokio::test]
async fn a_wait_for_the_lock_that_crosses_the_deadline_sells_nothing() {
    let (database, time, store) = timed().await;
    let id = drop_of(&store, 1).await;
    let held = hold(&store, id, "ann").await;
    let mut outside = database.connection().await.unwrap();
    outside.execute("BEGIN").await.unwrap();
    let lock = format!("SELECT 1 FROM drops WHERE id = {id} FOR UPDATE");
    outside.execute(AssertSqlSafe(lock)).await.unwrap();
    let buying = tokio::spawn({
        let store = store.clone();
        async move { outcome(&store, id, purchase(held.id(), "ann")).await }
    });
    waits(&database, 1).await;
    time.set_time(held.expires_at()).await.unwrap();
    outside.execute("COMMIT").await.unwrap();
    assert_eq!(buying.await.unwrap(), refused(Rejection::ReservationExpired));
    hold(&store, id, "bob").await;
    assert_sound(&store, id).await;
}

#[tokio::test]
async fn what_was_committed_while_waiting_for_the_lock_is_seen() {
    let (database, _time, store) = timed().await;
    let id = drop_of(&store, 5).await;
    let mut outside = database.connection().await.unwrap();
    outside.execute("BEGIN").await.unwrap();
    let sold = format!("UPDATE drop_variants SET sold = 5 WHERE drop_id = {id}");
    let summed = format!("UPDATE drops SET sold = 5 WHERE id = {id}");
    outside.execute(AssertSqlSafe(summed)).await.unwrap();
    outside.execute(AssertSqlSafe(sold)).await.unwrap();
    let taking = tokio::spawn({
        let store = store.clone();
        async move { outcome(&store, id, reserve("ann")).await }
    });
    waits(&database, 1).await;
    outside.execute("COMMIT").await.unwrap();
    assert_eq!(taking.await.unwrap(), refused(Rejection::OutOfStock));
}

#[tokio::test]
async fn the_time_of_a_drop_never_goes_back() {
    let (_database, time, store) = timed().await;
    let id = drop_of(&store, 5).await;
    let held = hold(&store, id, "ann").await;
    time.advance(seconds(30)).await.unwrap();
    let later = hold(&store, id, "bob").await.claim().created_at;
    time.set_time(held.claim().created_at).await.unwrap();
    let again = hold(&store, id, "eve").await.claim().created_at;
    assert_eq!(again, later);
    let read = store.snapshot(id).await.unwrap().unwrap();
    assert_eq!((read.as_of, read.updated_at), (later, later));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_users_against_reserving_loses_no_reservation() {
    let (_database, time, store) = timed().await;
    let other = time.connect().await.unwrap();
    let id = drop_of(&store, 1000).await;
    let deleting = tokio::spawn(async move {
        let mut deleted = 0;
        while deleted < 30 {
            outcome(&other, id, forget("ann")).await;
            // Deleted, refused because Ann reserved again, or not there yet: all are sound.
            if other.delete_user(&name("ann")).await.unwrap() == Deletion::Deleted {
                deleted += 1;
            }
        }
    });
    let mut reserved = 0;
    while !deleting.is_finished() {
        match try_one(&store, id, reserve("ann")).await {
            Ok(answer) => assert!(is_hold(&answer), "{answer:?}"),
            // Ann went several times in a row between being looked up and being written.
            Err(StoreError::Contended(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
        reserved += 1;
    }
    deleting.await.unwrap();
    assert!(reserved > 3);
    assert_sound(&store, id).await;
    replays(&store, id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_at_once_stays_sound() {
    let (_database, time, store) = timed().await;
    let other = time.connect().await.unwrap();
    let id = drop_of(&store, 20).await;
    let tasks: Vec<_> = (0..12)
        .map(|n| {
            let store = if n % 2 == 0 { store.clone() } else { other.clone() };
            let time = time.clone();
            tokio::spawn(async move {
                // Names overlap, so that instances make the same users at once.
                let customer = format!("user{}", n / 2);
                for round in 0..12 {
                    let commands = vec![reserve(&customer), reserve(&format!("guest{round}"))];
                    let applied = crate::kit::apply(&store, id, commands).await;
                    let Outcome::Done(drop_core::rules::Effect::Reserved { reservation, .. }) =
                        &applied.outcomes()[0]
                    else {
                        continue;
                    };
                    let command = if round % 3 == 0 {
                        crate::kit::release(reservation.id(), &customer)
                    } else {
                        purchase(reservation.id(), &customer)
                    };
                    outcome(&store, id, command).await;
                    time.advance(seconds(11)).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_sound(&store, id).await;
    replays(&store, id).await;
    let changes = store.changes(id, Revision::ZERO, 10_000).await.unwrap();
    assert!(changes.windows(2).all(|pair| pair[0].as_of <= pair[1].as_of));
}

/// Returns once so many sessions of the database wait for a lock.
pub(crate) async fn waits(database: &Database, sessions: i64) {
    let mut outside = database.connection().await.unwrap();
    let waiting = "SELECT count(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut outside).await.unwrap() < sessions {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
