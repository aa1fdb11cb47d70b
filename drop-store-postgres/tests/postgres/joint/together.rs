//! What goes together, and what comes of it.

use std::sync::Arc;

use drop_core::Store;
use drop_core::model::{DropId, NewDrop, Reservation, Revision, Units, Username, VariantName};
use drop_core::rules::{Change, Command, Outcome, Rejection};

use super::{Queue, answers, outcomes, reserved, transactions};
use crate::bounds::large;
use crate::kit::{
    apply, assert_sound, buy, counts, database, drop_of, hold, is_hold, name, outcome, purchase,
    refused, release, reserve, seconds, start, terms, units,
};

fn effects(outcomes: &[Vec<Outcome>]) -> Vec<bool> {
    outcomes.iter().flatten().map(|outcome| matches!(outcome, Outcome::Done(_))).collect()
}

/// Three messages for all of them, and one transaction.
#[tokio::test]
async fn who_waits_for_a_connection_goes_together() {
    let database = database().await;
    let mut queue = Queue::of(&database).await;
    let drops: [_; 3] = queue.drops(5).await;
    let busy = queue.take_connection().await;
    queue.proxy.take_steps();
    let mut asked = Vec::new();
    for (id, name) in drops.iter().zip(["ann", "bob", "cat"]) {
        asked.push(queue.ask(*id, vec![reserve(name)]).await);
    }
    busy.let_go().await;
    assert_eq!(effects(&outcomes(asked).await), [true; 3]);
    assert_eq!(transactions(&database, &drops).await, 1);
    let steps = queue.proxy.take_steps();
    let steps: Vec<_> =
        steps.iter().filter(|s| s.is_work() && !s.sql.contains("pg_notify")).collect();
    let labels: Vec<String> = steps.iter().map(|step| step.label()).collect();
    assert_eq!(labels.len(), 3, "{labels:?}");
    for id in drops {
        assert_eq!(counts(&queue.store, id).await, (5, 1, 0));
        assert_sound(&queue.store, id).await;
        // What is kept of each has followed: the next one goes without a load.
        hold(&queue.store, id, "dan").await;
        assert_sound(&queue.store, id).await;
    }
    let loads = queue.proxy.take_steps();
    assert!(!loads.iter().any(|step| step.sql.contains("recent::text AS recent FROM drops WHERE")));
}

/// Everything that a crowd asks for, each of another drop: the rows, the counters, the feed and the
/// answers of each are its own.
#[tokio::test]
async fn each_gets_its_own_answer() {
    let database = database().await;
    let mut queue = Queue::of(&database).await;
    let [bought, released, repeated, full, swapped, lapsing] = queue.drops(2).await;
    let store = &queue.store;
    let buying = hold(store, bought, "ann").await.id();
    let leaving = hold(store, released, "ann").await.id();
    let again = hold(store, repeated, "ann").await;
    buy(store, full, "bob").await;
    buy(store, full, "cat").await;
    let swapping = hold(store, swapped, "ann").await.id();
    let past = buy(store, lapsing, "dan").await.id;
    let before: Vec<Revision> = revisions(&queue).await;
    let busy = queue.take_connection().await;
    let asked = vec![
        queue.ask(bought, vec![purchase(buying, "ann"), reserve("eve")]).await,
        queue.ask(released, vec![release(leaving, "ann")]).await,
        queue.ask(repeated, vec![reserve("ann"), reserve("bob"), reserve("cat")]).await,
        queue.ask(full, vec![reserve("stranger")]).await,
        // Ends one hold and takes another in one change.
        queue.ask(swapped, vec![release(swapping, "ann"), reserve("ann")]).await,
        // What has ended is read, and nothing is written.
        queue.ask(lapsing, vec![purchase(past, "dan"), Command::Expire]).await,
    ];
    busy.let_go().await;
    let outcomes = outcomes(asked).await;
    assert_eq!(
        effects(&outcomes),
        [true, true, true, true, true, false, false, true, true, true, true]
    );
    assert_eq!(outcomes[3], [refused(Rejection::OutOfStock)]);
    let drops = [bought, released, repeated, full, swapped, lapsing];
    assert_eq!(transactions(&database, &[bought, released, repeated, swapped]).await, 1);
    let store = &queue.store;
    let counted = [(2, 1, 1), (2, 0, 0), (2, 2, 0), (2, 0, 2), (2, 1, 0), (2, 0, 1)];
    for (id, counted) in drops.into_iter().zip(counted) {
        assert_eq!(counts(store, id).await, counted, "{id}");
        assert_sound(store, id).await;
    }
    // Each change once, and none where nothing changed.
    let after = revisions(&queue).await;
    let moved: Vec<u64> = after.iter().zip(&before).map(|(a, b)| a.get() - b.get()).collect();
    assert_eq!(moved[1..], [1, 1, 1, 0, 1, 0]);
    // Who gets nothing leaves nothing behind.
    assert!(store.drops_of(&Username::new("stranger").unwrap()).await.unwrap().is_empty());
    let mut outside = database.connection().await.unwrap();
    let strangers = "SELECT count(*) FROM users WHERE username = 'stranger'";
    let strangers: i64 = sqlx::query_scalar(strangers).fetch_one(&mut outside).await.unwrap();
    assert_eq!(strangers, 0);
    assert!(again.expires_at() > again.claim().created_at);
}

