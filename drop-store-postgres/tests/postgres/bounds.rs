//! Nothing waits without a bound, also where no drop is locked: creating, deleting a user, and
//! reaching the server at all.

use std::future::Future;
use std::time::Duration;

use drop_core::model::{DropId, Reservation};
use drop_core::{Store, StoreError};
use drop_store_postgres::PostgresStore;
use drop_store_postgres::testing::{Database, Line, SqlProxy, StepKind, TcpProxy, Verdict};
use sqlx::Executor;
use tokio::task::JoinHandle;

use crate::kit::{
    apply, assert_sound, buy, counts, database, drop_of, forget, hold, is_hold, name, outcome,
    plain, release, reserve, store, try_one,
};

/// Long after every bound that these tests set, and before every other one.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it waits without a bound")
}

fn assert_unavailable<T: std::fmt::Debug>(answer: &Result<T, StoreError>) {
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
}

#[tokio::test]
async fn whoever_deletes_a_user_does_not_wait_for_ever_for_his_row() {
    let database = database().await;
    let builder = database.builder().lock_timeout(Duration::from_millis(200));
    let store = builder.connect().await.unwrap();
    let id = drop_of(&store, 5).await;
    buy(&store, id, "ann").await;
    outcome(&store, id, forget("ann")).await;
    let mut outside = database.connection().await.unwrap();
    outside.execute("BEGIN; SELECT 1 FROM users FOR UPDATE").await.unwrap();
    assert_unavailable(&soon(store.delete_user(&name("ann"))).await);
    outside.execute("ROLLBACK").await.unwrap();
    soon(store.delete_user(&name("ann"))).await.unwrap();
}

/// A user's row that somebody keeps is waited for as long as a drop's, and no longer.
#[tokio::test]
async fn whoever_reserves_does_not_wait_for_ever_for_his_own_row() {
    let database = database().await;
    let id = drop_of(&database.connect().await.unwrap(), 5).await;
    let builder = database.builder().lock_timeout(Duration::from_millis(200));
    let store = builder.answer_timeout(Duration::from_secs(60)).connect().await.unwrap();
    let mut outside = database.connection().await.unwrap();
    let kept = "BEGIN; INSERT INTO users (username, created_at, updated_at) \
                VALUES ('ann', now(), now())";
    outside.execute(kept).await.unwrap();
    assert_unavailable(&soon(try_one(&store, id, reserve("ann"))).await);
    outside.execute("ROLLBACK").await.unwrap();
    soon(hold(&store, id, "ann")).await;
}

#[tokio::test]
async fn a_creation_that_stops_in_the_middle_stops_no_other() {
    let database = database().await;
    let proxy = SqlProxy::before(&database.options()).await.unwrap();
    let builder = PostgresStore::builder_with(proxy.options());
    let builder = builder.idle_timeout(Duration::from_millis(100));
    let stopping = builder.connect_unmigrated().await.unwrap();
    let mut gate = proxy.gate();
    proxy.set_judge(|step| match step.is_work() && step.sql.starts_with("INSERT INTO drops") {
        true => Verdict::Hold,
        false => Verdict::Pass,
    });
    let stopped = tokio::spawn(async move { stopping.create_drop(&plain(1)).await });
    // It has counted the drop, and keeps the counter locked.
    let step = gate.next().await.unwrap();
    let other = database.builder().lock_timeout(Duration::from_secs(10)).connect().await.unwrap();
    soon(other.create_drop(&plain(1))).await.unwrap();
    step.release();
    assert_unavailable(&soon(stopped).await.unwrap());
}

/// A network that takes connections and lets nothing through.
#[tokio::test]
async fn a_server_in_a_black_hole_is_unavailable_at_the_start() {
    let database = database().await;
    let options = database.options();
    let proxy = TcpProxy::before(format!("{}:{}", options.get_host(), options.get_port()));
    let proxy = proxy.await.unwrap();
    proxy.set(Line::BlackHole);
    let options = options.host("127.0.0.1").port(proxy.address().port());
    let builder = PostgresStore::builder_with(options);
    let builder = builder.answer_timeout(Duration::from_millis(300));
    let builder = builder.acquire_timeout(Duration::from_millis(300));
    assert_unavailable(&soon(builder.migrate()).await);
    assert_unavailable(&soon(builder.clone().connect()).await);
    assert_unavailable(&soon(builder.connect_unmigrated()).await);
}

