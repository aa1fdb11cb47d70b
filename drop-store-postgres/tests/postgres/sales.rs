//! Selling, end to end: what the rules decide stands in the tables, and is read back alike.

use std::collections::BTreeMap;

use drop_core::Store;
use drop_core::model::{
    DropSnapshot, NewDrop, Reservation, ReservationId, Revision, Status, Timestamp, UserId,
    VariantName,
};
use drop_core::rules::{Amendment, Change, Command, Effect, Outcome, Rejection};
use drop_core::store::{Deletion, DropPage, Page, Scope};
use drop_store_postgres::PostgresStore;

use crate::kit::{
    self, apply, assert_sound, batch, buy, counts, drop_of, forget, hold, name, outcome, purchase,
    refused, release, reserve, seconds, snapshot, start, terms, timed, units,
};

const ALL: Page = Page { before: None, limit: 10_000 };

#[tokio::test]
async fn a_unit_goes_from_available_to_held_to_sold() {
    let (_database, _time, store) = timed().await;
    let id = drop_of(&store, 1).await;
    let held = hold(&store, id, "Ann").await;
    assert_eq!(held.expires_at(), start().saturating_add(seconds(60)));
    assert_eq!(counts(&store, id).await, (1, 1, 0));
    assert_eq!(outcome(&store, id, reserve("bob")).await, refused(Rejection::OutOfStock));
    // The name's case does not matter, and the first spelling stays.
    let Outcome::Done(Effect::Purchased { purchase: sale, username, repeated }) =
        outcome(&store, id, purchase(held.id(), "aNN")).await
    else {
        panic!("the holder could not buy");
    };
    assert_eq!((username.as_str(), repeated), ("Ann", false));
    assert_eq!(sale.amount_paid.to_string(), "150.00");
    assert_eq!(counts(&store, id).await, (1, 0, 1));
    let again = outcome(&store, id, purchase(held.id(), "ann")).await;
    assert!(matches!(again, Outcome::Done(Effect::Purchased { repeated: true, .. })));
    let bob = outcome(&store, id, purchase(held.id(), "bob")).await;
    assert_eq!(bob, refused(Rejection::NotYours));
    let sales = store.purchases(&Scope::Drop(id), ALL).await.unwrap();
    assert_eq!(sales.len(), 1);
    assert_eq!((sales[0].purchase, sales[0].username.as_str()), (sale, "Ann"));
    assert_eq!(store.purchases(&Scope::Customer(name("ANN")), ALL).await.unwrap(), sales);
    let reading = store.reservation(held.id()).await.unwrap().unwrap();
    assert_eq!(reading.reservation.status(), Status::Completed);
    assert_eq!(reading.reservation.purchase(), Some(sale));
    let recent = snapshot(&store, id).await.recent;
    assert_eq!(recent[0].username.as_str(), "Ann");
    assert_sound(&store, id).await;
}

#[tokio::test]
async fn a_lapsed_hold_is_for_sale_at_its_deadline_and_its_owner_is_too_late() {
    let (_database, time, store) = timed().await;
    let id = drop_of(&store, 1).await;
    let held = hold(&store, id, "ann").await;
    let deadline = held.expires_at();
    time.set_time(Timestamp::from_micros(deadline.as_micros() - 1).unwrap()).await.unwrap();
    assert_eq!(outcome(&store, id, reserve("bob")).await, refused(Rejection::OutOfStock));
    assert_eq!(store.holds(&Scope::Drop(id), ALL).await.unwrap().len(), 1);
    assert_eq!(store.due(10).await.unwrap().deadlines, [(id, deadline)]);
    time.set_time(deadline).await.unwrap();
    // To a reader it is free although nobody has written that down yet.
    assert_eq!(counts(&store, id).await, (1, 0, 0));
    assert_eq!(store.holds(&Scope::Drop(id), ALL).await.unwrap(), []);
    let late = outcome(&store, id, purchase(held.id(), "ann")).await;
    assert_eq!(late, refused(Rejection::ReservationExpired));
    hold(&store, id, "bob").await;
    let reading = store.reservation(held.id()).await.unwrap().unwrap();
    assert_eq!(reading.reservation.status(), Status::Expired);
    assert_sound(&store, id).await;
}