async fn revisions(queue: &Queue) -> Vec<Revision> {
    let heads = queue.store.heads(None, 100).await.unwrap();
    heads.into_iter().map(|(_, revision)| revision).collect()
}

/// One customer, one user, whatever he is called and however many drops he wants; and what he has
/// bought counts against the limit of its own drop only.
#[tokio::test]
async fn a_customer_of_several_drops_is_one_user_with_a_limit_for_each() {
    let database = database().await;
    let mut queue = Queue::of(&database).await;
    let mut limited = terms();
    limited.limit = Some(units(1));
    let limited = NewDrop::plain(limited, units(9)).unwrap();
    let first = queue.store.create_drop(&limited).await.unwrap().id;
    let second = queue.store.create_drop(&limited).await.unwrap().id;
    let [open] = queue.drops(9).await;
    buy(&queue.store, first, "ann").await;
    apply(&queue.store, second, vec![Command::Expire]).await;
    let busy = queue.take_connection().await;
    let asked = vec![
        queue.ask(first, vec![reserve("Ann"), reserve("Bob")]).await,
        queue.ask(second, vec![reserve("ANN"), reserve("bob")]).await,
        queue.ask(open, vec![reserve("bOb"), reserve("ann"), reserve("aaa")]).await,
    ];
    busy.let_go().await;
    let outcomes = outcomes(asked).await;
    assert_eq!(effects(&outcomes), [false, true, true, true, true, true, true]);
    assert_eq!(transactions(&database, &[first, second, open]).await, 1);
    let mut outside = database.connection().await.unwrap();
    let names = "SELECT username FROM users WHERE username !~ 'busy' ORDER BY id";
    let names: Vec<String> = sqlx::query_scalar(names).fetch_all(&mut outside).await.unwrap();
    // They are made in one order, or two instances would wait for each other. The spelling that
    // came first stays; of two in one message, that of the drop asked first.
    assert_eq!(names, ["ann", "aaa", "Bob"]);
    for id in [first, second, open] {
        assert_sound(&queue.store, id).await;
    }
}

/// What has lapsed is settled before anything else, and sold again in the same change: also to
/// somebody who was not made a user, because there seemed to be nothing for him.
#[tokio::test]
async fn lapsed_holds_are_settled_and_sold_again() {
    let database = database().await;
    let time = database.with_manual_time(start()).await.unwrap();
    let mut queue = Queue::with(&time.options(), |builder| builder).await;
    let drops: [_; 3] = queue.drops(1).await;
    hold(&queue.store, drops[0], "ann").await;
    hold(&queue.store, drops[1], "ann").await;
    let busy = queue.take_connection().await;
    let asked = vec![
        queue.ask(drops[0], vec![reserve("ann")]).await,
        queue.ask(drops[1], vec![reserve("stranger")]).await,
        queue.ask(drops[2], vec![reserve("bob")]).await,
    ];
    time.advance(seconds(60)).await.unwrap();
    busy.let_go().await;
    assert_eq!(effects(&outcomes(asked).await), [true; 3]);
    assert_eq!(transactions(&database, &[drops[0], drops[2]]).await, 1);
    for id in drops {
        assert_eq!(counts(&queue.store, id).await, (1, 1, 0));
        assert_sound(&queue.store, id).await;
        let change = newest(&queue, id).await;
        assert_eq!(
            change.as_of,
            start().saturating_add(seconds(60)),
            "the time is read behind the lock"
        );
        assert_eq!(change.updated.len(), usize::from(id != drops[2]), "{id}");
    }
}

