//! One drop under every order of two and three threads, and many orders of more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use drop_core::ManualClock;
use drop_core::conformance::explore::{convicts, explore, together};
use drop_core::model::{DropId, DropTerms, NewDrop, ReservationId, Timestamp, Units};
use drop_core::rules::{Batch, Command, Effect, Outcome, decide};
use drop_core::store::Deletion;

use super::{Drops, Shelves};
use crate::log::NoLog;
use crate::users::Users;

const START: Timestamp = Timestamp::EPOCH;
const NAMES: [&str; 5] = ["ann", "bob", "cat", "dan", "eve"];

fn shelves(total: i64) -> (Arc<Shelves>, Arc<ManualClock>, DropId) {
    let clock = Arc::new(ManualClock::new(START));
    let shelves = Shelves::new(clock.clone(), Box::new(NoLog), Users::default(), Drops::default());
    let terms = DropTerms::new("Air One", "149.99", Default::default()).unwrap();
    let new = NewDrop::plain(terms, Units::new(total).unwrap()).unwrap();
    let id = shelves.create(&new).unwrap().id;
    (Arc::new(shelves), clock, id)
}

fn ask(shelves: &Shelves, id: DropId, command: Command) -> Outcome {
    let batch = Batch::one(id, command).unwrap();
    shelves.apply(&batch).unwrap().into_outcomes().remove(0)
}

fn one_for(name: &str) -> Command {
    let customer = name.parse().unwrap();
    Command::Reserve { customer, variant: None, quantity: Units::ONE }
}

fn reserve(shelves: &Shelves, id: DropId, name: &str) -> Outcome {
    ask(shelves, id, one_for(name))
}

fn purchase(shelves: &Shelves, id: DropId, name: &str) -> Outcome {
    let reservation = ReservationId::new(id, 1).unwrap();
    ask(shelves, id, Command::Purchase { reservation, customer: name.parse().unwrap() })
}

fn sound(shelves: &Shelves, id: DropId) {
    let audit = shelves.audit(id).unwrap();
    assert!(audit.is_sound(), "{:?}", audit.findings());
}

/// All want the only unit: one gets it.
fn crowd_for_one_unit(threads: usize) {
    let (shelves, _, id) = shelves(1);
    let won = Arc::new(AtomicUsize::new(0));
    together(threads, {
        let (shelves, won) = (shelves.clone(), won.clone());
        move |thread| {
            let outcome = reserve(&shelves, id, NAMES[thread]);
            won.fetch_add(usize::from(matches!(outcome, Outcome::Done(_))), Ordering::Relaxed);
        }
    });
    assert_eq!(won.load(Ordering::Relaxed), 1);
    sound(&shelves, id);
}

/// One user in all threads: one hold.
fn one_user_everywhere(threads: usize) {
    let (shelves, _, id) = shelves(9);
    let numbers = Arc::new(std::sync::Mutex::new(Vec::new()));
    together(threads, {
        let (shelves, numbers) = (shelves.clone(), numbers.clone());
        move |thread| match reserve(&shelves, id, ["ann", "Ann"][thread % 2]) {
            Outcome::Done(Effect::Reserved { reservation, .. }) => {
                numbers.lock().unwrap().push(reservation.id());
            }
            refused => panic!("{refused:?}"),
        }
    });
    numbers.lock().unwrap().dedup();
    assert_eq!(numbers.lock().unwrap().len(), 1);
    sound(&shelves, id);
}

/// A purchase against expiry and the next shoppers, with the deadline between: the unit goes to
/// one of them.
fn at_the_deadline(threads: usize) {
    let (shelves, clock, id) = shelves(1);
    assert!(matches!(reserve(&shelves, id, "ann"), Outcome::Done(_)));
    let won = Arc::new(AtomicUsize::new(0));
    together(threads, {
        let (shelves, won) = (shelves.clone(), won.clone());
        move |thread| {
            let outcome = if thread == 0 {
                purchase(&shelves, id, "ann")
            } else {
                clock.jump(START.saturating_add(Duration::from_secs(60)));
                reserve(&shelves, id, NAMES[thread])
            };
            won.fetch_add(usize::from(matches!(outcome, Outcome::Done(_))), Ordering::Relaxed);
        }
    });
    assert_eq!(won.load(Ordering::Relaxed), 1, "ann or one of the others");
    sound(&shelves, id);
}

