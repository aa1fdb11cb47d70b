//! Removing every row of a customer from a drop, as deleting the user does.

use crate::model::Units;
use crate::rules::{Command, Effect, Outcome, Rejection};
use crate::store::Scope;

use super::commands::{
    HOLD, TICK, forget, name, purchase, release_any, reserve, reserve_of, reserve_some, reserved,
};
use super::trial::Trial;

pub(super) async fn takes_every_row_of_the_customer(t: &Trial) {
    let drop_id = t.sized(&[("S", 9), ("M", 9)]).await;
    let mut rows = Vec::new();
    let sale = t.hold_by(drop_id, reserve_of("ann", "S", 3)).await;
    t.buy(&sale, "ann").await;
    rows.push(sale);
    let given_back = t.hold_by(drop_id, reserve_of("ann", "M", 1)).await;
    t.done(drop_id, release_any(given_back.id())).await;
    rows.push(given_back);
    let lapsed = t.hold_by(drop_id, reserve_of("ann", "M", 1)).await;
    t.pass(HOLD).await;
    t.done(drop_id, Command::Expire).await;
    rows.push(lapsed);
    rows.push(t.hold_by(drop_id, reserve_of("ann", "M", 2)).await);
    let others = t.hold_by(drop_id, reserve_of("bob", "S", 1)).await;
    t.buy(&others, "bob").await;
    assert_eq!(t.counts(drop_id).await, (12, 2, 4));

    assert_eq!(t.done(drop_id, forget("ann")).await, Effect::Forgotten);
    for row in rows {
        assert_eq!(t.store().reservation(row.id()).await.expect("a reading"), None);
    }
    let scope = Scope::Customer(name("ann"));
    assert!(t.holds(&scope).await.is_empty());
    assert!(t.purchases(&scope).await.is_empty());
    assert!(t.store().drops_of(&name("ann")).await.expect("drops").is_empty());
    assert_eq!(t.counts(drop_id).await, (17, 0, 1));
    assert_eq!(t.purchases(&Scope::Drop(drop_id)).await.len(), 1, "bob keeps his");
}

pub(super) async fn writes_facts_that_are_complete(t: &Trial) {
    let drop_id = t.plain(9).await;
    let sale = t.sell(drop_id, "ann").await;
    t.hold(drop_id, "ann").await;
    t.hold(drop_id, "bob").await;
    let revision = t.revision(drop_id).await;
    t.done(drop_id, forget("ann")).await;
    let feed = t.feed_since(drop_id, revision).await;
    let [change] = feed.as_slice() else { panic!("one change was expected: {feed:?}") };
    assert_eq!(change.forgotten, [sale.user_id]);
    assert!(change.updated.is_empty() && change.inserted.is_empty());
    assert!(change.moved && change.recent.is_empty());
    assert_eq!(change.stock().held(), Units::ONE);
    assert_eq!(change.stock().sold(), Units::ZERO);
}

pub(super) async fn names_only_whose_rows_it_removes(t: &Trial) {
    let (drop_id, other) = (t.plain(9).await, t.plain(9).await);
    let ann = t.hold(drop_id, "ann").await;
    t.hold(other, "bob").await;
    let revision = t.revision(drop_id).await;
    // Bob has nothing in this drop, and cat nothing that was ever written.
    let commands = vec![forget("bob"), reserve("cat"), forget("cat"), forget("ann")];
    t.apply(drop_id, commands).await;
    let feed = t.feed_since(drop_id, revision).await;
    let [change] = feed.as_slice() else { panic!("one change was expected: {feed:?}") };
    assert_eq!(change.forgotten, [ann.claim().user_id]);
}

pub(super) async fn shows_the_purchasers_before(t: &Trial) {
    let drop_id = t.plain(9).await;
    for who in ["amy", "bob", "cat", "dan", "eve"] {
        t.sell(drop_id, who).await;
        t.pass(TICK).await;
    }
    t.done(drop_id, forget("dan")).await;
    let recent = t.snapshot(drop_id).await.recent;
    let names: Vec<_> = recent.iter().map(|buyer| buyer.username.as_str()).collect();
    assert_eq!(names, ["eve", "cat", "bob"]);
    t.apply(drop_id, vec![forget("eve"), forget("amy"), forget("cat")]).await;
    let recent = t.snapshot(drop_id).await.recent;
    let names: Vec<_> = recent.iter().map(|buyer| buyer.username.as_str()).collect();
    assert_eq!(names, ["bob"]);
}

