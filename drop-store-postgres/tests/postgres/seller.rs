//! What a seller does: sizes, limits, amendments, lists, and deleting.

use drop_core::Store;
use drop_core::model::{DropSnapshot, NewDrop, Revision, VariantName};
use drop_core::rules::{Amendment, Command, Effect, Outcome, Rejection};
use drop_core::store::{Deletion, DropPage, Scope};
use drop_store_postgres::PostgresStore;

use crate::kit::{
    self, ALL, apply, assert_sound, buy, counts, drop_of, forget, hold, name, outcome, purchase,
    refused, release, reserve, seconds, snapshot, start, terms, timed, units,
};
use crate::sales::replays;

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
async fn forgetting_somebody_whom_another_instance_made_anew_forgets_the_new_one() {
    let (_database, time, store) = timed().await;
    let other = time.connect().await.unwrap();
    let id = drop_of(&store, 5).await;
    hold(&other, id, "ann").await;
    outcome(&store, id, forget("ann")).await;
    assert_eq!(store.delete_user(&name("ann")).await.unwrap(), Deletion::Deleted);
    hold(&store, id, "ann").await;
    // The other one still knows Ann by the number that she had.
    assert_eq!(outcome(&other, id, forget("ann")).await, Outcome::Done(Effect::Forgotten));
    assert_eq!(counts(&store, id).await, (5, 0, 0));
    assert_eq!(store.delete_user(&name("ann")).await.unwrap(), Deletion::Deleted);
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
