//! Reserving what the customer holds already.

use std::time::Duration;

use crate::model::{HoldPolicy, Status, Units};
use crate::rules::Rejection;

use super::commands::{HOLD, LONGEST, TICK, release, reserve, reserve_of, reserve_some, reserved};
use super::trial::Trial;

pub(super) async fn gives_the_same_hold_a_fresh_deadline(t: &Trial) {
    let drop_id = t.plain(2).await;
    let first = t.hold(drop_id, "ann").await;
    t.pass(Duration::from_secs(10)).await;
    let (again, extended) = reserved(t.done(drop_id, reserve("ann")).await);
    assert!(extended);
    assert_eq!(again.claim(), first.claim(), "what is claimed stays");
    assert_eq!(again.expires_at(), t.now().saturating_add(HOLD));
    assert_eq!(again.updated_at(), t.now());
    assert_eq!(t.row(first.id()).await, again);
    assert_eq!(t.counts(drop_id).await, (1, 1, 0), "held once");
    assert_eq!(t.revision(drop_id).await, 3);
}

pub(super) async fn never_passes_the_longest(t: &Trial) {
    let drop_id = t.plain(1).await;
    let first = t.hold(drop_id, "ann").await;
    let latest = first.claim().created_at.saturating_add(LONGEST);
    for _ in 0..5 {
        t.pass(Duration::from_secs(50)).await;
        let (again, extended) = reserved(t.done(drop_id, reserve("ann")).await);
        assert!(extended);
        assert_eq!(again.expires_at(), t.now().saturating_add(HOLD).min(latest));
    }
    assert_eq!(t.row(first.id()).await.expires_at(), latest);
    t.set(latest).await;
    let taken = t.hold(drop_id, "bob").await;
    assert_ne!(taken.id(), first.id());
    assert_eq!(t.refused(drop_id, reserve("ann")).await, Rejection::OutOfStock);
}

pub(super) async fn is_switched_off_where_longest_is_the_hold(t: &Trial) {
    let policy = HoldPolicy::new(HOLD, HOLD).expect("a policy");
    let drop_id = t.drop_with(1, |terms| terms.hold = policy).await;
    let first = t.hold(drop_id, "ann").await;
    t.pass(Duration::from_secs(59)).await;
    let (again, extended) = reserved(t.done(drop_id, reserve("ann")).await);
    assert!(extended);
    assert_eq!(again, first, "nothing of it moves");
}

pub(super) async fn that_moves_nothing_writes_nothing(t: &Trial) {
    let drop_id = t.plain(1).await;
    let first = t.hold(drop_id, "ann").await;
    let (again, extended) = reserved(t.done(drop_id, reserve("ann")).await);
    assert_eq!((again, extended), (first, true));
    assert_eq!(t.revision(drop_id).await, 2);
    assert_eq!(t.feed(drop_id).await.len(), 2);
}

pub(super) async fn with_another_quantity_is_refused(t: &Trial) {
    let drop_id = t.plain(9).await;
    let hold = t.hold_by(drop_id, reserve_some("ann", 2)).await;
    for quantity in [1, 3, 100] {
        let rejection = t.refused(drop_id, reserve_some("ann", quantity)).await;
        assert_eq!(rejection, Rejection::AlreadyHolding);
    }
    assert_eq!(t.row(hold.id()).await, hold);
    assert_eq!(t.counts(drop_id).await, (7, 2, 0));
}

pub(super) async fn with_another_variant_is_refused(t: &Trial) {
    let drop_id = t.sized(&[("S", 2), ("M", 2)]).await;
    t.hold_by(drop_id, reserve_of("ann", "S", 1)).await;
    let rejection = t.refused(drop_id, reserve_of("ann", "M", 1)).await;
    assert_eq!(rejection, Rejection::AlreadyHolding);
    assert_eq!(t.counts(drop_id).await, (3, 1, 0));
}

pub(super) async fn works_where_all_is_sold_out(t: &Trial) {
    let drop_id = t.drop_with(1, |terms| terms.limit = Some(Units::ONE)).await;
    let first = t.hold(drop_id, "ann").await;
    t.pass(TICK).await;
    let (again, extended) = reserved(t.done(drop_id, reserve("ann")).await);
    assert_eq!((again.id(), extended), (first.id(), true));
    assert_eq!(again.expires_at(), first.expires_at().saturating_add(TICK));
}

pub(super) async fn after_release_is_a_new_hold(t: &Trial) {
    let drop_id = t.plain(1).await;
    let first = t.hold(drop_id, "ann").await;
    t.done(drop_id, release(first.id(), "ann")).await;
    let second = t.hold(drop_id, "ann").await;
    assert_ne!(second.id(), first.id());
    assert_eq!(t.counts(drop_id).await, (0, 1, 0));
}

pub(super) async fn after_purchase_is_a_new_hold(t: &Trial) {
    let drop_id = t.plain(2).await;
    let sale = t.sell(drop_id, "ann").await;
    let second = t.hold(drop_id, "ann").await;
    assert_ne!(second.id(), sale.id);
    assert_eq!(t.counts(drop_id).await, (0, 1, 1));
}

pub(super) async fn after_the_deadline_is_a_new_hold(t: &Trial) {
    let drop_id = t.plain(1).await;
    let first = t.hold(drop_id, "ann").await;
    t.pass(HOLD).await;
    let second = t.hold(drop_id, "ann").await;
    assert_ne!(second.id(), first.id());
    assert_eq!(second.claim().created_at, t.now());
    assert_eq!(t.row(first.id()).await.status(), Status::Expired);
    assert_eq!(t.counts(drop_id).await, (0, 1, 0));
}