#[tokio::test]
async fn settling_and_taking_again_in_one_batch_meets_the_unique_index_in_order() {
    let (_database, time, store) = timed().await;
    let id = drop_of(&store, 2).await;
    let first = hold(&store, id, "ann").await;
    time.advance(seconds(61)).await.unwrap();
    // Ann's lapsed hold is settled, and Ann takes, buys and takes again, in one change.
    let second = ReservationId::new(id, 2).unwrap();
    let commands = vec![reserve("ann"), purchase(second, "ann"), reserve("ann")];
    let applied = store.apply(&batch(id, commands)).await.unwrap();
    let change = applied.change().unwrap();
    // Named before it was made, it was not there to be bought.
    assert_eq!(applied.outcomes().len(), 3);
    assert_eq!(change.updated[0].id(), first.id());
    assert_eq!(change.updated[0].status(), Status::Expired);
    assert_eq!(store.holds(&Scope::Customer(name("ann")), ALL).await.unwrap().len(), 1);
    assert_sound(&store, id).await;
    replays(&store, id).await;
}

#[tokio::test]
async fn a_repeat_is_the_same_hold_and_never_past_its_longest() {
    let (_database, time, store) = timed().await;
    let id = drop_of(&store, 5).await;
    let first = hold(&store, id, "ann").await;
    for _ in 0..8 {
        time.advance(seconds(50)).await.unwrap();
        let again = hold(&store, id, "ann").await;
        if again.id() != first.id() {
            assert!(again.claim().created_at >= first.expires_at());
            break;
        }
        assert!(again.expires_at() <= start().saturating_add(seconds(300)));
    }
    assert_eq!(counts(&store, id).await, (5, 1, 0));
    assert_sound(&store, id).await;
}

#[tokio::test]
async fn release_gives_back_and_repeats() {
    let (_database, store) = kit::store().await;
    let id = drop_of(&store, 1).await;
    let held = hold(&store, id, "ann").await;
    assert_eq!(
        outcome(&store, id, release(held.id(), "bob")).await,
        refused(Rejection::NotYours)
    );
    for _ in 0..2 {
        let released = outcome(&store, id, release(held.id(), "ann")).await;
        assert!(matches!(released, Outcome::Done(Effect::Released { .. })), "{released:?}");
    }
    assert_eq!(counts(&store, id).await, (1, 0, 0));
    let sold = buy(&store, id, "bob").await;
    let late = outcome(&store, id, release(sold.id, "bob")).await;
    assert_eq!(late, refused(Rejection::AlreadyPurchased));
    assert_sound(&store, id).await;
}

#[tokio::test]
async fn variants_and_limit_are_the_drops_own() {
    let (_database, store) = kit::store().await;
    let size = |text: &str| VariantName::new(text).unwrap();
    let mut limited = terms();
    limited.limit = Some(units(3));
    limited.price = "0.00".parse().unwrap();
    let terms_price = limited.price.to_string();
    assert_eq!(terms_price, "0.00");
    let sizes = [(size("41"), units(2)), (size("42 ½"), units(10))];
    let new = NewDrop::with_variants(limited, sizes).unwrap();
    let created = store.create_drop(&new).await.unwrap();
    let id = created.id;
    let mut read = snapshot(&store, id).await;
    assert!(read.as_of >= created.as_of);
    read.as_of = created.as_of;
    assert_eq!(read, created);
    assert_eq!(read.terms.price.to_string(), terms_price);
    let take = |variant: Option<&str>, quantity| Command::Reserve {
        customer: name("ann"),
        variant: variant.map(size),
        quantity: units(quantity),
    };
    assert_eq!(outcome(&store, id, take(None, 1)).await, refused(Rejection::VariantRequired));
    assert_eq!(outcome(&store, id, take(Some("41"), 3)).await, refused(Rejection::OutOfStock));
    let two = outcome(&store, id, take(Some("42 ½"), 2)).await;
    let Outcome::Done(Effect::Reserved { reservation, .. }) = two else { panic!("{two:?}") };
    assert_eq!(outcome(&store, id, take(Some("41"), 1)).await, refused(Rejection::AlreadyHolding));
    let bought = outcome(&store, id, purchase(reservation.id(), "ann")).await;
    let Outcome::Done(Effect::Purchased { purchase: sale, .. }) = bought else {
        panic!("{bought:?}")
    };
    assert_eq!(sale.amount_paid.to_string(), "0");
    assert_eq!(store.purchases(&Scope::Drop(id), ALL).await.unwrap()[0].purchase, sale);
    assert_eq!(outcome(&store, id, take(Some("41"), 2)).await, refused(Rejection::LimitReached));
    assert!(kit::is_hold(&outcome(&store, id, take(Some("41"), 1)).await));
    let variants = snapshot(&store, id).await.variants;
    assert_eq!(variants[0].stock.held(), units(1));
    assert_eq!(variants[1].stock.sold(), units(2));
    assert_sound(&store, id).await;
}

