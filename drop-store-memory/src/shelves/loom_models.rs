//! One drop under every interleaving of two and three threads.

use std::sync::Arc;
use std::time::Duration;

use drop_core::ManualClock;
use drop_core::model::{DropId, DropTerms, NewDrop, ReservationId, Timestamp, Units};
use drop_core::rules::{Batch, Command, Effect, Outcome};
use loom::thread;

use super::{Drops, Shelves};
use crate::log::NoLog;
use crate::users::Users;

const START: Timestamp = Timestamp::EPOCH;

fn shelves(total: i64) -> (loom::sync::Arc<Shelves>, Arc<ManualClock>, DropId) {
    let clock = Arc::new(ManualClock::new(START));
    let shelves = Shelves::new(clock.clone(), Box::new(NoLog), Users::default(), Drops::default());
    let terms = DropTerms::new("Air One", "149.99", Default::default()).unwrap();
    let new = NewDrop::plain(terms, Units::new(total).unwrap()).unwrap();
    let id = shelves.create(&new).unwrap().id;
    (loom::sync::Arc::new(shelves), clock, id)
}

fn ask(shelves: &Shelves, id: DropId, command: Command) -> Outcome {
    let batch = Batch::one(id, command).unwrap();
    shelves.apply(&batch).unwrap().into_outcomes().remove(0)
}

fn reserve(shelves: &Shelves, id: DropId, name: &str) -> Outcome {
    let customer = name.parse().unwrap();
    ask(shelves, id, Command::Reserve { customer, variant: None, quantity: Units::ONE })
}

fn purchase(shelves: &Shelves, id: DropId, name: &str) -> Outcome {
    let reservation = ReservationId::new(id, 1).unwrap();
    ask(shelves, id, Command::Purchase { reservation, customer: name.parse().unwrap() })
}

fn sound(shelves: &Shelves, id: DropId) {
    let audit = shelves.audit(id).unwrap();
    assert!(audit.is_sound(), "{:?}", audit.findings());
}

fn crowd_for_one_unit(names: &'static [&'static str]) {
    let (shelves, _, id) = shelves(1);
    let threads: Vec<_> = names
        .iter()
        .map(|name| {
            let shelves = shelves.clone();
            thread::spawn(move || matches!(reserve(&shelves, id, name), Outcome::Done(_)))
        })
        .collect();
    let winners = threads.into_iter().map(|thread| thread.join().unwrap());
    assert_eq!(winners.filter(|won| *won).count(), 1);
    sound(&shelves, id);
}

#[test]
fn two_threads_for_one_unit() {
    loom::model(|| crowd_for_one_unit(&["ann", "bob"]));
}

#[test]
fn three_threads_for_one_unit() {
    let mut bounded = loom::model::Builder::new();
    bounded.preemption_bound = Some(3);
    bounded.check(|| crowd_for_one_unit(&["ann", "bob", "cat"]));
}

#[test]
fn one_user_twice_holds_once() {
    loom::model(|| crowd_of_one_user());
}

fn crowd_of_one_user() {
    let (shelves, _, id) = shelves(2);
    let other = {
        let shelves = shelves.clone();
        thread::spawn(move || reserve(&shelves, id, "ann"))
    };
    let mine = reserve(&shelves, id, "Ann");
    let numbers = [mine, other.join().unwrap()].map(|outcome| match outcome {
        Outcome::Done(Effect::Reserved { reservation, .. }) => reservation.id(),
        refused => panic!("{refused:?}"),
    });
    assert_eq!(numbers[0], numbers[1]);
    sound(&shelves, id);
}

/// A purchase against expiry and the next shopper, with the deadline between: the unit goes to
/// one of them.
#[test]
fn a_purchase_against_the_deadline() {
    loom::model(|| {
        let (shelves, clock, id) = shelves(1);
        assert!(matches!(reserve(&shelves, id, "ann"), Outcome::Done(_)));
        let other = {
            let (shelves, clock) = (shelves.clone(), clock.clone());
            thread::spawn(move || {
                clock.jump(START.saturating_add(Duration::from_secs(60)));
                matches!(reserve(&shelves, id, "bob"), Outcome::Done(_))
            })
        };
        let ann = matches!(purchase(&shelves, id, "ann"), Outcome::Done(_));
        let bob = other.join().unwrap();
        assert!(ann != bob, "ann {ann}, bob {bob}");
        sound(&shelves, id);
    });
}

/// Deleting a user against the user's reserve: no reservation is left without its user.
#[test]
fn a_user_is_deleted_while_reserving() {
    loom::model(|| {
        let (shelves, _, id) = shelves(1);
        let other = {
            let shelves = shelves.clone();
            thread::spawn(move || reserve(&shelves, id, "ann"))
        };
        shelves.delete_user(&"ann".parse().unwrap()).unwrap();
        other.join().unwrap();
        let scope = drop_core::store::Scope::Drop(id);
        let page = drop_core::store::Page { before: None, limit: 10 };
        let held = u32::try_from(shelves.holds(&scope, page).len()).unwrap();
        let shelf = shelves.shelf(id).unwrap();
        assert_eq!(shelf.lock().variants()[0].stock.held().get(), held);
        sound(&shelves, id);
    });
}

/// Two drops that are created at once are two.
#[test]
fn two_drops_are_created_at_once() {
    loom::model(|| {
        let (shelves, _, first) = shelves(1);
        let create = |shelves: &Shelves| {
            let terms = DropTerms::new("Air Two", "149.99", Default::default()).unwrap();
            shelves.create(&NewDrop::plain(terms, Units::ONE).unwrap()).unwrap().id
        };
        let other = {
            let shelves = shelves.clone();
            thread::spawn(move || create(&shelves))
        };
        let second = create(&shelves);
        let third = other.join().unwrap();
        assert!(first != second && second != third && third != first);
        assert_eq!(shelves.all().len(), 3);
    });
}

/// Deleting a drop against reserving in it: one of them comes first.
#[test]
fn a_drop_is_deleted_while_reserving() {
    loom::model(|| {
        let (shelves, _, id) = shelves(1);
        let other = {
            let shelves = shelves.clone();
            thread::spawn(move || reserve(&shelves, id, "ann"))
        };
        let deletion = shelves.delete_drop(id, false).unwrap();
        let held = matches!(other.join().unwrap(), Outcome::Done(_));
        assert_eq!(held, deletion == drop_core::store::Deletion::Refused, "{deletion:?}");
        assert_eq!(held, shelves.shelf(id).is_some());
    });
}
