//! Which connection does what: one that is warm, one that lives, and none after the end.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::{Duration, Instant};

use drop_core::{Store, StoreError};
use drop_store_postgres::PostgresStore;
use drop_store_postgres::testing::{Database, SqlProxy, StepKind, Verdict};

use sqlx::Executor;

use crate::bounds::soon;
use crate::kit::{database, drop_of, forget, hold, outcome, reserve, try_one};

/// As long as a connection is trusted without a sign of life, and a little longer.
const LONG: Duration = Duration::from_millis(1_100);

/// A store that does not listen, on at most so many connections, and what it sends.
async fn watched(database: &Database, connections: u32) -> (SqlProxy, PostgresStore) {
    let proxy = SqlProxy::before(&database.options()).await.unwrap();
    let builder = PostgresStore::builder_with(proxy.options()).pool_size(connections);
    let store = builder.connect_unmigrated().await.unwrap();
    (proxy, store)
}

/// The steps of the connections that reserve, as connection and kind.
fn taken(proxy: &SqlProxy) -> Vec<(u64, StepKind)> {
    let steps = proxy.take_steps();
    let reserves = |connection| {
        steps
            .iter()
            .any(|step| step.connection == connection && step.sql.contains("EXECUTE drop_lock"))
    };
    let steps = steps.iter().filter(|step| reserves(step.connection));
    steps.map(|step| (step.connection, step.kind)).collect()
}

#[tokio::test]
async fn batches_go_by_the_connection_of_the_last_with_nothing_in_between() {
    let database = database().await;
    let (proxy, store) = watched(&database, 10).await;
    let id = drop_of(&store, 100).await;
    // Two at once need two connections; then one is enough.
    tokio::join!(hold(&store, id, "ann"), hold(&store, id, "bob"));
    hold(&store, id, "cat").await;
    let steps = loop {
        proxy.take_steps();
        let since = Instant::now();
        for n in 0..5 {
            hold(&store, id, &format!("user{n}")).await;
        }
        // On a machine that stood still meanwhile it is right to try the connection.
        if since.elapsed() < LONG / 2 {
            break taken(&proxy);
        }
    };
    let (first, _) = steps[0];
    assert!(steps.iter().all(|(connection, _)| *connection == first), "{steps:?}");
    assert!(steps.iter().all(|(_, kind)| *kind != StepKind::Ping), "{steps:?}");
}

#[tokio::test]
async fn a_connection_that_was_idle_for_long_is_tried_and_one_that_died_is_replaced() {
    let database = database().await;
    let (proxy, store) = watched(&database, 10).await;
    let id = drop_of(&store, 100).await;
    hold(&store, id, "ann").await;
    proxy.take_steps();
    tokio::time::sleep(LONG).await;
    hold(&store, id, "bob").await;
    let steps = taken(&proxy);
    let (alive, kind) = steps[0];
    assert_eq!(kind, StepKind::Ping, "{steps:?}");
    proxy.set_judge(move |step| match step.connection == alive && step.kind == StepKind::Ping {
        true => Verdict::CutBefore,
        false => Verdict::Pass,
    });
    tokio::time::sleep(LONG).await;
    hold(&store, id, "cat").await;
    let steps = taken(&proxy);
    assert!(steps.iter().all(|(connection, _)| *connection != alive), "{steps:?}");
}

