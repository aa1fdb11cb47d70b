//! Values, commands and answers in few words.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{
    DropTerms, HoldPolicy, Purchase, Reservation, ReservationId, Timestamp, Units, Username,
    VariantName,
};
use crate::rules::{Amendment, Command, Effect};

/// The smallest step of time.
pub(super) const TICK: Duration = Duration::from_micros(1);
/// The hold of a drop, where a case does not say otherwise.
pub(super) const HOLD: Duration = Duration::from_secs(60);
/// The longest hold of a drop, where a case does not say otherwise.
pub(super) const LONGEST: Duration = Duration::from_secs(300);

/// Terms of a drop that is always open, without limit, holding 60 s and 300 s at most.
pub(super) fn terms() -> DropTerms {
    let mut terms = DropTerms::new("Air One", "149.99", Default::default()).expect("terms");
    terms.hold = HoldPolicy::new(HOLD, LONGEST).expect("a policy");
    terms
}

pub(super) fn units(count: u32) -> Units {
    Units::new(i64::from(count)).expect("units")
}

pub(super) fn variant(name: &str) -> VariantName {
    VariantName::new(name).expect("a variant's name")
}

pub(super) fn name(text: &str) -> Username {
    Username::new(text).expect("a username")
}

/// The moment `span` before `at`.
pub(super) fn before(at: Timestamp, span: Duration) -> Timestamp {
    let micros = i64::try_from(span.as_micros()).expect("a short span");
    Timestamp::from_micros(at.as_micros().saturating_sub(micros)).expect("a time")
}

/// One unit of a drop without variants.
pub(super) fn reserve(who: &str) -> Command {
    reserve_some(who, 1)
}

/// Some units of a drop without variants.
pub(super) fn reserve_some(who: &str, quantity: u32) -> Command {
    Command::Reserve { customer: name(who), variant: None, quantity: units(quantity) }
}

/// Some units of a variant.
pub(super) fn reserve_of(who: &str, size: &str, quantity: u32) -> Command {
    let variant = Some(variant(size));
    Command::Reserve { customer: name(who), variant, quantity: units(quantity) }
}

pub(super) fn purchase(id: ReservationId, who: &str) -> Command {
    Command::Purchase { reservation: id, customer: name(who) }
}

pub(super) fn release(id: ReservationId, who: &str) -> Command {
    Command::Release { reservation: id, customer: Some(name(who)) }
}

/// What the seller may: a release of any hold.
pub(super) const fn release_any(id: ReservationId) -> Command {
    Command::Release { reservation: id, customer: None }
}

pub(super) fn forget(who: &str) -> Command {
    Command::Forget { customer: name(who) }
}

/// An amendment of nothing but the total.
pub(super) fn new_total(total: u32) -> Command {
    Command::Amend(Amendment { total: Some(units(total)), ..Amendment::default() })
}

/// The hold and whether it was there before.
pub(super) fn reserved(effect: Effect) -> (Reservation, bool) {
    match effect {
        Effect::Reserved { reservation, extended } => (reservation, extended),
        other => panic!("a hold was expected, not {other:?}"),
    }
}

/// The purchase and whether it was made before.
pub(super) fn purchased(effect: Effect) -> (Purchase, bool) {
    match effect {
        Effect::Purchased { purchase, repeated, .. } => (purchase, repeated),
        other => panic!("a purchase was expected, not {other:?}"),
    }
}

/// The reservation that was released.
pub(super) fn released(effect: Effect) -> Reservation {
    match effect {
        Effect::Released { reservation } => reservation,
        other => panic!("a release was expected, not {other:?}"),
    }
}

/// How many of these are equal to what `of` says.
pub(super) fn tally<T, K: Ord>(
    items: impl IntoIterator<Item = T>,
    of: impl Fn(T) -> K,
) -> BTreeMap<K, usize> {
    let mut tally = BTreeMap::new();
    for item in items {
        let count: &mut usize = tally.entry(of(item)).or_default();
        *count = count.saturating_add(1);
    }
    tally
}