/// The connection is there, and swallows what is asked first.
#[tokio::test]
async fn a_schema_that_cannot_be_read_is_unavailable() {
    let database = database().await;
    let proxy = SqlProxy::before(&database.options()).await.unwrap();
    let builder = PostgresStore::builder_with(proxy.options());
    let builder = builder.answer_timeout(Duration::from_millis(300));
    proxy.set_judge(|step| match step.sql.contains("FROM drop_migrations") {
        true => Verdict::BlackHoleBefore,
        false => Verdict::Pass,
    });
    assert_unavailable(&soon(builder.migrate()).await);
    // Nor is anybody kept by a farewell that nobody hears.
    proxy.set_judge(|step| match step.kind {
        StepKind::End => Verdict::BlackHoleBefore,
        _ => Verdict::Pass,
    });
    soon(builder.migrate()).await.unwrap();
}

/// Words that only a load has.
const LOAD: &str = "r.expires_at IS NOT NULL";

/// A drop with so many holds that they are not loaded behind its lock, by this store.
pub(crate) async fn large(store: &PostgresStore) -> DropId {
    let id = drop_of(store, 9_000).await;
    for part in 0..5 {
        let names = (0..250).map(|n| format!("user{part}_{n}"));
        apply(store, id, names.map(|name| reserve(&name)).collect()).await;
    }
    id
}

/// A store that does not know the drop, and where its loads stop.
async fn stranger(database: &Database) -> (SqlProxy, PostgresStore) {
    let proxy = SqlProxy::before(&database.options()).await.unwrap();
    let store = PostgresStore::builder_with(proxy.options()).connect_unmigrated().await.unwrap();
    proxy.set_judge(|step| match step.sql.contains(LOAD) {
        true => Verdict::Hold,
        false => Verdict::Pass,
    });
    (proxy, store)
}

/// Ann gets a hold, in a task of its own.
fn asks(store: &PostgresStore, id: DropId) -> JoinHandle<Reservation> {
    let store = store.clone();
    tokio::spawn(async move { hold(&store, id, "ann").await })
}

/// However long the load takes, the drop sells; and in the end the stranger has its turn, though
/// the drop moves on each time by more than can be followed.
#[tokio::test]
async fn who_loads_many_holds_keeps_nobody_waiting() {
    let (database, other) = store().await;
    let id = large(&other).await;
    let (proxy, stranger) = stranger(&database).await;
    let mut gate = proxy.gate();
    let asking = asks(&stranger, id);
    for load in 0..3 {
        let standing = soon(gate.next()).await.unwrap();
        for n in 0..40 {
            hold(&other, id, &format!("late{load}_{n}")).await;
        }
        standing.release();
    }
    // Then others wait, or it would never have the drop.
    let standing = soon(gate.next()).await.unwrap();
    assert_unavailable(&try_one(&other, id, reserve("dan")).await);
    proxy.pass();
    standing.release();
    soon(asking).await.unwrap();
    assert_eq!(counts(&stranger, id).await, (9_000, 1_250 + 3 * 40 + 1, 0));
    assert_sound(&stranger, id).await;
}

/// The revision is read before the holds: what others commit in between is in neither, so that
/// it is followed, and not loaded once more.
#[tokio::test]
async fn what_is_loaded_apart_is_of_one_moment() {
    let (database, other) = store().await;
    let id = large(&other).await;
    let (proxy, stranger) = stranger(&database).await;
    let mut gate = proxy.gate();
    let asking = asks(&stranger, id);
    let standing = soon(gate.next()).await.unwrap();
    let held = hold(&other, id, "bob").await;
    outcome(&other, id, release(held.id(), "bob")).await;
    hold(&other, id, "cat").await;
    proxy.pass();
    standing.release();
    soon(asking).await.unwrap();
    let loads = proxy.take_steps();
    let loads = loads.iter().filter(|step| step.sql.contains(LOAD)).count();
    assert_eq!(loads, 1);
    assert_sound(&stranger, id).await;
    assert!(is_hold(&outcome(&stranger, id, reserve("bob")).await));
    assert_sound(&stranger, id).await;
}
