//! What outlives the process. Where nothing does, the same is expected without reopening.

use crate::rules::{Amendment, Command, Rejection};
use crate::store::{Deletion, Scope};

use super::commands::{
    TICK, before, forget, name, purchase, purchased, release_any, reserve, reserve_of, reserved,
    units,
};
use super::trial::Trial;

/// Closes and opens the data set where that is its nature.
async fn reopen(t: &mut Trial) {
    let durable = t.store().is_durable();
    assert_eq!(t.reopen().await, durable, "exactly what is durable is there after reopening");
    assert_eq!(t.store().ready().await.expect("a time"), t.now(), "time stands still meanwhile");
}

pub(super) async fn has_everything_after_reopening(t: &mut Trial) {
    let drop_id = t.sized(&[("S", 5), ("M", 5)]).await;
    let other = t.plain(3).await;
    let sale = t.sell(other, "Ann").await;
    for (size, who) in [("S", "bob"), ("M", "cat"), ("S", "dan")] {
        let hold = t.hold_by(drop_id, reserve_of(who, size, 2)).await;
        if who == "dan" {
            t.done(drop_id, release_any(hold.id())).await;
        }
        t.pass(TICK).await;
    }
    let deleted = t.plain(1).await;
    t.store().delete_drop(deleted, false).await.expect("an answer");
    t.hold(other, "gone").await;
    t.done(other, forget("gone")).await;
    t.store().delete_user(&name("gone")).await.expect("an answer");
    let look = async |t: &Trial| {
        let mut seen = Vec::new();
        for drop_id in [drop_id, other] {
            let scope = Scope::Drop(drop_id);
            seen.push((
                t.snapshot(drop_id).await,
                t.feed(drop_id).await,
                t.holds(&scope).await,
                t.purchases(&scope).await,
            ));
        }
        seen
    };
    let earlier = look(t).await;
    reopen(t).await;
    assert_eq!(look(t).await, earlier);
    assert_eq!(t.store().snapshot(deleted).await.expect("a reading"), None);
    assert_eq!(t.store().delete_user(&name("gone")).await.expect("an answer"), Deletion::NotFound);
    let again = purchased(t.done(other, purchase(sale.id, "ANN")).await);
    assert_eq!(again, (sale, true), "a repeat converges");
}

pub(super) async fn goes_on_numbering_after_reopening(t: &mut Trial) {
    let deleted = t.plain(1).await;
    let drop_id = t.plain(3).await;
    let first = t.hold(drop_id, "ann").await;
    let gone = t.hold(drop_id, "gone").await;
    t.done(drop_id, forget("gone")).await;
    t.store().delete_user(&name("gone")).await.expect("an answer");
    let newest = t.plain(1).await;
    // An older drop is written last.
    let amendment = Amendment { total: Some(units(4)), ..Amendment::default() };
    t.done(drop_id, Command::Amend(amendment)).await;
    t.store().delete_drop(deleted, false).await.expect("an answer");
    t.store().delete_drop(newest, false).await.expect("an answer");
    reopen(t).await;
    let created = t.plain(1).await;
    assert!(![deleted, drop_id, newest].contains(&created), "a drop's number came again");
    let third = t.hold(drop_id, "cat").await;
    assert_eq!(third.id().number(), 3);
    let users = [first.claim().user_id, gone.claim().user_id];
    assert!(!users.contains(&third.claim().user_id), "a user's number came again");
    assert_eq!(t.revision(drop_id).await, 6);
    let (again, extended) = reserved(t.done(drop_id, reserve("ANN")).await);
    assert_eq!((again.id(), extended), (first.id(), true), "the user is the same");
}

pub(super) async fn lapses_on_time_across_reopening(t: &mut Trial) {
    let drop_id = t.plain(2).await;
    let hold = t.hold(drop_id, "ann").await;
    t.pass(TICK).await;
    let later = t.hold(drop_id, "bob").await;
    reopen(t).await;
    let due = t.store().due(10).await.expect("deadlines");
    assert_eq!(due.deadlines, [(drop_id, hold.expires_at())]);
    t.set(before(hold.expires_at(), TICK)).await;
    assert_eq!(t.refused(drop_id, reserve("cat")).await, Rejection::OutOfStock);
    reopen(t).await;
    t.set(hold.expires_at()).await;
    assert_eq!(t.counts(drop_id).await, (1, 1, 0));
    let rejection = t.refused(drop_id, purchase(hold.id(), "ann")).await;
    assert_eq!(rejection, Rejection::ReservationExpired);
    t.buy(&later, "bob").await;
    t.done(drop_id, Command::Expire).await;
    assert_eq!(t.counts(drop_id).await, (1, 0, 1));
}
