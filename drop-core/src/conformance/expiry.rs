//! The deadline: valid while `as_of < expires_at`, everywhere.

use std::time::Duration;

use crate::model::{HoldPolicy, Status};
use crate::rules::{Command, Effect, Rejection};
use crate::store::Scope;

use super::commands::{HOLD, TICK, before, name, purchase, release_any, reserve, reserve_some};
use super::trial::{Trial, apply};

pub(super) async fn one_tick_before_the_deadline_buys(t: &Trial) {
    let drop_id = t.plain(1).await;
    let hold = t.hold(drop_id, "ann").await;
    t.set(before(hold.expires_at(), TICK)).await;
    t.buy(&hold, "ann").await;
    assert_eq!(t.counts(drop_id).await, (0, 0, 1));
}

pub(super) async fn at_the_deadline_is_too_late(t: &Trial) {
    let drop_id = t.plain(1).await;
    let hold = t.hold(drop_id, "ann").await;
    t.set(hold.expires_at()).await;
    let rejection = t.refused(drop_id, purchase(hold.id(), "ann")).await;
    assert_eq!(rejection, Rejection::ReservationExpired);
    assert_eq!(t.row(hold.id()).await.status(), Status::Expired, "the refusal settled it");
    assert_eq!(t.counts(drop_id).await, (1, 0, 0));
    assert_eq!(t.revision(drop_id).await, 3);
}

pub(super) async fn one_tick_after_the_deadline_is_too_late(t: &Trial) {
    let drop_id = t.plain(1).await;
    let hold = t.hold(drop_id, "ann").await;
    t.set(hold.expires_at().saturating_add(TICK)).await;
    let rejection = t.refused(drop_id, purchase(hold.id(), "ann")).await;
    assert_eq!(rejection, Rejection::ReservationExpired);
    assert!(t.purchases(&Scope::Drop(drop_id)).await.is_empty());
}

pub(super) async fn frees_the_unit_at_the_deadline_for_another(t: &Trial) {
    let drop_id = t.plain(1).await;
    let hold = t.hold(drop_id, "ann").await;
    t.set(hold.expires_at()).await;
    let next = t.hold(drop_id, "bob").await;
    let rejection = t.refused(drop_id, purchase(hold.id(), "ann")).await;
    assert_eq!(rejection, Rejection::ReservationExpired);
    t.buy(&next, "bob").await;
    assert_eq!(t.counts(drop_id).await, (0, 0, 1));
}

pub(super) async fn one_tick_early_frees_nothing(t: &Trial) {
    let drop_id = t.plain(1).await;
    let hold = t.hold(drop_id, "ann").await;
    t.set(before(hold.expires_at(), TICK)).await;
    assert_eq!(t.refused(drop_id, reserve("bob")).await, Rejection::OutOfStock);
    t.done(drop_id, Command::Expire).await;
    assert_eq!(t.row(hold.id()).await, hold);
    assert_eq!(t.counts(drop_id).await, (0, 1, 0));
    assert_eq!(t.revision(drop_id).await, 2);
}

pub(super) async fn settles_what_is_due_and_nothing_else(t: &Trial) {
    let drop_id = t.plain(9).await;
    let early = [t.hold_by(drop_id, reserve_some("ann", 2)).await, t.hold(drop_id, "bob").await];
    t.pass(TICK).await;
    let late = t.hold_by(drop_id, reserve_some("cat", 3)).await;
    let bought = t.sell(drop_id, "dan").await;
    let given_back = t.hold(drop_id, "eve").await;
    t.done(drop_id, release_any(given_back.id())).await;
    t.set(early[0].expires_at()).await;
    assert_eq!(t.done(drop_id, Command::Expire).await, Effect::Settled);
    for hold in early {
        let row = t.row(hold.id()).await;
        assert_eq!((row.status(), row.updated_at()), (Status::Expired, t.now()));
        assert_eq!(row.expires_at(), hold.expires_at(), "the deadline stays on record");
    }
    assert_eq!(t.row(late.id()).await, late);
    assert_eq!(t.row(bought.id).await.status(), Status::Completed);
    assert_eq!(t.row(given_back.id()).await.status(), Status::Released);
    assert_eq!(t.counts(drop_id).await, (5, 3, 1));
    let feed = t.feed(drop_id).await;
    let settled = feed.last().expect("a change");
    assert_eq!(settled.updated.len(), 2, "one change for both");
    assert!(settled.moved);
}

pub(super) async fn without_anything_due_writes_nothing(t: &Trial) {
    let drop_id = t.plain(2).await;
    t.hold(drop_id, "ann").await;
    for _ in 0..2 {
        assert_eq!(t.done(drop_id, Command::Expire).await, Effect::Settled);
    }
    assert_eq!(t.revision(drop_id).await, 2);
}

