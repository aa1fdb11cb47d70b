//! What breaks on the way: before its COMMIT each goes by itself, at its COMMIT nobody knows.

use drop_core::model::DropId;
use drop_core::{Store, StoreError};
use drop_store_postgres::testing::{Database, Verdict};
use sqlx::{AssertSqlSafe, Executor};

use super::{Queue, answers, is_write, outcomes, transactions};
use crate::kit::{assert_sound, counts, database, hold, is_hold, outcome, purchase, reserve};
use crate::written::losing;

async fn three() -> (Database, Queue, [DropId; 3]) {
    let database = database().await;
    let queue = Queue::of(&database).await;
    let drops = queue.drops(5).await;
    (database, queue, drops)
}

/// Judges the first step of several drops' transaction that `at` names.
fn break_at(queue: &Queue, at: fn(&str) -> bool, verdict: Verdict) {
    let mut is_within = false;
    queue.proxy.set_judge(move |step| {
        is_within |= step.sql.contains("EXECUTE drops_lock");
        if is_within && at(&step.sql) {
            is_within = false;
            return verdict;
        }
        Verdict::Pass
    });
}

/// Whatever breaks before the COMMIT has written nothing: each tries again by itself.
#[tokio::test]
async fn what_breaks_before_the_commit_is_tried_again_one_by_one() {
    type Place = fn(&str) -> bool;
    let opening: Place = |sql| sql.contains("EXECUTE drops_lock");
    let write: Place = |sql| sql.contains("), heads AS (");
    let commit: Place = |sql| sql.starts_with("COMMIT");
    let cuts = [Verdict::CutBefore, Verdict::CutAfter];
    let refusals = ["40001", "40P01", "55P03", "57014", "53100", "23514", "XX000", "57P01"];
    let refusals = refusals.map(Verdict::Refuse);
    let mut cases: Vec<(Place, Verdict)> = Vec::new();
    for verdict in cuts.into_iter().chain(refusals) {
        cases.extend([(opening, verdict), (write, verdict)]);
    }
    // Nor is anything committed where the server refuses to.
    cases.push((commit, Verdict::Refuse("40001")));
    cases.push((commit, Verdict::Refuse("23514")));
    for (case, (place, verdict)) in cases.into_iter().enumerate() {
        let (database, mut queue, drops) = three().await;
        let busy = queue.take_connection().await;
        let asked = queue.each(&drops, "ann").await;
        break_at(&queue, place, verdict);
        busy.let_go().await;
        let outcomes = outcomes(asked).await;
        assert!(outcomes.iter().flatten().all(is_hold), "{case} {verdict:?}: {outcomes:?}");
        assert_eq!(transactions(&database, &drops).await, 3, "{case} {verdict:?}");
        for id in drops {
            assert_eq!(counts(&queue.store, id).await, (5, 1, 0), "{case} {verdict:?}");
            assert_sound(&queue.store, id).await;
        }
    }
}

/// A COMMIT whose answer is lost is in doubt for all of them: none is tried again.
#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_unknown_to_all() {
    let lost = [
        (Verdict::CutBefore, 0),
        (Verdict::CutAfter, 1),
        (Verdict::Refuse("57P01"), 0),
        (Verdict::RefuseAfter("57P01"), 1),
    ];
    for (verdict, held) in lost {
        let (_database, mut queue, drops) = three().await;
        let busy = queue.take_connection().await;
        let asked = queue.each(&drops, "ann").await;
        break_at(&queue, |sql| sql.starts_with("COMMIT"), verdict);
        busy.let_go().await;
        for answer in answers(asked).await {
            assert!(matches!(answer, Err(StoreError::Unknown(_))), "{verdict:?}: {answer:?}");
        }
        for id in drops {
            assert_eq!(counts(&queue.store, id).await, (5, held, 0), "{verdict:?}");
            // To ask again converges.
            assert!(is_hold(&outcome(&queue.store, id, reserve("ann")).await));
            assert_eq!(counts(&queue.store, id).await, (5, 1, 0), "{verdict:?}");
            assert_sound(&queue.store, id).await;
        }
    }
}

