//! Who waits, for what, and for how long.

use std::time::Duration;

use drop_core::model::DropName;
use drop_core::rules::{Amendment, Command};
use drop_core::{Store, StoreError};
use drop_store_postgres::testing::{StepKind, Verdict};
use sqlx::{AssertSqlSafe, Executor};

use super::{Queue, answers, is_write, outcomes, transactions};
use crate::bounds::soon;
use crate::kit::{assert_sound, counts, database, forget, hold, is_hold, outcome, reserve};

/// Somebody keeps the lock of one drop: the others of its transaction are answered meanwhile.
#[tokio::test]
async fn a_drop_that_is_locked_keeps_no_other_waiting() {
    let database = database().await;
    let mut queue =
        Queue::with(&database.options(), |builder| builder.lock_timeout(Duration::from_secs(60)))
            .await;
    let [first, locked, second] = queue.drops(5).await;
    let busy = queue.take_connection().await;
    let mut outside = database.connection().await.unwrap();
    let lock = format!("BEGIN; SELECT 1 FROM drops WHERE id = {locked} FOR UPDATE");
    outside.execute(AssertSqlSafe(lock)).await.unwrap();
    let free = queue.each(&[first, second], "ann").await;
    let mut kept = queue.ask(locked, vec![reserve("ann")]).await;
    busy.let_go().await;
    assert!(outcomes(free).await.iter().flatten().all(is_hold));
    assert!(futures::poll!(&mut kept).is_pending());
    outside.execute("ROLLBACK").await.unwrap();
    assert!(soon(kept).await.unwrap().outcomes().iter().all(is_hold));
    for id in [first, locked, second] {
        assert_eq!(counts(&queue.store, id).await, (5, 1, 0));
        assert_sound(&queue.store, id).await;
    }
}

/// Two instances whose transactions have drops in common, in whatever order they ask: neither waits
/// for the other with locks of its own.
#[tokio::test]
async fn two_transactions_of_several_drops_do_not_wait_for_each_other() {
    let database = database().await;
    let patient = |builder: drop_store_postgres::PostgresBuilder| {
        builder.lock_timeout(Duration::from_secs(60))
    };
    let mut one = Queue::with(&database.options(), patient).await;
    let [a, b, c, d] = one.drops(5).await;
    let mut other = Queue::with(&database.options(), patient).await;
    for id in [a, b, c, d] {
        outcome(&other.store, id, Command::Expire).await;
    }
    let first = one.take_connection().await;
    let ours = vec![one.ask(a, vec![reserve("ann")]).await, one.ask(b, vec![reserve("ann")]).await];
    let second = other.take_connection().await;
    let mut in_common = other.ask(b, vec![reserve("bob")]).await;
    let theirs =
        vec![other.ask(d, vec![reserve("bob")]).await, other.ask(c, vec![reserve("bob")]).await];
    // Ours has its locks, and stops before it writes.
    one.proxy.set_judge(|step| if is_write(step) { Verdict::Hold } else { Verdict::Pass });
    let answered = tokio::spawn(answers(ours));
    first.let_go().await;
    let standing = soon(one.gate.next()).await.unwrap();
    second.let_go().await;
    assert!(outcomes(theirs).await.iter().flatten().all(is_hold));
    assert_eq!(transactions(&database, &[c, d]).await, 1);
    assert!(futures::poll!(&mut in_common).is_pending());
    standing.release();
    assert!(soon(answered).await.unwrap().iter().all(Result::is_ok));
    assert!(soon(in_common).await.unwrap().outcomes().iter().all(is_hold));
    for id in [a, b, c, d] {
        assert_sound(&one.store, id).await;
    }
    assert_eq!(counts(&one.store, b).await, (5, 2, 0));
}

