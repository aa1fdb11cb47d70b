//! Giving a hold back.

use crate::model::{ReservationId, Status};
use crate::rules::Rejection;
use crate::store::Deletion;

use super::commands::{HOLD, TICK, name, release, release_any, released, reserve_some};
use super::trial::Trial;

pub(super) async fn gives_the_units_back(t: &Trial) {
    let drop_id = t.plain(3).await;
    let hold = t.hold_by(drop_id, reserve_some("ann", 2)).await;
    t.pass(TICK).await;
    let row = released(t.done(drop_id, release(hold.id(), "ann")).await);
    assert_eq!(row.status(), Status::Released);
    assert_eq!(row.claim(), hold.claim());
    assert_eq!(row.updated_at(), t.now());
    assert_eq!(t.row(hold.id()).await, row);
    assert_eq!(t.counts(drop_id).await, (3, 0, 0));
    t.hold_by(drop_id, reserve_some("bob", 3)).await;
}

pub(super) async fn repeated_is_the_same_answer(t: &Trial) {
    let drop_id = t.plain(1).await;
    let hold = t.hold(drop_id, "ann").await;
    let first = released(t.done(drop_id, release(hold.id(), "ann")).await);
    t.pass(TICK).await;
    let again = released(t.done(drop_id, release(hold.id(), "ann")).await);
    assert_eq!(first, again);
    assert_eq!(t.revision(drop_id).await, 3, "a repeat changes nothing");
}

pub(super) async fn of_a_lapsed_hold_finds_it_expired(t: &Trial) {
    let drop_id = t.plain(1).await;
    let hold = t.hold(drop_id, "ann").await;
    t.pass(HOLD).await;
    let row = released(t.done(drop_id, release(hold.id(), "ann")).await);
    assert_eq!(row.status(), Status::Expired);
    assert_eq!(t.counts(drop_id).await, (1, 0, 0));
}

pub(super) async fn by_another_is_refused(t: &Trial) {
    let drop_id = t.plain(2).await;
    let hold = t.hold(drop_id, "ann").await;
    t.hold(drop_id, "bob").await;
    assert_eq!(t.refused(drop_id, release(hold.id(), "bob")).await, Rejection::NotYours);
    assert_eq!(t.row(hold.id()).await, hold);
    assert_eq!(t.counts(drop_id).await, (0, 2, 0));
}

pub(super) async fn by_a_stranger_is_refused_and_makes_no_user(t: &Trial) {
    let drop_id = t.plain(1).await;
    let hold = t.hold(drop_id, "ann").await;
    assert_eq!(t.refused(drop_id, release(hold.id(), "bob")).await, Rejection::NotYours);
    let deletion = t.store().delete_user(&name("bob")).await.expect("an answer");
    assert_eq!(deletion, Deletion::NotFound);
}

pub(super) async fn by_the_seller_needs_no_name(t: &Trial) {
    let drop_id = t.plain(1).await;
    let hold = t.hold(drop_id, "ann").await;
    let row = released(t.done(drop_id, release_any(hold.id())).await);
    assert_eq!(row.status(), Status::Released);
    assert_eq!(t.counts(drop_id).await, (1, 0, 0));
}

pub(super) async fn of_a_purchase_is_refused(t: &Trial) {
    let drop_id = t.plain(1).await;
    let sale = t.sell(drop_id, "ann").await;
    for command in [release(sale.id, "ann"), release_any(sale.id)] {
        assert_eq!(t.refused(drop_id, command).await, Rejection::AlreadyPurchased);
    }
    assert_eq!(t.counts(drop_id).await, (0, 0, 1));
}

pub(super) async fn of_nothing_is_refused(t: &Trial) {
    let drop_id = t.plain(1).await;
    t.hold(drop_id, "ann").await;
    for number in [2, ReservationId::MAX_NUMBER] {
        let id = ReservationId::new(drop_id, number).expect("a number");
        for command in [release(id, "ann"), release_any(id)] {
            assert_eq!(t.refused(drop_id, command).await, Rejection::ReservationNotFound);
        }
    }
    assert_eq!(t.revision(drop_id).await, 2);
}