/// Rows that contradict what was decided stop their own drop, and no other.
#[tokio::test]
async fn a_drop_that_contradicts_itself_stops_no_other() {
    let damages = [
        "UPDATE drop_variants SET held = held + 1 WHERE drop_id = $1",
        "DELETE FROM drop_variants WHERE drop_id = $1",
        "INSERT INTO drop_changes SELECT id, revision + 1, updated_at, '{}' FROM drops WHERE id = $1",
        // A hold that is kept and has lapsed, and whose row says otherwise.
        "UPDATE reservations SET status = 'released' WHERE drop_id = $1",
    ];
    for damage in damages {
        let database = database().await;
        let time = database.with_manual_time(crate::kit::start()).await.unwrap();
        let mut queue = Queue::with(&time.options(), |builder| builder).await;
        let drops: [_; 3] = queue.drops(5).await;
        hold(&queue.store, drops[1], "bob").await;
        if damage.contains("reservations") {
            time.advance(crate::kit::seconds(60)).await.unwrap();
        }
        let mut outside = database.connection().await.unwrap();
        let damage = damage.replace("$1", &drops[1].to_string());
        outside.execute(AssertSqlSafe(damage.clone())).await.unwrap();
        let busy = queue.take_connection().await;
        let asked = queue.each(&drops, "ann").await;
        busy.let_go().await;
        let answers = answers(asked).await;
        assert!(matches!(answers[1], Err(StoreError::Corrupt(_))), "{damage}: {:?}", answers[1]);
        for n in [0, 2] {
            let applied = answers[n].as_ref().unwrap();
            assert!(applied.outcomes().iter().all(is_hold), "{damage}");
            assert_eq!(counts(&queue.store, drops[n]).await, (5, 1, 0), "{damage}");
            assert_sound(&queue.store, drops[n]).await;
        }
    }
}

/// A user who is deleted after he was looked up: nobody is told of the reason but by his hold.
#[tokio::test]
async fn a_user_who_is_deleted_meanwhile_is_made_again() {
    let (database, mut queue, drops) = three().await;
    let busy = queue.take_connection().await;
    let mut asked = Vec::new();
    for (id, name) in drops.iter().zip(["ann", "bob", "cat"]) {
        asked.push(queue.ask(*id, vec![reserve(name)]).await);
    }
    queue.proxy.set_judge(|step| if is_write(step) { Verdict::Hold } else { Verdict::Pass });
    busy.let_go().await;
    let standing = crate::bounds::soon(queue.gate.next()).await.unwrap();
    queue.proxy.pass();
    let mut outside = database.connection().await.unwrap();
    outside.execute("DELETE FROM users WHERE username = 'bob'").await.unwrap();
    standing.release();
    assert!(outcomes(asked).await.iter().flatten().all(is_hold));
    for id in drops {
        assert_eq!(counts(&queue.store, id).await, (5, 1, 0));
        assert_sound(&queue.store, id).await;
    }
}

/// A drop that is deleted while it waits.
#[tokio::test]
async fn a_drop_that_is_deleted_meanwhile_is_gone_for_its_own_customers() {
    let (database, mut queue, drops) = three().await;
    let other = database.connect().await.unwrap();
    let busy = queue.take_connection().await;
    let asked = queue.each(&drops, "ann").await;
    other.delete_drop(drops[1], false).await.unwrap();
    busy.let_go().await;
    let outcomes = outcomes(asked).await;
    let held: Vec<bool> = outcomes.iter().flatten().map(is_hold).collect();
    assert_eq!(held, [true, false, true]);
    assert_eq!(transactions(&database, &[drops[0], drops[2]]).await, 1);
}

/// What was written is counted, table by table: where one of several drops loses its rows, its own
/// customers are told, and nothing of its change is there.
#[tokio::test]
async fn rows_that_vanish_on_their_way_stop_no_other_drop() {
    for (what, written, of) in [
        ("reservations", "INSERT ON reservations", "drop_id"),
        ("purchases", "INSERT ON purchases", "drop_id"),
        ("variants", "INSERT OR UPDATE ON drop_variants", "drop_id"),
        ("drops", "INSERT OR UPDATE ON drops", "id"),
        ("changes", "INSERT ON drop_changes", "drop_id"),
    ] {
        let (database, mut queue, [first, losing_rows, second]) = three().await;
        let held = hold(&queue.store, losing_rows, "bob").await.id();
        let mut outside = database.connection().await.unwrap();
        let when = format!("NEW.{of} = {losing_rows}");
        outside.execute(AssertSqlSafe(losing(written, &when))).await.unwrap();
        let busy = queue.take_connection().await;
        let mut asked = queue.each(&[first, second], "ann").await;
        let commands = match what {
            "purchases" => vec![purchase(held, "bob")],
            _ => vec![reserve("ann")],
        };
        asked.push(queue.ask(losing_rows, commands).await);
        busy.let_go().await;
        let answers = answers(asked).await;
        assert!(matches!(answers[2], Err(StoreError::Corrupt(_))), "{what}: {:?}", answers[2]);
        for (answer, id) in answers.iter().zip([first, second]) {
            assert!(answer.as_ref().unwrap().outcomes().iter().all(is_hold), "{what}");
            assert_eq!(counts(&queue.store, id).await, (5, 1, 0), "{what}");
        }
        assert_eq!(counts(&queue.store, losing_rows).await, (5, 1, 0), "{what}");
        for id in [first, losing_rows, second] {
            assert_sound(&queue.store, id).await;
        }
    }
}