/// Where the network swallows the sign of life, only who asked for it is kept waiting.
#[tokio::test]
async fn a_connection_that_is_swallowed_while_it_is_idle_leaves_its_place_at_once() {
    let database = database().await;
    let proxy = SqlProxy::before(&database.options()).await.unwrap();
    let builder = PostgresStore::builder_with(proxy.options()).pool_size(1);
    let builder = builder.acquire_timeout(Duration::from_millis(300));
    let store = builder.connect_unmigrated().await.unwrap();
    let id = drop_of(&store, 100).await;
    hold(&store, id, "ann").await;
    tokio::time::sleep(LONG).await;
    proxy.set_judge(|step| match step.kind {
        StepKind::Ping => Verdict::BlackHoleBefore,
        _ => Verdict::Pass,
    });
    let refused = try_one(&store, id, reserve("bob")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    hold(&store, id, "cat").await;
}

/// Somebody changes the users' table: what cannot be prepared is not waited for, and who needs
/// nothing prepared is served.
#[tokio::test]
async fn a_connection_that_can_prepare_nothing_for_now_is_given_all_the_same() {
    let database = database().await;
    let (proxy, store) = watched(&database, 2).await;
    let id = drop_of(&store, 5).await;
    proxy.take_steps();
    let mut outside = database.connection().await.unwrap();
    outside.execute("BEGIN; LOCK TABLE users IN SHARE MODE").await.unwrap();
    let late = PostgresStore::builder_with(proxy.options()).connect_unmigrated().await.unwrap();
    assert_eq!(late.snapshot(id).await.unwrap().unwrap().id, id);
    let refused = try_one(&late, id, reserve("ann")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    outside.execute("ROLLBACK").await.unwrap();
    hold(&late, id, "ann").await;
}

/// Whatever becomes of preparing: the caller is told in time, and no place in the pool is lost.
#[tokio::test]
async fn a_connection_that_breaks_while_it_prepares_is_no_connection() {
    let database = database().await;
    for verdict in
        [Verdict::BlackHoleBefore, Verdict::CutBefore, Verdict::CutAfter, Verdict::Refuse("53200")]
    {
        let proxy = SqlProxy::before(&database.options()).await.unwrap();
        let builder = PostgresStore::builder_with(proxy.options()).pool_size(1);
        let builder = builder.acquire_timeout(Duration::from_millis(300));
        let store = builder.connect_unmigrated().await.unwrap();
        let id = drop_of(&store, 5).await;
        proxy.set_judge(move |step| match step.kind {
            StepKind::Ping => Verdict::CutBefore,
            StepKind::Script if step.is_of_connection() => verdict,
            _ => Verdict::Pass,
        });
        tokio::time::sleep(LONG).await;
        let refused = try_one(&store, id, reserve("ann")).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{verdict:?}: {refused:?}");
        proxy.pass();
        hold(&store, id, "ann").await;
    }
}

/// Of two that wait for one connection, the one that came first gets it.
#[tokio::test]
async fn connections_are_given_in_the_order_of_asking() {
    let database = database().await;
    let (proxy, store) = watched(&database, 1).await;
    let outside = database.connect().await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(drop_of(&outside, 5).await);
    }
    let mut gate = proxy.gate();
    proxy.set_judge(|step| if step.is_begin() { Verdict::Hold } else { Verdict::Pass });
    let mut asking = Vec::new();
    let mut first = None;
    for id in &ids {
        let (store, id) = (store.clone(), *id);
        // It goes by itself, whoever waits beside it.
        asking.push(tokio::spawn(async move {
            outcome(&store, id, forget("ann")).await;
            id
        }));
        if first.is_none() {
            first = Some(gate.next().await.unwrap());
        } else {
            // It asks for the connection now, and waits.
            tokio::task::yield_now().await;
        }
    }
    for id in &ids {
        let begins = match first.take() {
            Some(first) => first,
            None => gate.next().await.unwrap(),
        };
        assert!(
            begins.step().sql.contains(&format!("EXECUTE drop_lock ({id})")),
            "{}",
            begins.step().sql
        );
        begins.release();
    }
    for (id, asked) in ids.iter().zip(asking) {
        assert_eq!(asked.await.unwrap(), *id);
    }
}

#[tokio::test]
async fn a_closed_store_leaves_no_connection_and_gives_none() {
    let database = database().await;
    let (proxy, store) = watched(&database, 10).await;
    let id = drop_of(&store, 100).await;
    tokio::join!(hold(&store, id, "ann"), hold(&store, id, "bob"));
    let used = taken(&proxy);
    soon(store.close()).await;
    // Without end where one stays; and the proxy hears of it only after the store.
    let mut open: BTreeSet<u64> = used.iter().map(|(connection, _)| *connection).collect();
    assert!(open.len() > 1, "{used:?}");
    soon(async {
        while !open.is_empty() {
            for step in proxy.take_steps().iter().filter(|step| step.kind == StepKind::End) {
                open.remove(&step.connection);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let refused = try_one(&store, id, reserve("cat")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(store.ready().await.is_err());
}

/// What is under way ends, and its connection does not stay behind with those that are kept.
#[tokio::test]
async fn closing_waits_for_what_is_under_way_and_for_nothing_else() {
    let database = database().await;
    let (proxy, store) = watched(&database, 10).await;
    let id = drop_of(&store, 100).await;
    let mut gate = proxy.gate();
    proxy.set_judge(|step| if step.is_commit() { Verdict::Hold } else { Verdict::Pass });
    let asking = tokio::spawn({
        let store = store.clone();
        async move { hold(&store, id, "ann").await }
    });
    let commit = gate.next().await.unwrap();
    let mut closing = pin!(store.close());
    assert!(futures::poll!(closing.as_mut()).is_pending(), "a commit is under way");
    commit.release();
    soon(closing).await;
    asking.await.unwrap();
}