#[tokio::test]
async fn an_amendment_changes_terms_totals_and_variants() {
    let (_database, store) = kit::store().await;
    let size = |text: &str| VariantName::new(text).unwrap();
    let new = NewDrop::with_variants(terms(), [(size("S"), units(1))]).unwrap();
    let id = store.create_drop(&new).await.unwrap().id;
    hold(&store, id, "ann").await;
    let amendment = Amendment {
        name: Some("New".to_owned()).map(|name| drop_core::model::DropName::new(&name).unwrap()),
        price: Some("9.5".parse().unwrap()),
        limit: Some(Some(units(2))),
        variants: vec![(size("S"), units(4)), (size("M"), units(7))],
        ..Amendment::default()
    };
    let amended = outcome(&store, id, Command::Amend(amendment.clone())).await;
    assert_eq!(amended, Outcome::Done(Effect::Amended));
    let read = snapshot(&store, id).await;
    assert_eq!(read.terms.name.as_str(), "New");
    assert_eq!(read.terms.price.to_string(), "9.5");
    assert_eq!(read.terms.limit, Some(units(2)));
    assert_eq!(read.variants.len(), 2);
    assert_eq!(read.stock().total(), units(11));
    assert_eq!(read.stock().held(), units(1));
    // The same again changes nothing, and writes nothing.
    assert!(apply(&store, id, vec![Command::Amend(amendment)]).await.change().is_none());
    let below = Amendment { variants: vec![(size("S"), units(0))], ..Amendment::default() };
    let below = outcome(&store, id, Command::Amend(below)).await;
    assert_eq!(below, refused(Rejection::StockBelowCommitted));
    assert_sound(&store, id).await;
    replays(&store, id).await;
}

#[tokio::test]
async fn forgetting_a_customer_leaves_no_trace_but_the_others() {
    let (database, time, store) = timed().await;
    let id = drop_of(&store, 20).await;
    for customer in ["bob", "eve", "ann", "ann", "ann"] {
        buy(&store, id, customer).await;
        time.advance(seconds(1)).await.unwrap();
    }
    let released = hold(&store, id, "ann").await;
    outcome(&store, id, release(released.id(), "ann")).await;
    hold(&store, id, "ann").await;
    assert_eq!(store.delete_user(&name("ann")).await.unwrap(), Deletion::Refused);
    assert_eq!(store.drops_of(&name("ann")).await.unwrap(), [id]);
    assert_eq!(outcome(&store, id, forget("Ann")).await, Outcome::Done(Effect::Forgotten));
    assert_eq!(counts(&store, id).await, (20, 0, 2));
    let recent = snapshot(&store, id).await.recent;
    let recent: Vec<&str> = recent.iter().map(|purchaser| purchaser.username.as_str()).collect();
    assert_eq!(recent, ["eve", "bob"]);
    assert_eq!(store.drops_of(&name("ann")).await.unwrap(), []);
    assert_sound(&store, id).await;
    replays(&store, id).await;
    assert_eq!(outcome(&store, id, forget("zoe")).await, refused(Rejection::UserNotFound));
    assert_eq!(store.delete_user(&name("ANN")).await.unwrap(), Deletion::Deleted);
    assert_eq!(store.delete_user(&name("ann")).await.unwrap(), Deletion::NotFound);
    // Another instance still knows the name; it finds out, and Ann is a new user.
    let other = PostgresStore::connect(&time.url()).await.unwrap();
    let before = hold(&other, id, "ann").await.claim().user_id;
    outcome(&store, id, forget("ann")).await;
    assert_eq!(store.delete_user(&name("ann")).await.unwrap(), Deletion::Deleted);
    let after = hold(&other, id, "ann").await.claim().user_id;
    assert_ne!(before, after);
    assert_sound(&store, id).await;
    drop(database);
}

