//! Selling, end to end: what the rules decide stands in the tables, and is read back alike.

use std::collections::BTreeMap;

use drop_core::Store;
use drop_core::model::{Reservation, ReservationId, Revision, Status, Timestamp, UserId};
use drop_core::rules::{Change, Command, Effect, Outcome, Rejection};
use drop_core::store::Scope;
use drop_store_postgres::PostgresStore;

use crate::kit::{
    self, ALL, apply, assert_sound, batch, buy, counts, drop_of, hold, name, outcome, purchase,
    refused, release, reserve, seconds, snapshot, start, timed,
};

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
    assert_eq!(outcome(&store, id, release(held.id(), "bob")).await, refused(Rejection::NotYours));
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
async fn a_batch_of_1024_is_one_change_and_a_batch_of_refusals_is_none() {
    let (_database, store) = kit::store().await;
    let id = drop_of(&store, 1000).await;
    let everybody =
        |from: usize| (from..from + 1024).map(|n| reserve(&format!("user{n}"))).collect();
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
    assert_eq!(portions, [1024, 1024, 1024, 1024, 904]);
    assert_sound(&store, id).await;
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
