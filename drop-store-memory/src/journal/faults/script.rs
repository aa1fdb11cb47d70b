//! A little of everything that a store writes, each step such that it may be repeated.

use drop_core::StoreError;
use drop_core::model::{DropId, DropTerms, NewDrop, ReservationId, Units};
use drop_core::rules::{Amendment, Batch, Command, Effect, Outcome};
use drop_core::store::{Deletion, Page, Scope};

use crate::MemoryStore;

use super::Acknowledged;

type Step = fn(&MemoryStore, &mut Acknowledged) -> Result<(), StoreError>;

/// The script.
pub(super) const STEPS: [(&str, Step); 10] = [
    ("reserve", |store, told| reserve(store, told, &["ann"])),
    ("purchase", |store, told| {
        let purchase = |reservation| Command::Purchase { reservation, customer: name("ann") };
        of_hold(store, told, "ann", purchase)
    }),
    ("reserve many", |store, told| {
        let crowd: Vec<String> = (0..120).map(|number| format!("shopper_{number}")).collect();
        reserve(store, told, &crowd.iter().map(String::as_str).collect::<Vec<_>>())
    }),
    ("release", |store, told| {
        of_hold(store, told, "shopper_7", |reservation| Command::Release {
            reservation,
            customer: Some(name("shopper_7")),
        })
    }),
    ("amend", |store, told| {
        let amendment = Amendment { total: Some(units(2000)), ..Amendment::default() };
        ask(store, told, vec![Command::Amend(amendment)]).map(|_| ())
    }),
    ("create a drop", |store, told| {
        // A creation has no natural key: whoever is not sure looks first, once it is ready.
        store.recover_now()?;
        if store.shelves().shelf(drop_id(3)).is_none() {
            let id = create(store)?;
            told.told(id, drop_core::model::Revision::FIRST);
        }
        Ok(())
    }),
    ("forget a user", |store, told| {
        ask(store, told, vec![Command::Forget { customer: name("shopper_8") }]).map(|_| ())
    }),
    ("delete a user", |store, _| {
        let deletion = store.delete_user_now(&name("shopper_8"))?;
        assert_ne!(deletion, Deletion::Refused);
        Ok(())
    }),
    ("delete a drop", |store, _| {
        let deletion = store.delete_drop_now(drop_id(2), true)?;
        assert_ne!(deletion, Deletion::Refused);
        Ok(())
    }),
    ("trim", |store, _| store.trim_now(2).map(|_| ())),
];

/// What is there before: two drops, and somebody in each.
pub(super) fn prepare(store: &MemoryStore) {
    for id in [1, 2] {
        assert_eq!(create(store).unwrap(), drop_id(id));
        let command = Command::Reserve { customer: name("zoe"), variant: None, quantity: units(1) };
        store.apply_now(&Batch::one(drop_id(id), command).unwrap()).unwrap();
    }
}

/// Who holds and who has bought what, without revisions, which repeating raises.
pub(super) fn facts(store: &MemoryStore) -> String {
    let page = Page { before: None, limit: 10_000 };
    let mut text = String::new();
    for shelf in store.shelves().all() {
        let id = shelf.lock().id();
        let audit = store.shelves().audit(id).unwrap();
        assert!(audit.is_sound(), "{:?}", audit.findings());
        let scope = Scope::Drop(id);
        let holds = store.shelves().holds(&scope, page).into_iter();
        let holds: Vec<_> =
            holds.map(|held| (held.reservation.id(), held.username.to_string())).collect();
        let sales = store.shelves().purchases(&scope, page).into_iter();
        let sales: Vec<_> = sales.map(|sale| (sale.purchase.id, sale.username)).collect();
        text += &format!("{id} {:?}\n{holds:?}\n{sales:?}\n", shelf.lock().variants());
    }
    text
}

/// Asks drop 1 for more than it has, and for the end of a hold that is nobody's.
pub(super) fn refused(store: &MemoryStore) {
    let none = ReservationId::new(drop_id(1), 999).unwrap();
    let commands = vec![
        Command::Reserve { customer: name("greedy"), variant: None, quantity: units(1001) },
        Command::Purchase { reservation: none, customer: name("zoe") },
        Command::Release { reservation: none, customer: None },
    ];
    let batch = Batch::new(drop_id(1), commands).unwrap();
    let outcomes = store.apply_now(&batch).unwrap().into_outcomes();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Rejected(_))), "{outcomes:?}");
}

fn create(store: &MemoryStore) -> Result<DropId, StoreError> {
    let terms = DropTerms::new("Air One", "149.99", Default::default()).unwrap();
    Ok(store.create_now(&NewDrop::plain(terms, units(1000)).unwrap())?.id)
}

fn reserve(store: &MemoryStore, told: &mut Acknowledged, names: &[&str]) -> Result<(), StoreError> {
    let reserve = |customer: &&str| Command::Reserve {
        customer: name(customer),
        variant: None,
        quantity: units(1),
    };
    let effects = ask(store, told, names.iter().map(reserve).collect())?;
    for (name, effect) in names.iter().zip(effects) {
        let Effect::Reserved { reservation, .. } = effect else { panic!("{effect:?}") };
        // What was told is there at once, under the number that was told.
        assert_eq!(number(store, name), Some(reservation.id()));
    }
    Ok(())
}

/// A command about somebody's reservation.
fn of_hold(
    store: &MemoryStore,
    told: &mut Acknowledged,
    customer: &str,
    command: impl FnOnce(ReservationId) -> Command,
) -> Result<(), StoreError> {
    let reservation = number(store, customer).expect("a reservation");
    ask(store, told, vec![command(reservation)]).map(|_| ())
}

/// Asks something of drop 1 that the rules do not refuse.
fn ask(
    store: &MemoryStore,
    told: &mut Acknowledged,
    commands: Vec<Command>,
) -> Result<Vec<Effect>, StoreError> {
    let batch = Batch::new(drop_id(1), commands).unwrap();
    let applied = store.apply_now(&batch)?;
    told.told(drop_id(1), applied.revision());
    let done = applied.into_outcomes().into_iter().map(|outcome| match outcome {
        Outcome::Done(effect) => effect,
        refused => panic!("{refused:?}"),
    });
    Ok(done.collect())
}

/// The newest reservation of a customer in drop 1.
fn number(store: &MemoryStore, customer: &str) -> Option<ReservationId> {
    let user = store.shelves().user(&name(customer))?;
    let shelf = store.shelves().shelf(drop_id(1))?;
    let shelf = shelf.lock();
    shelf.rows_of(user.id).map(|row| row.id()).max()
}

fn name(name: &str) -> drop_core::model::Username {
    name.parse().unwrap()
}

fn units(units: i64) -> Units {
    Units::new(units).unwrap()
}

fn drop_id(id: i64) -> DropId {
    DropId::new(id).unwrap()
}