#[tokio::test]
async fn deleting_a_drop_refuses_without_force_and_cascades_with_it() {
    let (database, time, store) = timed().await;
    let id = drop_of(&store, 3).await;
    let other = drop_of(&store, 3).await;
    buy(&store, other, "ann").await;
    hold(&store, id, "bob").await;
    assert_eq!(store.delete_drop(id, false).await.unwrap(), Deletion::Refused);
    time.advance(seconds(60)).await.unwrap();
    assert_eq!(store.delete_drop(id, false).await.unwrap(), Deletion::Deleted);
    assert_eq!(store.delete_drop(id, true).await.unwrap(), Deletion::NotFound);
    assert_eq!(outcome(&store, id, reserve("ann")).await, refused(Rejection::DropNotFound));
    assert_eq!(store.snapshot(id).await.unwrap(), None);
    assert_eq!(store.delete_drop(other, false).await.unwrap(), Deletion::Refused);
    assert_eq!(store.delete_drop(other, true).await.unwrap(), Deletion::Deleted);
    let mut connection = database.connection().await.unwrap();
    for table in ["reservations", "purchases", "drop_variants", "drop_changes", "drops"] {
        let count = sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(format!(
            "SELECT count(*) FROM {table}"
        )));
        assert_eq!(count.fetch_one(&mut connection).await.unwrap(), 0, "{table}");
    }
    // Ids are given once.
    assert!(drop_of(&store, 1).await > other);
}

#[tokio::test]
async fn a_batch_of_1024_is_one_change_and_a_batch_of_refusals_is_none() {
    let (_database, store) = kit::store().await;
    let id = drop_of(&store, 1000).await;
    let everybody = |from: usize| (from..from + 1024).map(|n| reserve(&format!("user{n}"))).collect();
    let applied = apply(&store, id, everybody(0)).await;
    let holds = applied.outcomes().iter().filter(|outcome| kit::is_hold(outcome)).count();
    assert_eq!((holds, applied.revision()), (1000, Revision::new(2)));
    let applied = apply(&store, id, everybody(10_000)).await;
    assert!(applied.change().is_none());
    assert!(applied.outcomes().iter().all(|outcome| *outcome == refused(Rejection::OutOfStock)));
    let holds = store.holds(&Scope::Drop(id), ALL).await.unwrap();
    let commands = holds.iter().map(|held| Command::Purchase {
        reservation: held.reservation.id(),
        customer: held.username.clone(),
    });
    let applied = apply(&store, id, commands.collect()).await;
    let change = applied.change().unwrap();
    assert_eq!((change.revision, change.sold_out), (Revision::new(3), true));
    assert_eq!(counts(&store, id).await, (1000, 0, 1000));
    assert_sound(&store, id).await;
    replays(&store, id).await;
}

#[tokio::test]
async fn thousands_of_lapsed_holds_are_settled_in_portions() {
    let (_database, time, store) = timed().await;
    let id = drop_of(&store, 5000).await;
    for part in 0..5 {
        let commands = (0..1000).map(|n| reserve(&format!("u{part}_{n}"))).collect();
        apply(&store, id, commands).await;
    }
    time.advance(seconds(60)).await.unwrap();
    assert_eq!(counts(&store, id).await, (5000, 0, 0));
    let mut portions = Vec::new();
    while let Some(change) = apply(&store, id, vec![Command::Expire]).await.change() {
        portions.push(change.updated.len());
    }
    assert_eq!(portions, [4096, 904]);
    assert_sound(&store, id).await;
}