/// Two batches of one drop, as two services over one store may ask: one after the other.
#[tokio::test]
async fn two_batches_of_one_drop_are_two_transactions() {
    let database = database().await;
    let mut queue = Queue::of(&database).await;
    let [first, second] = queue.drops(5).await;
    let busy = queue.take_connection().await;
    let mut asked = Vec::new();
    for (id, name) in [(first, "ann"), (first, "bob"), (second, "ann"), (first, "cat")] {
        asked.push(queue.ask(id, vec![reserve(name)]).await);
    }
    busy.let_go().await;
    let answers = answers(asked).await;
    let revisions: Vec<u64> =
        answers.iter().map(|applied| applied.as_ref().unwrap().revision().get()).collect();
    assert_eq!(revisions, [2, 3, 2, 4]);
    assert_eq!(counts(&queue.store, first).await, (5, 3, 0));
    assert_sound(&queue.store, first).await;
    // The first of them went with the other drop's.
    let mut outside = database.connection().await.unwrap();
    let shared = "SELECT count(DISTINCT xmin::text) FROM drop_changes WHERE revision = 2";
    let shared: i64 = sqlx::query_scalar(shared).fetch_one(&mut outside).await.unwrap();
    assert_eq!(shared, 2, "and the drop that was busy");
}

/// A batch that waits by itself has the connection in its turn, and does not ask once more.
#[tokio::test]
async fn who_waits_alone_goes_before_whoever_came_later() {
    let database = database().await;
    let mut queue = Queue::of(&database).await;
    let [id] = queue.drops(5).await;
    let busy = queue.take_connection().await;
    let asked = queue.ask(id, vec![reserve("ann")]).await;
    // Its place is taken now.
    tokio::task::yield_now().await;
    let reading = queue.store.heads(None, 1);
    let mut reading = std::pin::pin!(reading);
    assert!(futures::poll!(reading.as_mut()).is_pending());
    queue.proxy.take_steps();
    let (outcomes, read, ()) = tokio::join!(outcomes(vec![asked]), reading, busy.let_go());
    assert!(outcomes.iter().flatten().all(is_hold));
    read.unwrap();
    let steps = queue.proxy.take_steps();
    let first = |words: &str| steps.iter().position(|step| step.sql.contains(words)).unwrap();
    assert!(first(&format!("EXECUTE drop_lock ({id})")) < first("SELECT id, revision FROM drops"));
}

/// A server that takes long to reach keeps nobody from a connection that is there.
#[tokio::test]
async fn a_connection_that_does_not_come_keeps_nobody_waiting() {
    let database = database().await;
    let mut queue = Queue::with(&database.options(), |builder| builder.pool_size(2)).await;
    let [first, second, breaking] = queue.drops(5).await;
    let busy = queue.take_connection().await;
    let broken = queue.take_connection_for(breaking).await;
    let asked = queue.each(&[first, second], "ann").await;
    tokio::task::yield_now().await;
    let (swallowed, mut heard) = tokio::sync::mpsc::unbounded_channel();
    queue.proxy.set_judge(move |step| match step.kind {
        StepKind::Startup => {
            let _ = swallowed.send(());
            Verdict::BlackHoleBefore
        }
        _ => Verdict::Pass,
    });
    // Its turn is free, and its connection gone: who has the turn has to connect anew.
    broken.step.decide(Verdict::CutBefore);
    soon(heard.recv()).await.unwrap();
    busy.let_go().await;
    assert!(outcomes(asked).await.iter().flatten().all(is_hold));
    assert_eq!(transactions(&database, &[first, second]).await, 1);
    assert!(soon(broken.batch).await.is_err(), "nobody knows what became of it");
}

/// A server that refuses connections: who waits for one is told, and whoever comes next is served.
#[tokio::test]
async fn a_connection_that_is_refused_is_told_to_who_waits() {
    let database = database().await;
    let mut queue = Queue::with(&database.options(), |builder| builder.pool_size(2)).await;
    let [first, second, breaking] = queue.drops(5).await;
    let busy = queue.take_connection().await;
    let broken = queue.take_connection_for(breaking).await;
    let asked = queue.each(&[first, second], "ann").await;
    queue.proxy.set_judge(|step| match step.kind {
        StepKind::Startup => Verdict::Refuse("28000"),
        _ => Verdict::Pass,
    });
    broken.step.decide(Verdict::CutBefore);
    for answer in answers(asked).await {
        assert!(matches!(answer, Err(StoreError::Backend(_))), "{answer:?}");
    }
    queue.proxy.pass();
    busy.let_go().await;
    for id in [first, second] {
        assert_eq!(counts(&queue.store, id).await, (5, 0, 0));
        hold(&queue.store, id, "bob").await;
    }
    assert!(soon(broken.batch).await.is_err(), "nobody knows what became of it");
}

