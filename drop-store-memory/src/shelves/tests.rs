//! Deleting what contradicts itself.

use std::sync::Arc;
use std::time::Duration;

use drop_core::conformance::START;
use drop_core::model::{DropTerms, NewDrop, Revision, Units};
use drop_core::rules::{Batch, Change, Command};
use drop_core::store::Deletion;
use drop_core::{ManualClock, StoreError};

use super::{Drops, Shelves};
use crate::log::NoLog;
use crate::users::Users;

/// Nobody can say what of it is held or sold, so by default it stays. By force it goes: there
/// is no other way to be rid of it.
#[test]
fn a_drop_that_contradicts_itself_can_be_deleted_by_force() {
    let clock = Arc::new(ManualClock::new(START));
    let shelves = Shelves::new(clock.clone(), Box::new(NoLog), Users::default(), Drops::default());
    let terms = DropTerms::new("Air One", "149.99", Default::default()).unwrap();
    let id = shelves.create(&NewDrop::plain(terms, Units::ONE).unwrap()).unwrap().id;
    let customer = "ann".parse().unwrap();
    let reserve = Command::Reserve { customer, variant: None, quantity: Units::ONE };
    shelves.apply(&Batch::one(id, reserve).unwrap()).unwrap();
    // Counters that do not know of the hold, which shows once it has lapsed.
    let shared = shelves.shelf(id).unwrap();
    let changes = shared.lock().changes_after(Revision::ZERO, 2);
    let [first, second] = &changes[..] else { panic!("{changes:?}") };
    let tampered = Change { variants: first.variants.clone(), ..second.as_ref().clone() };
    shared.lock().write(&Arc::new(tampered));
    clock.jump(START.saturating_add(Duration::from_secs(60)));
    let kept = shelves.delete_drop(id, false);
    assert!(matches!(kept, Err(StoreError::Corrupt(_))), "{kept:?}");
    assert!(matches!(shelves.delete_drop(id, true), Ok(Deletion::Deleted)));
    assert!(shelves.shelf(id).is_none());
}