async fn newest(queue: &Queue, id: DropId) -> Arc<Change> {
    let changes = queue.store.changes(id, Revision::new(0), 100).await.unwrap();
    changes.last().unwrap().clone()
}

/// Another instance has changed a drop: its changes are followed.
#[tokio::test]
async fn the_changes_of_others_are_followed() {
    let database = database().await;
    let mut queue = Queue::of(&database).await;
    let other = database.connect().await.unwrap();
    let drops: [_; 3] = queue.drops(3).await;
    let theirs: Vec<Reservation> =
        vec![hold(&other, drops[0], "ann").await, hold(&other, drops[1], "ann").await];
    outcome(&other, drops[1], release(theirs[1].id(), "ann")).await;
    let busy = queue.take_connection().await;
    let mut asked = Vec::new();
    for id in drops {
        asked.push(queue.ask(id, vec![reserve("ann"), reserve("bob")]).await);
    }
    busy.let_go().await;
    queue.proxy.take_steps();
    let answers = answers(asked).await;
    assert_eq!(transactions(&database, &drops).await, 1);
    let steps = queue.proxy.take_steps();
    let reads = |words: &str| steps.iter().filter(|step| step.sql.contains(words)).count();
    assert_eq!((reads("drops_changes"), reads("FROM drop_changes")), (1, 0), "one for all of them");
    assert_eq!(reads("variant_name"), 0, "and no load");
    assert!(answers.iter().all(|applied| applied.as_ref().unwrap().outcomes().iter().all(is_hold)));
    for id in drops {
        assert_eq!(counts(&other, id).await, (3, 2, 0));
        assert_sound(&queue.store, id).await;
        assert!(is_hold(&outcome(&other, id, reserve("cat")).await));
        assert_sound(&other, id).await;
    }
}

/// Drops that this instance has not met, with everything that it keeps of them: loaded in one message
/// for all of them.
#[tokio::test]
async fn drops_that_are_not_kept_are_loaded_together() {
    let database = database().await;
    let mut queue = Queue::of(&database).await;
    let other = database.connect().await.unwrap();
    let sizes = ["s", "m"].map(|name| (size(name), units(2)));
    let sized = NewDrop::with_variants(terms(), sizes).unwrap();
    let first = other.create_drop(&sized).await.unwrap().id;
    let second = other.create_drop(&sized).await.unwrap().id;
    let anns = reserved(&outcome(&other, first, reserve_of("ann", "s")).await);
    outcome(&other, first, purchase(anns, "ann")).await;
    let bobs = reserved(&outcome(&other, first, reserve_of("bob", "m")).await);
    let [met] = queue.drops(5).await;
    let busy = queue.take_connection().await;
    let sold_out = ["cat", "dan"].map(|name| reserve_of(name, "s"));
    let asked = vec![
        queue.ask(met, vec![reserve("cat")]).await,
        queue.ask(first, [vec![purchase(bobs, "bob")], sold_out.to_vec()].concat()).await,
        queue.ask(second, vec![reserve_of("cat", "m"), reserve_of("dan", "s")]).await,
    ];
    queue.proxy.take_steps();
    busy.let_go().await;
    let outcomes = outcomes(asked).await;
    // Each size has two.
    assert_eq!(effects(&outcomes), [true, true, true, false, true, true]);
    assert_eq!(transactions(&database, &[met, first, second]).await, 1);
    let loads = queue.proxy.take_steps();
    assert_eq!(loads.iter().filter(|step| step.sql.contains("variant_name")).count(), 1);
    for id in [met, first, second] {
        assert_sound(&queue.store, id).await;
    }
    let snapshot = queue.store.snapshot(first).await.unwrap().unwrap();
    let recent: Vec<String> = snapshot.recent.iter().map(|p| p.username.to_string()).collect();
    assert_eq!(recent, ["bob", "ann"]);
}

