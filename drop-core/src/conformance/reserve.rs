//! Taking a hold.

use crate::model::{NewDrop, Status, Units, VariantNo};
use crate::rules::{Command, Outcome, Rejection};
use crate::store::{Deletion, Scope};

use super::commands::{
    HOLD, forget, name, new_total, purchase, release_any, reserve, reserve_some, reserved, terms,
    units,
};
use super::trial::Trial;

pub(super) async fn takes_a_unit(t: &Trial) {
    let drop_id = t.plain(3).await;
    let hold = t.hold(drop_id, "ann").await;
    assert_eq!(hold.id().drop_id(), drop_id);
    assert_eq!(hold.claim().variant, VariantNo::new(0));
    assert_eq!(hold.claim().quantity, Units::ONE);
    assert_eq!(hold.claim().price, terms().price);
    assert_eq!(hold.claim().created_at, t.now());
    assert_eq!(hold.expires_at(), t.now().saturating_add(HOLD));
    assert_eq!(hold.updated_at(), t.now());
    assert_eq!(hold.status(), Status::Active);
    assert_eq!(t.row(hold.id()).await, hold);
    assert_eq!(t.counts(drop_id).await, (2, 1, 0));
    assert_eq!(t.revision(drop_id).await, 2);
}

pub(super) async fn refuses_what_is_sold_out(t: &Trial) {
    let drop_id = t.plain(1).await;
    let hold = t.hold(drop_id, "ann").await;
    assert_eq!(t.refused(drop_id, reserve("bob")).await, Rejection::OutOfStock);
    t.buy(&hold, "ann").await;
    assert_eq!(t.refused(drop_id, reserve("bob")).await, Rejection::OutOfStock);
    assert_eq!(t.counts(drop_id).await, (0, 0, 1));
    assert_eq!(t.revision(drop_id).await, 3, "refusals are no changes");
}

pub(super) async fn takes_all_or_nothing(t: &Trial) {
    let drop_id = t.plain(5).await;
    t.hold(drop_id, "ann").await;
    assert_eq!(t.refused(drop_id, reserve_some("bob", 5)).await, Rejection::OutOfStock);
    assert_eq!(t.counts(drop_id).await, (4, 1, 0));
    let hold = t.hold_by(drop_id, reserve_some("bob", 4)).await;
    assert_eq!(hold.claim().quantity, units(4));
    assert_eq!(t.counts(drop_id).await, (0, 5, 0));
}

pub(super) async fn refuses_a_quantity_of_nothing(t: &Trial) {
    let drop_id = t.plain(1).await;
    assert_eq!(t.refused(drop_id, reserve_some("ann", 0)).await, Rejection::NoQuantity);
    assert_eq!(t.revision(drop_id).await, 1);
}

pub(super) async fn numbers_reservations_from_one_in_each_drop(t: &Trial) {
    let drops = [t.plain(3).await, t.plain(3).await];
    for (number, who) in (1..).zip(["ann", "bob", "cat"]) {
        for drop_id in drops {
            let hold = t.hold(drop_id, who).await;
            assert_eq!((hold.id().drop_id(), hold.id().number()), (drop_id, number));
        }
    }
}

pub(super) async fn never_gives_a_number_again(t: &Trial) {
    let drop_id = t.plain(1).await;
    let first = t.hold(drop_id, "ann").await;
    t.done(drop_id, release_any(first.id())).await;
    let second = t.hold(drop_id, "ann").await;
    t.done(drop_id, forget("ann")).await;
    let third = t.hold(drop_id, "bob").await;
    let numbers = [first, second, third].map(|hold| hold.id().number());
    assert_eq!(numbers, [1, 2, 3]);
}

pub(super) async fn knows_a_user_without_regard_to_case(t: &Trial) {
    let drop_id = t.plain(2).await;
    let first = t.hold(drop_id, "Ann").await;
    let (again, extended) = reserved(t.done(drop_id, reserve("aNN")).await);
    assert_eq!((again.id(), extended), (first.id(), true));
    let held = t.holds(&Scope::Customer(name("ann"))).await;
    let spelled: Vec<_> = held.iter().map(|held| held.username.as_str()).collect();
    assert_eq!(spelled, ["Ann"], "the first spelling is kept");
    t.done(drop_id, purchase(first.id(), "ANN")).await;
    let recent = t.snapshot(drop_id).await.recent;
    assert_eq!(recent.first().map(|buyer| buyer.username.as_str()), Some("Ann"));
    assert_eq!(t.store().delete_user(&name("ANN")).await.expect("an answer"), Deletion::Refused);
}

pub(super) async fn holds_in_two_drops_apart(t: &Trial) {
    let (one, other) = (t.plain(1).await, t.plain(1).await);
    let first = t.hold(one, "ann").await;
    let second = t.hold(other, "ann").await;
    assert_eq!(first.claim().user_id, second.claim().user_id, "one user");
    t.done(one, release_any(first.id())).await;
    assert_eq!(t.counts(one).await, (1, 0, 0));
    assert_eq!(t.counts(other).await, (0, 1, 0));
}

pub(super) async fn answers_for_a_drop_that_is_not_there(t: &Trial) {
    let drop_id = t.plain(1).await;
    let hold = t.hold(drop_id, "ann").await;
    t.store().delete_drop(drop_id, true).await.expect("an answer");
    let commands = vec![
        reserve("ann"),
        reserve("newcomer"),
        purchase(hold.id(), "ann"),
        release_any(hold.id()),
        Command::Expire,
        new_total(5),
        forget("ann"),
    ];
    let applied = t.apply(drop_id, commands).await;
    assert_eq!(applied.revision().get(), 0);
    assert!(applied.change().is_none());
    for outcome in applied.outcomes() {
        assert_eq!(*outcome, Outcome::Rejected(Rejection::DropNotFound));
    }
    // Who asks for nothing leaves nothing behind.
    let deletion = t.store().delete_user(&name("newcomer")).await.expect("an answer");
    assert_eq!(deletion, Deletion::NotFound);
}

pub(super) async fn takes_the_largest_stock(t: &Trial) {
    let mut largest = terms();
    largest.price = "9999999999.9999".parse().expect("a price");
    let new = NewDrop::plain(largest, Units::MAX).expect("a drop");
    let drop_id = t.create(&new).await.id;
    let all = Units::MAX.get();
    let hold = t.hold_by(drop_id, reserve_some("ann", all)).await;
    assert_eq!(t.counts(drop_id).await, (0, all, 0));
    assert_eq!(t.refused(drop_id, reserve("bob")).await, Rejection::OutOfStock);
    let sale = t.buy(&hold, "ann").await;
    assert_eq!(sale.amount_paid.to_string(), "9999999999999900000.0000");
    assert_eq!(t.counts(drop_id).await, (0, 0, all));
}
