//! The shortest way to say what happens in a test.

use std::time::Duration;

use drop_core::model::{
    DropId, DropName, DropSnapshot, DropTerms, HoldPolicy, NewDrop, Purchase, Reservation,
    ReservationId, Timestamp, Units, Username, Window,
};
use drop_core::rules::{Applied, Batch, Command, Effect, Outcome, Rejection};
use drop_core::store::Page;
use drop_core::{Store, StoreError};
use drop_store_postgres::PostgresStore;
use drop_store_postgres::testing::{Cluster, Database, ManualTime};

/// When manual time begins.
pub(crate) const START: &str = "2026-06-01T12:00:00Z";

/// All that a page can hold.
pub(crate) const ALL: Page = Page { before: None, limit: 10_000 };

pub(crate) async fn database() -> Database {
    Cluster::in_memory().await.unwrap().database().await.unwrap()
}

/// A store on a database of its own.
pub(crate) async fn store() -> (Database, PostgresStore) {
    let database = database().await;
    let store = database.connect().await.unwrap();
    (database, store)
}

/// A store on a database of its own whose time stands still at [`START`].
pub(crate) async fn timed() -> (Database, ManualTime, PostgresStore) {
    let database = database().await;
    let time = database.with_manual_time(start()).await.unwrap();
    let store = time.connect().await.unwrap();
    (database, time, store)
}

pub(crate) fn start() -> Timestamp {
    Timestamp::parse_rfc3339(START).unwrap()
}

pub(crate) fn name(text: &str) -> Username {
    Username::new(text).unwrap()
}

pub(crate) fn units(count: i64) -> Units {
    Units::new(count).unwrap()
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Terms that are open always, with holds of 60 s and 300 s at most.
pub(crate) fn terms() -> DropTerms {
    DropTerms {
        name: DropName::new("Sneaker").unwrap(),
        price: "150.00".parse().unwrap(),
        window: Window::always(),
        limit: None,
        hold: HoldPolicy::seconds(60),
    }
}

pub(crate) fn plain(total: i64) -> NewDrop {
    NewDrop::plain(terms(), units(total)).unwrap()
}

pub(crate) async fn drop_of(store: &PostgresStore, total: i64) -> DropId {
    store.create_drop(&plain(total)).await.unwrap().id
}

pub(crate) fn reserve(customer: &str) -> Command {
    Command::Reserve { customer: name(customer), variant: None, quantity: Units::ONE }
}

pub(crate) fn purchase(reservation: ReservationId, customer: &str) -> Command {
    Command::Purchase { reservation, customer: name(customer) }
}

pub(crate) fn release(reservation: ReservationId, customer: &str) -> Command {
    Command::Release { reservation, customer: Some(name(customer)) }
}

pub(crate) fn forget(customer: &str) -> Command {
    Command::Forget { customer: name(customer) }
}

pub(crate) fn batch(id: DropId, commands: Vec<Command>) -> Batch {
    Batch::new(id, commands).unwrap()
}

pub(crate) async fn apply(store: &PostgresStore, id: DropId, commands: Vec<Command>) -> Applied {
    store.apply(&batch(id, commands)).await.unwrap()
}

/// One command's answer.
pub(crate) async fn outcome(store: &PostgresStore, id: DropId, command: Command) -> Outcome {
    try_one(store, id, command).await.unwrap()
}

pub(crate) async fn try_one(
    store: &PostgresStore,
    id: DropId,
    command: Command,
) -> Result<Outcome, StoreError> {
    let applied = store.apply(&batch(id, vec![command])).await?;
    Ok(applied.into_outcomes().into_iter().next().unwrap())
}

pub(crate) async fn hold(store: &PostgresStore, id: DropId, customer: &str) -> Reservation {
    match outcome(store, id, reserve(customer)).await {
        Outcome::Done(Effect::Reserved { reservation, .. }) => reservation,
        other => panic!("{customer} did not get a hold: {other:?}"),
    }
}

pub(crate) async fn buy(store: &PostgresStore, id: DropId, customer: &str) -> Purchase {
    let reservation = hold(store, id, customer).await.id();
    match outcome(store, id, purchase(reservation, customer)).await {
        Outcome::Done(Effect::Purchased { purchase, .. }) => purchase,
        other => panic!("{customer} did not buy: {other:?}"),
    }
}

pub(crate) fn refused(rejection: Rejection) -> Outcome {
    Outcome::Rejected(rejection)
}

pub(crate) fn is_hold(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done(Effect::Reserved { .. }))
}

pub(crate) async fn snapshot(store: &PostgresStore, id: DropId) -> DropSnapshot {
    store.snapshot(id).await.unwrap().unwrap()
}

/// Total, held, sold.
pub(crate) async fn counts(store: &PostgresStore, id: DropId) -> (u32, u32, u32) {
    let stock = snapshot(store, id).await.stock();
    (stock.total().get(), stock.held().get(), stock.sold().get())
}

/// Recounts the drop and fails on every contradiction.
pub(crate) async fn assert_sound(store: &PostgresStore, id: DropId) {
    let audit = store.audit(id).await.unwrap().unwrap();
    assert_eq!(audit.findings(), Vec::<String>::new());
}
