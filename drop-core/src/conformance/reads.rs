//! What is read of one drop and one reservation.

use crate::model::{DropName, DropStatus, NewDrop, ReservationId, Revision, Stock, Window};
use crate::rules::Amendment;
use crate::rules::Command;
use crate::store::Scope;

use super::START;
use super::commands::{HOLD, TICK, name, purchase, release_any, reserve, terms, units};
use super::trial::{Trial, apply, counts, snapshot};

pub(super) async fn a_new_drop_as_it_was_made(t: &Trial) {
    let mut own = terms();
    own.limit = Some(units(4));
    own.window = Window::new(START, Some(START.saturating_add(HOLD))).expect("a window");
    let new = NewDrop::plain(own.clone(), units(7)).expect("a drop");
    let created = t.create(&new).await;
    assert_eq!(*created.terms, own);
    assert_eq!(created.revision, Revision::FIRST);
    assert_eq!(created.variants.len(), 1);
    assert_eq!(created.variants[0].name, None);
    assert_eq!(created.variants[0].stock, Stock::new(units(7)));
    assert!(created.recent.is_empty());
    let times = (created.created_at, created.updated_at, created.as_of);
    assert_eq!(times, (t.now(), t.now(), t.now()));
    assert_eq!(created.status(t.now()), DropStatus::Open);
    assert_eq!(t.snapshot(created.id).await, created);
}

pub(super) async fn the_times_of_creation_and_change(t: &Trial) {
    let drop_id = t.plain(2).await;
    let created_at = t.now();
    t.pass(TICK).await;
    let changed_at = t.now();
    t.hold(drop_id, "ann").await;
    t.pass(TICK).await;
    let snapshot = t.snapshot(drop_id).await;
    let times = (snapshot.created_at, snapshot.updated_at, snapshot.as_of);
    assert_eq!(times, (created_at, changed_at, t.now()));
}

pub(super) async fn three_newest_purchasers(t: &Trial) {
    let drop_id = t.plain(9).await;
    let mut bought = Vec::new();
    for who in ["amy", "Bob", "cat", "dan", "amy"] {
        t.pass(TICK).await;
        t.sell(drop_id, who).await;
        bought.insert(0, (who.to_owned(), t.now()));
        let recent = t.snapshot(drop_id).await.recent;
        let read: Vec<_> = recent
            .iter()
            .map(|buyer| (buyer.username.as_str().to_owned(), buyer.purchased_at))
            .collect();
        let shown = bought.len().min(3);
        assert_eq!(read, bought[..shown]);
    }
    // Several in one batch: the later decision is the newer.
    let holds = [t.hold(drop_id, "eve").await, t.hold(drop_id, "fay").await];
    let commands = vec![purchase(holds[1].id(), "fay"), purchase(holds[0].id(), "eve")];
    t.apply(drop_id, commands).await;
    let recent = t.snapshot(drop_id).await.recent;
    let names: Vec<_> = recent.iter().map(|buyer| buyer.username.as_str()).collect();
    assert_eq!(names, ["eve", "fay", "amy"]);
}

pub(super) async fn a_reservation_in_any_state(t: &Trial) {
    let drop_id = t.plain(9).await;
    let lapsed = t.hold(drop_id, "amy").await;
    t.pass(HOLD).await;
    t.done(drop_id, Command::Expire).await;
    let sold = t.sell(drop_id, "bob").await.id;
    let given_back = t.hold(drop_id, "cat").await.id();
    t.done(drop_id, release_any(given_back)).await;
    let active = t.hold(drop_id, "dan").await.id();
    let mut read = Vec::new();
    for id in [lapsed.id(), sold, given_back, active] {
        let reading = t.instance(1).reservation(id).await.expect("a reading").expect("a row");
        assert_eq!(reading.as_of, t.now());
        assert_eq!(reading.reservation.id(), id);
        read.push(reading.reservation.status().as_str());
    }
    assert_eq!(read, ["expired", "completed", "released", "active"]);
}

