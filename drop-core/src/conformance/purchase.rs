//! Buying what is held.

use crate::model::{ReservationId, Status};
use crate::rules::{Amendment, Command, Rejection};
use crate::store::{Deletion, Scope};

use super::commands::{HOLD, TICK, name, purchase, purchased, release, reserve_some, units};
use super::trial::Trial;

pub(super) async fn sells_what_is_held(t: &Trial) {
    let drop_id = t.plain(3).await;
    let hold = t.hold_by(drop_id, reserve_some("ann", 2)).await;
    t.pass(TICK).await;
    let sale = t.buy(&hold, "ann").await;
    assert_eq!(sale.id, hold.id());
    assert_eq!(sale.user_id, hold.claim().user_id);
    assert_eq!(sale.variant, hold.claim().variant);
    assert_eq!(sale.quantity, units(2));
    assert_eq!(sale.purchased_at, t.now());
    let row = t.row(hold.id()).await;
    assert_eq!((row.status(), row.claim()), (Status::Completed, hold.claim()));
    assert_eq!(row.purchase(), Some(sale));
    assert_eq!(t.counts(drop_id).await, (1, 0, 2));
    let sales = t.purchases(&Scope::Drop(drop_id)).await;
    assert_eq!(sales.iter().map(|sale| sale.purchase).collect::<Vec<_>>(), [sale]);
    assert_eq!(t.revision(drop_id).await, 3);
}

pub(super) async fn repeated_is_the_same_purchase(t: &Trial) {
    let drop_id = t.plain(2).await;
    let sale = t.sell(drop_id, "ann").await;
    t.pass(TICK).await;
    for _ in 0..3 {
        let again = purchased(t.done(drop_id, purchase(sale.id, "ann")).await);
        assert_eq!(again, (sale, true));
    }
    assert_eq!(t.counts(drop_id).await, (1, 0, 1));
    assert_eq!(t.revision(drop_id).await, 3, "a repeat changes nothing");
}

pub(super) async fn repeated_after_the_deadline_is_the_same_purchase(t: &Trial) {
    let drop_id = t.plain(1).await;
    let sale = t.sell(drop_id, "ann").await;
    t.pass(10 * HOLD).await;
    let again = purchased(t.done(drop_id, purchase(sale.id, "ann")).await);
    assert_eq!(again, (sale, true));
}

pub(super) async fn pays_the_price_at_the_hold(t: &Trial) {
    let drop_id = t.plain(2).await;
    let hold = t.hold(drop_id, "ann").await;
    let price = "200".parse().expect("a price");
    let dearer = Amendment { price: Some(price), ..Amendment::default() };
    t.done(drop_id, Command::Amend(dearer)).await;
    assert_eq!(t.buy(&hold, "ann").await.amount_paid.to_string(), "149.99");
    assert_eq!(t.sell(drop_id, "bob").await.amount_paid.to_string(), "200");
}

pub(super) async fn multiplies_exactly(t: &Trial) {
    let price = "0.1001".parse().expect("a price");
    let drop_id = t.drop_with(1000, |terms| terms.price = price).await;
    let hold = t.hold_by(drop_id, reserve_some("ann", 997)).await;
    let sale = t.buy(&hold, "ann").await;
    assert_eq!(sale.amount_paid.to_string(), "99.7997");
    let sales = t.purchases(&Scope::Customer(name("ann"))).await;
    let read = sales.first().map(|sale| sale.purchase.amount_paid.to_string());
    assert_eq!(read.as_deref(), Some("99.7997"));
}

pub(super) async fn by_another_is_refused(t: &Trial) {
    let drop_id = t.plain(2).await;
    let hold = t.hold(drop_id, "ann").await;
    t.hold(drop_id, "bob").await;
    for who in ["bob", "stranger"] {
        assert_eq!(t.refused(drop_id, purchase(hold.id(), who)).await, Rejection::NotYours);
    }
    let stranger = t.store().delete_user(&name("stranger")).await.expect("an answer");
    assert_eq!(stranger, Deletion::NotFound, "asking makes no user");
    assert_eq!(t.counts(drop_id).await, (0, 2, 0));
    t.buy(&hold, "ann").await;
    assert_eq!(t.refused(drop_id, purchase(hold.id(), "bob")).await, Rejection::NotYours);
}

pub(super) async fn of_what_is_over_is_refused(t: &Trial) {
    let drop_id = t.plain(2).await;
    let given_back = t.hold(drop_id, "ann").await;
    t.done(drop_id, release(given_back.id(), "ann")).await;
    let lapsed = t.hold(drop_id, "ann").await;
    t.pass(HOLD).await;
    t.done(drop_id, Command::Expire).await;
    for over in [given_back, lapsed] {
        let rejection = t.refused(drop_id, purchase(over.id(), "ann")).await;
        assert_eq!(rejection, Rejection::ReservationExpired);
    }
    assert_eq!(t.counts(drop_id).await, (2, 0, 0));
}

pub(super) async fn of_nothing_is_refused(t: &Trial) {
    let drop_id = t.plain(1).await;
    t.hold(drop_id, "ann").await;
    for number in [2, ReservationId::MAX_NUMBER] {
        let id = ReservationId::new(drop_id, number).expect("a number");
        let rejection = t.refused(drop_id, purchase(id, "ann")).await;
        assert_eq!(rejection, Rejection::ReservationNotFound);
    }
}

pub(super) async fn of_the_last_unit_says_sold_out_once(t: &Trial) {
    let drop_id = t.plain(2).await;
    t.sell(drop_id, "ann").await;
    let last = t.hold(drop_id, "bob").await;
    t.buy(&last, "bob").await;
    t.done(drop_id, purchase(last.id(), "bob")).await;
    let sold_out: Vec<_> = t.feed(drop_id).await.iter().map(|change| change.sold_out).collect();
    assert_eq!(sold_out, [false, false, false, false, true]);
    let buyers: Vec<_> =
        t.feed(drop_id).await.iter().map(|change| change.purchasers.len()).collect();
    assert_eq!(buyers, [0, 0, 1, 0, 1]);
}
