//! The feed: every change once, in order, with complete facts.

use std::sync::Arc;

use futures::{FutureExt, StreamExt};

use crate::model::{DropId, NewDrop, Revision, Timestamp};
use crate::rules::{Amendment, Change, Command};
use crate::store::Deletion;

use super::commands::{
    HOLD, TICK, forget, new_total, purchase, release_any, reserve, reserve_of, terms, units,
    variant,
};
use super::trial::{ALL_CHANGES, Trial, apply};

fn revisions(feed: &[Arc<Change>]) -> Vec<u64> {
    feed.iter().map(|change| change.revision.get()).collect()
}

/// A drop with `changes` changes after its creation.
async fn eventful(t: &Trial, changes: u64) -> DropId {
    let drop_id = t.plain(1).await;
    for _ in 0..changes.div_ceil(2) {
        let hold = t.hold(drop_id, "ann").await;
        t.done(drop_id, release_any(hold.id())).await;
    }
    drop_id
}

pub(super) async fn begins_with_the_creation(t: &Trial) {
    let drop_id = t.sized(&[("S", 2), ("M", 1)]).await;
    let snapshot = t.snapshot(drop_id).await;
    let feed = t.feed(drop_id).await;
    let [first] = feed.as_slice() else { panic!("one change was expected: {feed:?}") };
    assert_eq!((first.drop_id, first.revision), (drop_id, Revision::FIRST));
    assert_eq!(first.as_of, snapshot.created_at);
    assert_eq!(first.terms, Some(snapshot.terms));
    assert_eq!(first.variants, snapshot.variants);
    assert_eq!(first.next_number, 1);
    assert_eq!(first.reservations().count(), 0);
    assert!(!first.sold_out);
}

pub(super) async fn has_every_change_once_in_order(t: &Trial) {
    let drop_id = t.plain(9).await;
    let mut times = vec![t.now()];
    for who in ["amy", "bob", "cat"] {
        t.pass(TICK).await;
        let hold = t.hold(drop_id, who).await;
        times.push(t.now());
        t.pass(TICK).await;
        t.done(
            drop_id,
            if who == "bob" { release_any(hold.id()) } else { purchase(hold.id(), who) },
        )
        .await;
        times.push(t.now());
    }
    let feed = t.feed(drop_id).await;
    assert_eq!(revisions(&feed), [1, 2, 3, 4, 5, 6, 7]);
    let read: Vec<Timestamp> = feed.iter().map(|change| change.as_of).collect();
    assert_eq!(read, times);
}

pub(super) async fn has_what_apply_answered(t: &Trial) {
    let drop_id = t.sized(&[("S", 5), ("M", 5)]).await;
    let mut answered = Vec::new();
    let batches = [
        vec![reserve_of("amy", "S", 2), reserve_of("bob", "M", 1)],
        vec![reserve_of("cat", "L", 1), reserve_of("cat", "S", 3)],
        vec![forget("bob"), Command::Expire],
    ];
    for batch in batches {
        let applied = t.apply(drop_id, batch).await;
        let change = applied.change().expect("a change").clone();
        assert_eq!(applied.revision(), change.revision);
        assert_eq!(applied.as_of(), change.as_of);
        answered.push(change);
        t.pass(HOLD / 2).await;
    }
    answered.extend(t.apply(drop_id, vec![Command::Expire]).await.change().cloned());
    assert_eq!(t.feed_since(drop_id, 1).await, answered);
}

pub(super) async fn gives_pages(t: &Trial) {
    let drop_id = eventful(t, 10).await;
    let mut read = Vec::new();
    loop {
        let since = read.last().copied().unwrap_or(0);
        let page = t.instance(1).changes(drop_id, Revision::new(since), 4).await.expect("a page");
        read.extend(revisions(&page));
        if page.len() < 4 {
            break;
        }
    }
    assert_eq!(read, (1..=11).collect::<Vec<_>>());
    assert!(t.feed_since(drop_id, 11).await.is_empty(), "nothing after the last");
    assert!(t.feed_since(drop_id, 1000).await.is_empty());
    assert_eq!(revisions(&t.feed_since(drop_id, 9).await), [10, 11]);
}