pub(super) async fn nothing_where_nothing_is(t: &Trial) {
    let drop_id = t.plain(1).await;
    let store = t.store();
    let id = ReservationId::new(drop_id, 1).expect("an id");
    assert_eq!(store.reservation(id).await.expect("a reading"), None);
    assert!(t.holds(&Scope::Drop(drop_id)).await.is_empty());
    assert!(t.purchases(&Scope::Drop(drop_id)).await.is_empty());
    assert!(t.holds(&Scope::Customer(name("nobody"))).await.is_empty());
    assert!(t.purchases(&Scope::Customer(name("nobody"))).await.is_empty());
    assert!(store.drops_of(&name("nobody")).await.expect("drops").is_empty());
    assert!(store.due(10).await.expect("deadlines").deadlines.is_empty());
    store.delete_drop(drop_id, true).await.expect("an answer");
    assert_eq!(store.snapshot(drop_id).await.expect("a reading"), None);
    assert_eq!(store.reservation(id).await.expect("a reading"), None);
    assert!(t.holds(&Scope::Drop(drop_id)).await.is_empty());
    assert!(t.purchases(&Scope::Drop(drop_id)).await.is_empty());
}

pub(super) async fn the_same_on_every_instance(t: &Trial) {
    let drop_id = t.plain(5).await;
    t.sell(drop_id, "ann").await;
    let hold = t.hold(drop_id, "bob").await;
    let (one, other) = (t.instance(0), t.instance(1));
    assert_eq!(snapshot(&*one, drop_id).await, snapshot(&*other, drop_id).await);
    apply(&*other, drop_id, vec![purchase(hold.id(), "bob"), reserve("cat")]).await;
    assert_eq!(snapshot(&*one, drop_id).await, snapshot(&*other, drop_id).await);
    assert_eq!(counts(&snapshot(&*one, drop_id).await), (2, 1, 2));
    assert_eq!(one.is_durable(), other.is_durable());
    assert_eq!(one.describe(), other.describe());
}

pub(super) async fn names_as_they_were_written(t: &Trial) {
    let longest = "ü".repeat(DropName::MAX_CHARS);
    let texts =
        ["', DROP TABLE drops; --", "Nike × Åsa \u{1f45f}", "\\x00 \"quoted\" %s {}", &longest];
    for text in texts {
        let drop_name = DropName::new(text).expect("a name");
        let drop_id = t.drop_with(1, |terms| terms.name = drop_name.clone()).await;
        assert_eq!(t.snapshot(drop_id).await.terms.name, drop_name);
    }
    let drop_id = t.plain(9).await;
    let longest = "x".repeat(50);
    for who in ["abc", "A_1", "____", "DROP_TABLE_users", "null", &longest] {
        let hold = t.hold(drop_id, who).await;
        let held = t.holds(&Scope::Customer(name(who))).await;
        let [held] = held.as_slice() else { panic!("{held:?}") };
        assert_eq!(held.reservation, hold);
        assert_eq!(held.username.as_str(), who);
    }
    // Of several spellings, the one that came first, in one batch too.
    t.apply(drop_id, vec![reserve("two_Ways"), reserve("TWO_ways"), reserve("two_ways")]).await;
    let held = t.holds(&Scope::Customer(name("TWO_WAYS"))).await;
    assert_eq!(held.first().map(|held| held.username.as_str()), Some("two_Ways"));
}

pub(super) async fn prices_as_they_were_written(t: &Trial) {
    for text in ["0", "0.01", "149.9", "150.00", "0.0001", "9999999999.9999", "9999999999"] {
        let price = text.parse().expect("a price");
        let drop_id = t.drop_with(2, |terms| terms.price = price).await;
        let read = t.snapshot(drop_id).await.terms.price;
        assert_eq!(read.to_string(), text);
        let hold = t.hold(drop_id, "ann").await;
        assert_eq!(t.row(hold.id()).await.claim().price.to_string(), text);
        assert_eq!(t.buy(&hold, "ann").await.amount_paid.to_string(), text);
        let sales = t.purchases(&Scope::Drop(drop_id)).await;
        assert_eq!(sales[0].purchase.amount_paid.to_string(), text);
    }
    let drop_id = t.plain(1).await;
    let price = "150.00".parse().expect("a price");
    let amendment = Amendment { price: Some(price), ..Amendment::default() };
    t.done(drop_id, Command::Amend(amendment)).await;
    assert_eq!(t.snapshot(drop_id).await.terms.price.to_string(), "150.00");
}

pub(super) async fn the_stores_time(t: &Trial) {
    for at in [START, START.saturating_add(HOLD), START.saturating_add(TICK)] {
        t.set(at).await;
        for instance in [0, 1] {
            assert_eq!(t.instance(instance).ready().await.expect("a time"), at);
        }
    }
    let drop_id = t.plain(1).await;
    let applied = t.apply(drop_id, vec![reserve("ann")]).await;
    assert_eq!(applied.as_of(), t.now());
    assert!(!t.store().describe().is_empty());
}