/// A customer's row that somebody keeps is waited for by his own drop, and for a moment by others.
#[tokio::test]
async fn a_user_whose_row_is_kept_keeps_his_own_drop_waiting() {
    let database = database().await;
    let mut queue =
        Queue::with(&database.options(), |builder| builder.lock_timeout(Duration::from_secs(40)))
            .await;
    let [free, waiting] = queue.drops(5).await;
    let mut outside = database.connection().await.unwrap();
    let kept = "BEGIN; INSERT INTO users (username, created_at, updated_at) \
                VALUES ('ann', now(), now())";
    outside.execute(kept).await.unwrap();
    let busy = queue.take_connection().await;
    let asked = queue.ask(free, vec![reserve("bob")]).await;
    let mut kept = queue.ask(waiting, vec![reserve("ann")]).await;
    busy.let_go().await;
    // An eighth of the timeout at most.
    assert!(outcomes(vec![asked]).await.iter().flatten().all(is_hold));
    assert!(futures::poll!(&mut kept).is_pending());
    outside.execute("ROLLBACK").await.unwrap();
    assert!(soon(kept).await.unwrap().outcomes().iter().all(is_hold));
}

/// No more than is good for those who are in it.
#[tokio::test]
async fn a_transaction_has_a_bound() {
    let database = database().await;
    let mut queue = Queue::of(&database).await;
    let drops: [_; 70] = queue.drops(500).await;
    let crowd = |count: u32| (0..count).map(|n| reserve(&format!("user{n}"))).collect();
    let busy = queue.take_connection().await;
    let asked = queue.each(&drops, "ann").await;
    busy.let_go().await;
    outcomes(asked).await;
    assert_eq!(transactions(&database, &drops[..64]).await, 1);
    assert_eq!(transactions(&database, &drops).await, 2);
    // Nor more commands than a batch has.
    let busy = queue.take_connection().await;
    let mut asked = Vec::new();
    for (id, count) in drops.into_iter().zip([100, 156, 1, 300, 1]) {
        asked.push(queue.ask(id, crowd(count)).await);
    }
    busy.let_go().await;
    outcomes(asked).await;
    assert_eq!(transactions(&database, &drops[..2]).await, 1);
    assert_eq!(transactions(&database, &drops[..5]).await, 4);
    for id in drops {
        assert_sound(&queue.store, id).await;
    }
}