/// Everything that can happen to a drop; what the feed says of it is compared with what the
/// store reads out at the end, as it is after every case.
pub(super) async fn has_complete_facts(t: &Trial) {
    let drop_id = t.sized(&[("S", 9), ("M", 9)]).await;
    let hold = t.hold_by(drop_id, reserve_of("amy", "S", 2)).await;
    t.check(drop_id).await;
    t.pass(TICK).await;
    t.done(drop_id, reserve_of("amy", "S", 2)).await;
    t.check(drop_id).await;
    t.buy(&hold, "amy").await;
    t.hold_by(drop_id, reserve_of("bob", "M", 1)).await;
    let given_back = t.hold_by(drop_id, reserve_of("cat", "M", 1)).await;
    t.done(drop_id, release_any(given_back.id())).await;
    t.check(drop_id).await;
    t.pass(HOLD).await;
    t.check(drop_id).await;
    t.done(drop_id, Command::Expire).await;
    t.check(drop_id).await;
    let more = Amendment { variants: vec![(variant("L"), units(3))], ..Default::default() };
    t.done(drop_id, Command::Amend(more)).await;
    t.check(drop_id).await;
    let sale = t.hold_by(drop_id, reserve_of("dan", "L", 3)).await;
    t.buy(&sale, "dan").await;
    t.done(drop_id, forget("amy")).await;
    t.check(drop_id).await;
}

pub(super) async fn has_no_row_for_a_refusal(t: &Trial) {
    let drop_id = t.plain(1).await;
    let sale = t.sell(drop_id, "ann").await;
    let before = t.feed(drop_id).await;
    let commands = vec![
        reserve("bob"),
        purchase(sale.id, "bob"),
        purchase(sale.id, "ann"),
        release_any(sale.id),
        new_total(1),
        Command::Expire,
        forget("stranger"),
    ];
    for command in commands {
        t.apply(drop_id, vec![command]).await;
    }
    assert_eq!(t.feed(drop_id).await, before);
}

pub(super) async fn hears_other_instances(t: &Trial) {
    let drop_id = t.plain(9).await;
    for (index, who) in ["amy", "bob", "cat", "dan"].into_iter().enumerate() {
        apply(&*t.instance(index), drop_id, vec![reserve(who)]).await;
        let other = t.instance(index + 1);
        let feed = other.changes(drop_id, Revision::ZERO, ALL_CHANGES).await.expect("a feed");
        assert_eq!(feed.len(), index + 2);
        assert_eq!(feed, t.feed(drop_id).await);
    }
    let created = t.instance(1).create_drop(&plain()).await.expect("a drop");
    t.note(created.id);
    assert_eq!(t.feed(created.id).await.len(), 1);
}

fn plain() -> NewDrop {
    let total = units(1);
    NewDrop::plain(terms(), total).expect("a drop")
}

pub(super) async fn keeps_the_newest_when_trimmed(t: &Trial) {
    let long = eventful(t, 10).await;
    let short = eventful(t, 2).await;
    let newest = t.feed_since(long, 7).await;
    assert_eq!(t.store().trim(4).await.expect("a count"), 7);
    let trimmed = t.feed(long).await;
    assert_eq!(revisions(&trimmed), [8, 9, 10, 11], "a gap is seen by the first");
    assert_eq!(trimmed, newest);
    assert_eq!(revisions(&t.feed(short).await), [1, 2, 3]);
    assert_eq!(t.store().trim(4).await.expect("a count"), 0);
    assert_eq!(t.instance(1).trim(1).await.expect("a count"), 3 + 2);
    assert_eq!(t.store().trim(0).await.expect("a count"), 0, "the newest always stays");
    assert_eq!(revisions(&t.feed(long).await), [11]);
    assert_eq!(revisions(&t.feed(short).await), [3]);
}

pub(super) async fn goes_on_after_a_trim(t: &Trial) {
    let drop_id = eventful(t, 4).await;
    t.store().trim(1).await.expect("a count");
    let hold = t.hold(drop_id, "bob").await;
    t.buy(&hold, "bob").await;
    assert_eq!(revisions(&t.feed(drop_id).await), [5, 6, 7]);
    let (heads, audit) = (t.store().heads(None, 10).await, t.store().audit(drop_id).await);
    assert_eq!(heads.expect("heads"), [(drop_id, Revision::new(7))]);
    assert!(audit.expect("an audit").expect("a drop").is_sound());
    assert_eq!(t.store().delete_drop(drop_id, true).await.expect("an answer"), Deletion::Deleted);
}

pub(super) async fn gives_hints_without_end(t: &Trial) {
    let mut hints = [t.instance(0).hints(), t.instance(1).hints()];
    let drop_id = t.plain(2).await;
    for instance in [0, 1] {
        apply(&*t.instance(instance), drop_id, vec![reserve(["ann", "bob"][instance])]).await;
        for hints in &mut hints {
            // A hint may be late or lost; what comes names a drop, and the stream goes on.
            while let Some(hint) = hints.next().now_or_never() {
                assert_eq!(hint, Some(drop_id));
            }
        }
    }
}