pub(super) async fn shows_purchasers_who_act_beside(t: &Trial) {
    let drop_id = t.plain(9).await;
    let mut sales = Vec::new();
    for who in ["amy", "bob", "cat", "dan"] {
        sales.push(t.sell(drop_id, who).await);
        t.pass(TICK).await;
    }
    let commands = vec![purchase(sales[0].id, "amy"), forget("dan"), reserve("cat")];
    t.apply(drop_id, commands).await;
    let recent = t.snapshot(drop_id).await.recent;
    let names: Vec<_> = recent.iter().map(|buyer| buyer.username.as_str()).collect();
    assert_eq!(names, ["cat", "bob", "amy"]);
}

pub(super) async fn shows_twice_who_bought_twice(t: &Trial) {
    let drop_id = t.plain(9).await;
    for who in ["bob", "bob", "cat", "dan"] {
        t.sell(drop_id, who).await;
    }
    t.apply(drop_id, vec![forget("cat"), forget("dan")]).await;
    let recent = t.snapshot(drop_id).await.recent;
    let names: Vec<_> = recent.iter().map(|buyer| buyer.username.as_str()).collect();
    assert_eq!(names, ["bob", "bob"], "in one moment, and still two purchases");
}

pub(super) async fn of_a_stranger_is_refused(t: &Trial) {
    let drop_id = t.plain(1).await;
    assert_eq!(t.refused(drop_id, forget("stranger")).await, Rejection::UserNotFound);
    assert_eq!(t.revision(drop_id).await, 1);
}

pub(super) async fn of_nothing_writes_nothing(t: &Trial) {
    let (drop_id, other) = (t.plain(1).await, t.plain(1).await);
    t.hold(other, "ann").await;
    assert_eq!(t.done(drop_id, forget("ann")).await, Effect::Forgotten);
    assert_eq!(t.revision(drop_id).await, 1);
    assert_eq!(t.counts(other).await, (0, 1, 0), "of this drop only");
    t.done(other, forget("ann")).await;
    t.done(other, forget("ann")).await;
    assert_eq!(t.revision(other).await, 3);
}

pub(super) async fn then_reserve_in_one_batch(t: &Trial) {
    let drop_id = t.plain(2).await;
    let sale = t.sell(drop_id, "ann").await;
    t.hold(drop_id, "ann").await;
    let commands = vec![forget("ann"), reserve_some("ann", 2), reserve("bob")];
    let applied = t.apply(drop_id, commands).await;
    let [Outcome::Done(_), Outcome::Done(taken), Outcome::Rejected(Rejection::OutOfStock)] =
        applied.outcomes()
    else {
        panic!("{:?}", applied.outcomes())
    };
    let (hold, extended) = reserved(taken.clone());
    assert!(!extended);
    assert_eq!(t.row(hold.id()).await, hold);
    assert_eq!(t.store().reservation(sale.id).await.expect("a reading"), None);
    assert_eq!(t.counts(drop_id).await, (0, 2, 0));

    // Taken and forgotten at once leaves nothing.
    let applied = t.apply(drop_id, vec![forget("ann"), reserve("bob"), forget("bob")]).await;
    assert_eq!(applied.outcomes().len(), 3);
    assert_eq!(t.counts(drop_id).await, (2, 0, 0));
    assert!(t.holds(&Scope::Drop(drop_id)).await.is_empty());
}

pub(super) async fn gives_no_number_that_was_told_again(t: &Trial) {
    let drop_id = t.plain(1).await;
    let applied = t.apply(drop_id, vec![reserve("ann"), forget("ann")]).await;
    let Some(Outcome::Done(told)) = applied.outcomes().first() else {
        panic!("{:?}", applied.outcomes())
    };
    let (anns, _) = reserved(told.clone());
    let bobs = t.hold(drop_id, "bob").await;
    assert_ne!(bobs.id(), anns.id(), "ann was told this number");
    assert_eq!(t.revision(drop_id).await, 3);
}

pub(super) async fn settles_the_limit_anew(t: &Trial) {
    let drop_id = t.drop_with(9, |terms| terms.limit = Some(Units::ONE)).await;
    t.sell(drop_id, "ann").await;
    assert_eq!(t.refused(drop_id, reserve("ann")).await, Rejection::LimitReached);
    t.done(drop_id, forget("ann")).await;
    t.sell(drop_id, "ann").await;
    let applied = t.apply(drop_id, vec![forget("ann"), reserve("ann")]).await;
    assert!(matches!(applied.outcomes(), [Outcome::Done(_), Outcome::Done(_)]));
}