fn size(name: &str) -> VariantName {
    VariantName::new(name).unwrap()
}

fn reserve_of(customer: &str, of: &str) -> Command {
    Command::Reserve { customer: name(customer), variant: Some(size(of)), quantity: Units::ONE }
}

/// The server's time went back: no drop's own goes back with it.
#[tokio::test]
async fn the_time_of_no_drop_goes_back() {
    let database = database().await;
    let time = database.with_manual_time(start()).await.unwrap();
    let mut queue = Queue::with(&time.options(), |builder| builder).await;
    let drops: [_; 2] = queue.drops(5).await;
    time.advance(seconds(30)).await.unwrap();
    hold(&queue.store, drops[0], "ann").await;
    time.set_time(start()).await.unwrap();
    let busy = queue.take_connection().await;
    let asked = queue.each(&drops, "bob").await;
    busy.let_go().await;
    assert_eq!(effects(&outcomes(asked).await), [true; 2]);
    assert_eq!(transactions(&database, &drops).await, 1);
    assert_eq!(newest(&queue, drops[0]).await.as_of, start().saturating_add(seconds(30)));
    assert_eq!(newest(&queue, drops[1]).await.as_of, start());
}

/// What is loaded while others wait has a bound, also where several drops have some holds each.
#[tokio::test]
async fn no_more_holds_are_loaded_together_than_of_one_drop() {
    let database = database().await;
    let mut queue = Queue::of(&database).await;
    let other = database.connect().await.unwrap();
    let mut drops = Vec::new();
    for _ in 0..3 {
        let id = drop_of(&other, 1_000).await;
        for part in 0..2 {
            let names = (0..200).map(|n| format!("user{part}_{n}"));
            apply(&other, id, names.map(|name| reserve(&name)).collect()).await;
        }
        drops.push(id);
    }
    let busy = queue.take_connection().await;
    let asked = queue.each(&drops, "ann").await;
    busy.let_go().await;
    assert_eq!(effects(&outcomes(asked).await), [true; 3]);
    assert_eq!(transactions(&database, &drops[..2]).await, 1);
    assert_eq!(transactions(&database, &drops).await, 2);
    for id in drops {
        assert_eq!(counts(&queue.store, id).await, (1_000, 401, 0));
        assert_sound(&queue.store, id).await;
    }
}

/// One that has many holds is loaded by itself, and keeps no other waiting for that.
#[tokio::test]
async fn a_drop_with_many_holds_is_loaded_by_itself() {
    let database = database().await;
    let mut queue = Queue::of(&database).await;
    let other = database.connect().await.unwrap();
    let unmet = large(&other).await;
    let [first, second] = queue.drops(5).await;
    let busy = queue.take_connection().await;
    let asked = queue.each(&[first, unmet, second], "bob").await;
    busy.let_go().await;
    assert_eq!(effects(&outcomes(asked).await), [true; 3]);
    assert_eq!(transactions(&database, &[first, second]).await, 1);
    assert_eq!(transactions(&database, &[first, unmet]).await, 2);
    assert_eq!(counts(&queue.store, unmet).await.1, 1_251);
    assert_sound(&queue.store, unmet).await;
}

/// What has ended is asked for in a message for each drop: a few may, while the others wait.
#[tokio::test]
async fn not_many_ask_for_what_has_ended_while_others_wait() {
    let database = database().await;
    let mut queue = Queue::of(&database).await;
    let drops: [_; 6] = queue.drops(5).await;
    let mut past = Vec::new();
    for id in drops {
        past.push(buy(&queue.store, id, "ann").await.id);
    }
    let busy = queue.take_connection().await;
    let mut asked = Vec::new();
    for (id, past) in drops.into_iter().zip(past) {
        asked.push(queue.ask(id, vec![purchase(past, "ann"), reserve("bob")]).await);
    }
    busy.let_go().await;
    assert_eq!(effects(&outcomes(asked).await), [true; 12]);
    assert_eq!(transactions(&database, &drops[..4]).await, 1);
    assert_eq!(transactions(&database, &drops).await, 3);
    for id in drops {
        assert_eq!(counts(&queue.store, id).await, (5, 1, 1));
        assert_sound(&queue.store, id).await;
    }
}