/// Nobody waits for a connection for longer than was said; and what was given up is not done later.
#[tokio::test]
async fn who_waits_for_a_connection_in_vain_is_told() {
    let database = database().await;
    let mut queue = Queue::with(&database.options(), |builder| {
        builder.acquire_timeout(Duration::from_millis(300))
    })
    .await;
    let [first, second, left] = queue.drops(5).await;
    let busy = queue.take_connection().await;
    let asked = queue.each(&[first, second], "ann").await;
    drop(queue.ask(left, vec![reserve("ann")]).await);
    for answer in answers(asked).await {
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    busy.let_go().await;
    // Whoever comes next is served.
    assert!(is_hold(&outcome(&queue.store, queue.busy, reserve("bob")).await));
    for id in [first, second, left] {
        assert_eq!(counts(&queue.store, id).await, (5, 0, 0));
    }
}

/// Who leaves while it is under way leaves it to itself: it is committed, and the others are told.
#[tokio::test]
async fn who_leaves_takes_nobody_along() {
    let database = database().await;
    let mut queue = Queue::of(&database).await;
    let [first, second, gone] = queue.drops(5).await;
    let busy = queue.take_connection().await;
    let leaving = queue.ask(first, vec![reserve("ann")]).await;
    // Who has left before it began has asked for nothing.
    drop(queue.ask(gone, vec![reserve("ann")]).await);
    let staying = queue.ask(second, vec![reserve("ann")]).await;
    queue.proxy.set_judge(|step| if is_write(step) { Verdict::Hold } else { Verdict::Pass });
    busy.let_go().await;
    let standing = soon(queue.gate.next()).await.unwrap();
    drop(leaving);
    standing.release();
    outcomes(vec![staying]).await;
    assert_eq!(transactions(&database, &[first, second]).await, 1);
    assert_eq!(counts(&queue.store, first).await, (5, 1, 0));
    assert_eq!(counts(&queue.store, gone).await, (5, 0, 0));
    assert_sound(&queue.store, first).await;
}

/// Who has a connection waits for what becomes of it, and is not told that there was none.
#[tokio::test]
async fn who_is_under_way_waits_for_no_connection() {
    let database = database().await;
    let patience = Duration::from_millis(300);
    let mut queue =
        Queue::with(&database.options(), |builder| builder.acquire_timeout(patience)).await;
    let [first, second] = queue.drops(5).await;
    let busy = queue.take_connection().await;
    let mut asked = queue.each(&[first, second], "ann").await;
    queue.proxy.set_judge(|step| if is_write(step) { Verdict::Hold } else { Verdict::Pass });
    busy.let_go().await;
    let standing = soon(queue.gate.next()).await.unwrap();
    tokio::time::sleep(2 * patience).await;
    for asked in &mut asked {
        assert!(futures::poll!(asked).is_pending());
    }
    standing.release();
    assert!(outcomes(asked).await.iter().flatten().all(is_hold));
}

/// New terms, and who is forgotten, take their own time.
#[tokio::test]
async fn what_takes_long_goes_by_itself() {
    let database = database().await;
    let mut queue = Queue::of(&database).await;
    let [first, amended, forgetting, second] = queue.drops(5).await;
    hold(&queue.store, forgetting, "ann").await;
    let amendment =
        Amendment { name: Some(DropName::new("Boots").unwrap()), ..Amendment::default() };
    let busy = queue.take_connection().await;
    let asked = vec![
        queue.ask(first, vec![reserve("ann")]).await,
        queue.ask(amended, vec![reserve("ann"), Command::Amend(amendment)]).await,
        queue.ask(forgetting, vec![forget("ann")]).await,
        queue.ask(second, vec![reserve("ann")]).await,
    ];
    busy.let_go().await;
    outcomes(asked).await;
    assert_eq!(transactions(&database, &[first, second]).await, 1);
    assert_eq!(transactions(&database, &[first, amended, forgetting]).await, 3);
    for id in [first, amended, forgetting, second] {
        assert_sound(&queue.store, id).await;
    }
}

/// Where nothing is prepared by name, as behind a pooler and on Citus, drops stay apart.
#[tokio::test]
async fn where_nothing_is_prepared_each_drop_goes_by_itself() {
    let database = database().await;
    let mut queue =
        Queue::with(&database.options(), |builder| builder.statement_cache_capacity(0)).await;
    let drops: [_; 3] = queue.drops(5).await;
    let busy = queue.take_connection().await;
    let asked = queue.each(&drops, "ann").await;
    busy.let_go().await;
    outcomes(asked).await;
    assert_eq!(transactions(&database, &drops).await, 3);
}

/// The end of a store is the end of waiting.
#[tokio::test]
async fn a_store_that_is_closed_keeps_nobody_waiting() {
    let database = database().await;
    let mut queue = Queue::of(&database).await;
    let [first, second] = queue.drops(5).await;
    let busy = queue.take_connection().await;
    let asked = queue.each(&[first, second], "ann").await;
    let closing = queue.store.clone();
    let closing = tokio::spawn(async move { closing.close().await });
    for answer in answers(asked).await {
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    busy.let_go().await;
    soon(closing).await.unwrap();
}