#[tokio::test]
async fn lists_go_by_status_and_page() {
    let (_database, time, store) = timed().await;
    let window = |from: u64, to: Option<u64>| {
        let to = to.map(|to| start().saturating_add(seconds(to)));
        drop_core::model::Window::new(start().saturating_add(seconds(from)), to).unwrap()
    };
    let mut ids = Vec::new();
    for window in [window(0, Some(100)), window(200, None), window(0, None), window(0, None)] {
        let mut terms = terms();
        terms.window = window;
        let new = NewDrop::plain(terms, units(1)).unwrap();
        ids.push(store.create_drop(&new).await.unwrap().id);
    }
    buy(&store, ids[2], "ann").await;
    time.advance(seconds(100)).await.unwrap();
    let list = async |status, after, limit| {
        let page = DropPage { status, after, limit };
        let found: Vec<DropSnapshot> = store.snapshots(&page).await.unwrap();
        found.iter().map(|drop| drop.id).collect::<Vec<_>>()
    };
    use drop_core::model::DropStatus::{Ended, Open, SoldOut, Upcoming};
    assert_eq!(list(None, None, 9).await, [ids[3], ids[2], ids[1], ids[0]]);
    assert_eq!(list(None, Some(ids[3]), 2).await, [ids[2], ids[1]]);
    assert_eq!(list(Some(Open), None, 9).await, [ids[3], ids[2]]);
    assert_eq!(list(Some(SoldOut), None, 9).await, [ids[2]]);
    assert_eq!(list(Some(Upcoming), None, 9).await, [ids[1]]);
    assert_eq!(list(Some(Ended), None, 9).await, [ids[0]]);
    assert_eq!(list(Some(Open), None, 1).await, [ids[3]]);
    let heads = store.heads(Some(ids[0]), 2).await.unwrap();
    assert_eq!(heads, [(ids[1], Revision::FIRST), (ids[2], Revision::new(3))]);
    for customer in ["bob", "eve"] {
        for id in [ids[3], ids[1]] {
            outcome(&store, id, reserve(customer)).await;
        }
    }
    assert_eq!(store.holds(&Scope::Customer(name("eve")), ALL).await.unwrap().len(), 0);
}

#[tokio::test]
async fn the_feed_keeps_its_newest_changes() {
    let (_database, store) = kit::store().await;
    let id = drop_of(&store, 100).await;
    for customer in 0..9 {
        hold(&store, id, &format!("user{customer}")).await;
    }
    let all = store.changes(id, Revision::ZERO, 100).await.unwrap();
    let revisions: Vec<u64> = all.iter().map(|change| change.revision.get()).collect();
    assert_eq!(revisions, (1..=10).collect::<Vec<u64>>());
    assert!(all[0].terms.is_some());
    let some = store.changes(id, Revision::new(4), 2).await.unwrap();
    assert_eq!(some, all[4..6]);
    assert_eq!(store.trim(3).await.unwrap(), 7);
    assert_eq!(store.trim(3).await.unwrap(), 0);
    assert_eq!(store.changes(id, Revision::ZERO, 100).await.unwrap(), all[7..]);
}

/// Plays the feed from the start and compares what comes out with what is stored.
pub(crate) async fn replays(store: &PostgresStore, id: drop_core::model::DropId) {
    let changes = store.changes(id, Revision::ZERO, 100_000).await.unwrap();
    let mut rows: BTreeMap<ReservationId, Reservation> = BTreeMap::new();
    for (change, revision) in changes.iter().zip(1..) {
        let change: &Change = change;
        assert_eq!(change.revision.get(), revision);
        let gone = |user_id: UserId| change.forgotten.contains(&user_id);
        rows.retain(|_, row| !gone(row.claim().user_id));
        for row in change.reservations() {
            rows.insert(row.id(), *row);
        }
        let units = |status: Status| -> u64 {
            let of_status = rows.values().filter(|row| row.status() == status);
            of_status.map(|row| u64::from(row.claim().quantity.get())).sum()
        };
        let stock = change.stock();
        assert_eq!(units(Status::Active), u64::from(stock.held().get()));
        assert_eq!(units(Status::Completed), u64::from(stock.sold().get()));
    }
    for (id, row) in &rows {
        let stored = store.reservation(*id).await.unwrap().unwrap().reservation;
        assert_eq!(stored, *row);
    }
}
