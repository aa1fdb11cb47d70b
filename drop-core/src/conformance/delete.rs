//! Deleting: a drop takes its reservations and purchases along, a user goes last.

use crate::model::{DropId, Revision};
use crate::rules::{Command, Rejection};
use crate::store::{Deletion, DropPage, Scope};

use super::commands::{HOLD, forget, name, release_any, reserve};
use super::trial::{ALL_CHANGES, Trial};

async fn delete(t: &Trial, drop_id: DropId, force: bool) -> Deletion {
    t.store().delete_drop(drop_id, force).await.expect("an answer")
}

async fn delete_user(t: &Trial, who: &str) -> Deletion {
    t.store().delete_user(&name(who)).await.expect("an answer")
}

pub(super) async fn takes_an_unsold_drop_away(t: &Trial) {
    let drop_id = t.plain(1).await;
    let hold = t.hold(drop_id, "ann").await;
    t.done(drop_id, release_any(hold.id())).await;
    assert_eq!(delete(t, drop_id, false).await, Deletion::Deleted);
    for instance in [t.store(), t.instance(1)] {
        assert_eq!(instance.snapshot(drop_id).await.expect("a reading"), None);
        assert_eq!(instance.reservation(hold.id()).await.expect("a reading"), None);
        assert_eq!(instance.audit(drop_id).await.expect("a reading"), None);
        let changes = instance.changes(drop_id, Revision::ZERO, ALL_CHANGES).await;
        assert!(changes.expect("a feed").is_empty());
        assert!(instance.heads(None, 10).await.expect("heads").is_empty());
        let page = DropPage { status: None, after: None, limit: 10 };
        assert!(instance.snapshots(&page).await.expect("a list").is_empty());
    }
    assert_eq!(t.refused(drop_id, reserve("ann")).await, Rejection::DropNotFound);
}

pub(super) async fn refuses_sales_and_live_holds(t: &Trial) {
    let held = t.plain(1).await;
    t.hold(held, "ann").await;
    let sold = t.plain(1).await;
    t.sell(sold, "ann").await;
    for drop_id in [held, sold] {
        assert_eq!(delete(t, drop_id, false).await, Deletion::Refused);
        t.snapshot(drop_id).await;
    }
}

pub(super) async fn ignores_what_has_lapsed(t: &Trial) {
    let drop_id = t.plain(1).await;
    t.hold(drop_id, "ann").await;
    t.pass(HOLD).await;
    assert_eq!(delete(t, drop_id, false).await, Deletion::Deleted, "nobody had settled it");
}

pub(super) async fn by_force_takes_everything_in_it(t: &Trial) {
    let drop_id = t.plain(3).await;
    let sale = t.sell(drop_id, "ann").await;
    let hold = t.hold(drop_id, "bob").await;
    assert_eq!(delete(t, drop_id, true).await, Deletion::Deleted);
    for id in [sale.id, hold.id()] {
        assert_eq!(t.store().reservation(id).await.expect("a reading"), None);
    }
    for who in ["ann", "bob"] {
        let scope = Scope::Customer(name(who));
        assert!(t.holds(&scope).await.is_empty());
        assert!(t.purchases(&scope).await.is_empty());
        assert!(t.store().drops_of(&name(who)).await.expect("drops").is_empty());
        assert_eq!(delete_user(t, who).await, Deletion::Deleted, "nothing keeps the user");
    }
    assert!(t.purchases(&Scope::Drop(drop_id)).await.is_empty());
    assert!(t.store().due(10).await.expect("deadlines").deadlines.is_empty());
}

pub(super) async fn leaves_other_drops_alone(t: &Trial) {
    let (one, other) = (t.plain(2).await, t.plain(2).await);
    for drop_id in [one, other] {
        t.sell(drop_id, "ann").await;
        t.hold(drop_id, "bob").await;
    }
    assert_eq!(delete(t, one, true).await, Deletion::Deleted);
    assert_eq!(t.counts(other).await, (0, 1, 1));
    assert_eq!(t.holds(&Scope::Customer(name("bob"))).await.len(), 1);
    assert_eq!(t.purchases(&Scope::Customer(name("ann"))).await.len(), 1);
    assert_eq!(t.store().drops_of(&name("ann")).await.expect("drops"), [other]);
}

pub(super) async fn never_gives_a_drops_number_again(t: &Trial) {
    let mut given = Vec::new();
    for _ in 0..4 {
        let drop_id = t.plain(1).await;
        assert!(!given.contains(&drop_id), "a feed would mix two drops");
        given.push(drop_id);
        delete(t, drop_id, false).await;
    }
}

pub(super) async fn of_nothing_is_an_answer(t: &Trial) {
    let drop_id = t.plain(1).await;
    delete(t, drop_id, false).await;
    for force in [false, true] {
        assert_eq!(delete(t, drop_id, force).await, Deletion::NotFound);
    }
    assert_eq!(delete_user(t, "nobody").await, Deletion::NotFound);
}

pub(super) async fn refuses_a_user_with_any_reservation(t: &Trial) {
    let drop_id = t.plain(9).await;
    t.hold(drop_id, "held").await;
    t.sell(drop_id, "sold").await;
    let given_back = t.hold(drop_id, "released").await;
    t.done(drop_id, release_any(given_back.id())).await;
    for who in ["held", "sold", "released"] {
        assert_eq!(delete_user(t, who).await, Deletion::Refused, "{who}");
    }
    t.pass(HOLD).await;
    assert_eq!(delete_user(t, "held").await, Deletion::Refused, "lapsed, and still a row");
    t.done(drop_id, Command::Expire).await;
    assert_eq!(delete_user(t, "held").await, Deletion::Refused, "expired, and still a row");
}

pub(super) async fn takes_a_user_away(t: &Trial) {
    let drop_id = t.plain(2).await;
    let first = t.hold(drop_id, "Ann").await;
    t.done(drop_id, forget("ann")).await;
    assert_eq!(delete_user(t, "ANN").await, Deletion::Deleted);
    assert_eq!(delete_user(t, "ann").await, Deletion::NotFound);
    assert_eq!(t.refused(drop_id, forget("ann")).await, Rejection::UserNotFound);
    let second = t.hold(drop_id, "aNN").await;
    assert_ne!(first.claim().user_id, second.claim().user_id, "another user of that name");
    let held = t.holds(&Scope::Drop(drop_id)).await;
    let spelled: Vec<_> = held.iter().map(|held| held.username.as_str()).collect();
    assert_eq!(spelled, ["aNN"]);
    let again = t.hold(drop_id, "bob").await;
    assert_ne!(again.claim().user_id, second.claim().user_id);
}