pub(super) async fn is_written_once_however_often_asked(t: &Trial) {
    let drop_id = t.plain(2).await;
    let hold = t.hold(drop_id, "ann").await;
    t.pass(HOLD).await;
    for instance in [0, 1, 0, 1] {
        apply(&*t.instance(instance), drop_id, vec![Command::Expire, Command::Expire]).await;
        t.pass(TICK).await;
    }
    assert_eq!(t.revision(drop_id).await, 3);
    let row = t.row(hold.id()).await;
    assert_eq!(row.updated_at(), hold.expires_at(), "it was expired once, and first");
}

pub(super) async fn counts_as_available_for_readers(t: &Trial) {
    let drop_id = t.plain(2).await;
    let hold = t.hold(drop_id, "ann").await;
    t.set(before(hold.expires_at(), TICK)).await;
    assert_eq!(t.counts(drop_id).await, (1, 1, 0));
    assert_eq!(t.holds(&Scope::Drop(drop_id)).await.len(), 1);
    t.set(hold.expires_at()).await;
    assert_eq!(t.counts(drop_id).await, (2, 0, 0), "nobody has settled it yet");
    assert!(t.holds(&Scope::Drop(drop_id)).await.is_empty());
    assert!(t.holds(&Scope::Customer(name("ann"))).await.is_empty());
    let reading = t.store().reservation(hold.id()).await.expect("a reading").expect("a row");
    assert_eq!(reading.reservation.status(), Status::Active, "as it stands");
    assert_eq!(reading.reservation.status_at(reading.as_of), Status::Expired);
    assert_eq!(t.revision(drop_id).await, 2, "reading writes nothing");
}

pub(super) async fn never_revives_when_time_goes_back(t: &Trial) {
    let drop_id = t.plain(1).await;
    let hold = t.hold(drop_id, "ann").await;
    t.set(hold.expires_at()).await;
    let settled = t.apply(drop_id, vec![Command::Expire]).await;
    t.set(before(hold.expires_at(), HOLD / 2)).await;
    let rejection = t.refused(drop_id, purchase(hold.id(), "ann")).await;
    assert_eq!(rejection, Rejection::ReservationExpired);
    let later = t.apply(drop_id, vec![reserve("bob")]).await;
    assert!(later.as_of() >= settled.as_of(), "a drop's time never goes back");
    assert_eq!(t.row(hold.id()).await.status(), Status::Expired);
}

pub(super) async fn follows_a_jump_of_an_hour(t: &Trial) {
    let drop_id = t.plain(3).await;
    let hold = t.hold(drop_id, "ann").await;
    t.sell(drop_id, "bob").await;
    t.pass(Duration::from_secs(3600)).await;
    assert_eq!(t.counts(drop_id).await, (2, 0, 1));
    let new = t.hold(drop_id, "cat").await;
    assert_eq!(new.expires_at(), t.now().saturating_add(HOLD));
    assert_eq!(t.row(hold.id()).await.status(), Status::Expired);
}

pub(super) async fn takes_the_shortest_and_the_longest_policy(t: &Trial) {
    for hold in [Duration::from_millis(1), HoldPolicy::MAX] {
        let policy = HoldPolicy::new(hold, hold).expect("a policy");
        let drop_id = t.drop_with(1, |terms| terms.hold = policy).await;
        let held = t.hold(drop_id, "ann").await;
        assert_eq!(held.expires_at(), t.now().saturating_add(hold));
        t.set(before(held.expires_at(), TICK)).await;
        assert_eq!(t.refused(drop_id, reserve("bob")).await, Rejection::OutOfStock);
        t.set(held.expires_at()).await;
        let next = t.hold(drop_id, "bob").await;
        t.done(drop_id, release_any(next.id())).await;
    }
}

pub(super) async fn names_the_drops_that_are_due(t: &Trial) {
    let [first, second, third, idle] =
        [t.plain(5).await, t.plain(5).await, t.plain(5).await, t.plain(5).await];
    let mut deadlines = Vec::new();
    for drop_id in [second, third, first] {
        let hold = t.hold(drop_id, "ann").await;
        deadlines.push((drop_id, hold.expires_at()));
        t.pass(TICK).await;
        t.hold(drop_id, "bob").await;
    }
    t.sell(idle, "ann").await;
    let due = t.store().due(10).await.expect("deadlines");
    assert_eq!(due.as_of, t.now());
    assert_eq!(due.deadlines, deadlines, "each drop once, by its earliest, soonest first");
    let due = t.store().due(2).await.expect("deadlines");
    assert_eq!(due.deadlines, deadlines[..2]);
    t.pass(HOLD).await;
    let due = t.instance(1).due(10).await.expect("deadlines");
    assert_eq!(due.deadlines, deadlines, "what has lapsed stays due until it is settled");
    for (drop_id, _) in &deadlines {
        t.done(*drop_id, Command::Expire).await;
    }
    assert!(t.store().due(10).await.expect("deadlines").deadlines.is_empty());
}