/// Deleting a user against the user's reserves: no reservation is left without its user.
fn a_user_leaves(threads: usize) {
    let (shelves, _, id) = shelves(1);
    together(threads, {
        let shelves = shelves.clone();
        move |thread| {
            if thread == 0 {
                shelves.delete_user(&"ann".parse().unwrap()).unwrap();
            } else {
                reserve(&shelves, id, "ann");
            }
        }
    });
    let scope = drop_core::store::Scope::Drop(id);
    let page = drop_core::store::Page { before: None, limit: 10 };
    let held = u32::try_from(shelves.holds(&scope, page).len()).unwrap();
    let shelf = shelves.shelf(id).unwrap();
    assert_eq!(shelf.lock().variants()[0].stock.held().get(), held);
    sound(&shelves, id);
}

/// A reader beside those who write sees no counts that never were.
fn a_reader_beside(threads: usize) {
    let (shelves, _, id) = shelves(9);
    together(threads, {
        let shelves = shelves.clone();
        move |thread| {
            if thread > 0 {
                assert!(matches!(reserve(&shelves, id, NAMES[thread]), Outcome::Done(_)));
                return;
            }
            let mut before = 0;
            for _ in 0..2 {
                let snapshot = shelves.shelf(id).unwrap().lock().snapshot(START).unwrap();
                let held = snapshot.stock().held().get();
                assert_eq!(u64::from(held) + 1, snapshot.revision.get(), "one hold a revision");
                assert!(before <= held, "went back");
                before = held;
            }
        }
    });
    sound(&shelves, id);
}

/// Drops that are created at once are as many.
fn created_at_once(threads: usize) {
    let (shelves, _, _) = shelves(1);
    together(threads, {
        let shelves = shelves.clone();
        move |_| {
            let terms = DropTerms::new("Air Two", "149.99", Default::default()).unwrap();
            shelves.create(&NewDrop::plain(terms, Units::ONE).unwrap()).unwrap();
        }
    });
    assert_eq!(shelves.all().len(), threads + 1);
}

/// Deleting a drop against reserving in it: one of them comes first.
fn a_drop_is_deleted(threads: usize) {
    let (shelves, _, id) = shelves(9);
    let held = Arc::new(AtomicUsize::new(0));
    let refused = Arc::new(AtomicUsize::new(0));
    together(threads, {
        let (shelves, held, refused) = (shelves.clone(), held.clone(), refused.clone());
        move |thread| {
            if thread == 0 {
                let deletion = shelves.delete_drop(id, false).unwrap();
                refused.store(usize::from(deletion == Deletion::Refused), Ordering::Relaxed);
            } else if let Outcome::Done(_) = reserve(&shelves, id, NAMES[thread]) {
                held.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let held = held.load(Ordering::Relaxed) > 0;
    assert_eq!(held, refused.load(Ordering::Relaxed) == 1, "deleted with a live hold");
    assert_eq!(held, shelves.shelf(id).is_some());
}

#[test]
fn drops_are_created_at_once() {
    explore("shelf: drops created at once", created_at_once);
}

#[test]
fn a_drop_is_deleted_while_reserving() {
    explore("shelf: a drop is deleted", a_drop_is_deleted);
}

#[test]
fn a_crowd_for_one_unit() {
    explore("shelf: a crowd for one unit", crowd_for_one_unit);
}

#[test]
fn one_user_many_times_holds_once() {
    explore("shelf: one user in all threads", one_user_everywhere);
}

#[test]
fn a_purchase_against_the_deadline() {
    explore("shelf: at the deadline", at_the_deadline);
}

#[test]
fn a_user_is_deleted_while_reserving() {
    explore("shelf: a user leaves", a_user_leaves);
}

#[test]
fn a_reader_sees_what_was() {
    explore("shelf: a reader beside writers", a_reader_beside);
}

/// Deciding on what was read before the gate sells the unit twice.
#[test]
fn loading_before_the_gate_is_convicted() {
    convicts("sold twice", |threads| {
        let (shelves, _, id) = shelves(1);
        let won = Arc::new(AtomicUsize::new(0));
        together(threads, {
            let (shelves, won) = (shelves.clone(), won.clone());
            move |thread| {
                let shelf = shelves.shelf(id).unwrap();
                let batch = Batch::one(id, one_for(NAMES[thread])).unwrap();
                let customers = shelves.customers(&batch);
                let mut ledger = shelf.lock().load(&batch, customers, |_| None, START);
                shelves.add_users(&batch, &mut ledger).unwrap();
                let _gate = shelf.gate();
                let decision = decide(ledger, &batch).unwrap();
                let Some(change) = decision.change() else { return };
                shelf.lock().write(change);
                won.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert_eq!(won.load(Ordering::Relaxed), 1, "sold twice");
    });
}
