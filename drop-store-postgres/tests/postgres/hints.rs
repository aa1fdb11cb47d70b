//! Instances hear of each other's changes, soon, and of many in few words.

use std::collections::BTreeSet;
use std::time::Duration;

use drop_core::model::DropId;
use drop_core::{Store, StoreError};
use drop_store_postgres::PostgresStore;
use drop_store_postgres::testing::{SqlProxy, Verdict};
use futures::StreamExt;
use futures::stream::BoxStream;
use sqlx::Executor;

use crate::kit::{database, drop_of, hold};

const SOON: Duration = Duration::from_secs(10);

/// Hears `drops` in any order, and whatever else.
async fn hears(hints: &mut BoxStream<'static, DropId>, drops: &[DropId]) {
    let mut missing: BTreeSet<DropId> = drops.iter().copied().collect();
    let all = async {
        while !missing.is_empty() {
            missing.remove(&hints.next().await.expect("hints end with the store"));
        }
    };
    tokio::time::timeout(SOON, all).await.expect("not every change was heard of");
}

/// Waits until a session listens: before that there is nothing to be heard.
async fn listens(database: &drop_store_postgres::testing::Database) {
    let mut outside = database.connection().await.unwrap();
    let listening = "SELECT count(*) FROM pg_stat_activity \
                     WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    while sqlx::query_scalar::<_, i64>(listening).fetch_one(&mut outside).await.unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_instance_hears_of_the_changes_of_another() {
    let database = database().await;
    let [first, second] = [database.connect().await.unwrap(), database.connect().await.unwrap()];
    let mut hints = second.hints();
    let mut again = second.hints();
    listens(&database).await;
    let ids = [drop_of(&first, 5).await, drop_of(&first, 5).await];
    hears(&mut hints, &ids).await;
    hears(&mut again, &ids).await;
    // What was said of their creation may still be on its way; a hold is said again.
    for id in ids {
        hold(&first, id, "ann").await;
    }
    hears(&mut hints, &ids).await;
    drop(first);
    drop(second);
    let rest = tokio::time::timeout(SOON, hints.collect::<Vec<_>>()).await;
    assert!(rest.is_ok(), "hints go on without a store");
}

#[tokio::test]
async fn listening_goes_on_after_its_session_was_ended() {
    let database = database().await;
    let [first, second] = [database.connect().await.unwrap(), database.connect().await.unwrap()];
    let mut hints = second.hints();
    listens(&database).await;
    let mut outside = database.connection().await.unwrap();
    outside
        .execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await
        .unwrap();
    listens(&database).await;
    let id = drop_of(&first, 5).await;
    hears(&mut hints, &[id]).await;
}

/// A deletion whose answer is lost may have happened: others hear of it, as of any change.
#[tokio::test]
async fn a_deletion_of_unknown_outcome_is_told_as_well() {
    let database = database().await;
    let second = database.connect().await.unwrap();
    let id = drop_of(&second, 5).await;
    let proxy = SqlProxy::before(&database.options()).await.unwrap();
    let first = PostgresStore::builder_with(proxy.options()).connect_unmigrated().await.unwrap();
    let third = database.connect().await.unwrap();
    let mut hints = third.hints();
    listens(&database).await;
    // What was said of its creation is said before this is heard.
    let later = drop_of(&second, 1).await;
    hears(&mut hints, &[later]).await;
    proxy.set_judge(|step| if step.is_commit() { Verdict::CutAfter } else { Verdict::Pass });
    let deletion = first.delete_drop(id, true).await;
    assert!(matches!(deletion, Err(StoreError::Unknown(_))), "{deletion:?}");
    proxy.pass();
    hears(&mut hints, &[id]).await;
}

/// A black hole tells nobody that it is there: neither a listener, which only waits, nor the
/// pool that a connection goes back to.
#[tokio::test]
async fn hints_come_again_after_a_black_hole() {
    let database = database().await;
    let first = database.connect().await.unwrap();
    let proxy = SqlProxy::before(&database.options()).await.unwrap();
    let builder = PostgresStore::builder_with(proxy.options());
    let builder = builder.answer_timeout(Duration::from_millis(300));
    let second = builder.connect_unmigrated().await.unwrap();
    let (lost, mut is_lost) = tokio::sync::watch::channel([0; 3]);
    proxy.set_judge(move |step| {
        let kinds = ["LISTEN", "SELECT 1", "SELECT pg_notify"];
        let kind = kinds.iter().position(|kind| step.is_work() && step.sql.starts_with(kind));
        let Some(kind) = kind.filter(|kind| lost.borrow()[*kind] < [1, 1, 3][*kind]) else {
            return Verdict::Pass;
        };
        lost.send_modify(|lost| lost[kind] += 1);
        Verdict::BlackHoleBefore
    });
    let (mut of_first, mut of_second) = (second.hints(), first.hints());
    let heard = async |by: &PostgresStore, hints: &mut BoxStream<'static, DropId>| {
        loop {
            let id = drop_of(by, 1).await;
            let next = async { while hints.next().await.unwrap() != id {} };
            if tokio::time::timeout(Duration::from_millis(200), next).await.is_ok() {
                return;
            }
        }
    };
    let all = async {
        heard(&first, &mut of_first).await;
        // The listener notices, too, where its connection is lost later.
        is_lost.wait_for(|lost| lost[1] == 1).await.unwrap();
        heard(&first, &mut of_first).await;
        heard(&second, &mut of_second).await;
        is_lost.wait_for(|lost| *lost == [1, 1, 3]).await.unwrap();
        heard(&second, &mut of_second).await;
    };
    tokio::time::timeout(6 * SOON, all).await.expect("hints stay away");
}
