//! What `decide` does not decide: ledgers that contradict themselves, and what no batch is.

use drop_core::conformance::{Rows, START};
use drop_core::model::{
    Claim, DropId, DropTerms, Hold, HoldPolicy, NewDrop, Reservation, ReservationId, Status, Stock,
    Timestamp, Units, UserId, VariantNo,
};
use drop_core::rules::{
    Batch, Command, Corruption, InvalidBatch, Ledger, Outcome, Rejection, decide,
};

fn drop_id() -> DropId {
    DropId::new(7).unwrap()
}

fn later(seconds: u64) -> Timestamp {
    START.saturating_add(std::time::Duration::from_secs(seconds))
}

fn reserve(who: &str) -> Command {
    Command::Reserve { customer: who.parse().unwrap(), variant: None, quantity: Units::ONE }
}

fn batch(commands: Vec<Command>) -> Batch {
    Batch::new(drop_id(), commands).unwrap()
}

/// A drop of five units, one of which ann holds for a minute.
fn held() -> Rows {
    let terms = DropTerms::new("Air One", "149.99", HoldPolicy::default()).unwrap();
    let new = NewDrop::plain(terms, Units::new(5).unwrap()).unwrap();
    let mut rows = Rows::new(drop_id(), &new, START);
    let _ = rows.decide(&batch(vec![reserve("ann")]), START).unwrap();
    rows
}

fn refused(ledger: Ledger, batch: &Batch) -> Corruption {
    decide(ledger, batch).unwrap_err()
}

#[test]
fn a_ledger_that_was_loaded_for_another_batch_is_not_decided_on() {
    let one = batch(vec![reserve("ann")]);
    let two = batch(vec![Command::Expire, reserve("bob")]);
    let ledger = held().ledger(&one, START);
    assert_eq!(refused(ledger.clone(), &two), Corruption::OtherBatch);
    let other = Ledger { drop_id: DropId::new(8).unwrap(), ..ledger.clone() };
    assert_eq!(refused(other, &one), Corruption::OtherBatch);
    let nobody = Ledger { customers: vec![None], ..ledger };
    assert_eq!(refused(nobody, &one), Corruption::OtherBatch);
}

/// A crowd that comes too late need not become users: whom nobody knows is refused by the same
/// rules as anybody who holds nothing. Where there may be something to get, they have to be known.
#[test]
fn who_is_unknown_is_refused_where_nothing_is_to_be_had_and_only_there() {
    let terms = DropTerms::new("Air One", "149.99", HoldPolicy::default()).unwrap();
    let mut rows = Rows::new(drop_id(), &NewDrop::plain(terms, Units::ONE).unwrap(), START);
    let _ = rows.decide(&batch(vec![reserve("ann")]), START).unwrap();
    let deadline = rows.reservations.values().next().unwrap().expires_at();
    let mut nobody = |batch: &Batch, as_of| {
        let ledger = rows.ledger(batch, as_of);
        Ledger { customers: vec![None; ledger.customers.len()], ..ledger }
    };
    let crowd = batch(vec![reserve("bob"), Command::Expire]);
    let ledger = nobody(&crowd, START);
    assert!(ledger.has_nothing_for(&crowd));
    let decision = decide(ledger, &crowd).unwrap();
    assert!(decision.change().is_none());
    assert_eq!(decision.outcomes()[0], Outcome::Rejected(Rejection::OutOfStock));
    // At the deadline a unit is for sale again, and one tick before it is not.
    let tick = Timestamp::from_micros(deadline.as_micros() - 1).unwrap();
    assert!(nobody(&crowd, tick).has_nothing_for(&crowd));
    assert!(!nobody(&crowd, deadline).has_nothing_for(&crowd));
    assert_eq!(refused(nobody(&crowd, deadline), &crowd), Corruption::OtherBatch);
    // Who buys frees nothing.
    let reservation = ReservationId::new(drop_id(), 1).unwrap();
    let customer = "ann".parse().unwrap();
    let buying = batch(vec![Command::Purchase { reservation, customer }, reserve("bob")]);
    assert!(nobody(&buying, START).has_nothing_for(&buying));
    // And so it may be where the batch itself frees one.
    let freeing = batch(vec![Command::Forget { customer: "ann".parse().unwrap() }, reserve("bob")]);
    assert!(!nobody(&freeing, START).has_nothing_for(&freeing));
}

#[test]
fn two_active_holds_of_one_customer_are_a_contradiction() {
    let expire = batch(vec![Command::Expire]);
    let mut rows = held();
    let first = *rows.reservations.values().next().unwrap();
    let id = ReservationId::new(drop_id(), 2).unwrap();
    let claim = Claim { id, ..*first.claim() };
    let second = Reservation::restore(claim, first.expires_at(), START, Status::Active);
    let ledger = Ledger { rows: vec![first, second], ..rows.ledger(&expire, START) };
    assert_eq!(refused(ledger, &expire), Corruption::TwoHolds(first.id(), second.id()));
}

#[test]
fn counters_that_do_not_know_a_hold_are_a_contradiction_when_it_ends() {
    let mut rows = held();
    let row = *rows.reservations.values().next().unwrap();
    rows.variants[0].stock = Stock::new(Units::new(5).unwrap());
    let id = row.id();
    let ends = [
        (Command::Expire, later(60)),
        (Command::Release { reservation: id, customer: None }, START),
        (Command::Purchase { reservation: id, customer: "ann".parse().unwrap() }, START),
        (Command::Forget { customer: "ann".parse().unwrap() }, START),
    ];
    for (command, as_of) in ends {
        let batch = batch(vec![command]);
        let corruption = refused(rows.ledger(&batch, as_of), &batch);
        assert!(matches!(corruption, Corruption::Counters { .. }), "{batch:?}: {corruption}");
    }
}

#[test]
fn a_reservation_of_a_variant_that_is_not_there_is_a_contradiction() {
    let mut rows = held();
    let row = *rows.reservations.values().next().unwrap();
    let claim = Claim { variant: VariantNo::new(1), ..*row.claim() };
    let elsewhere = Reservation::restore(claim, row.expires_at(), START, Status::Active);
    let expire = batch(vec![Command::Expire]);
    let ledger = Ledger { rows: vec![elsewhere], ..rows.ledger(&expire, later(60)) };
    assert_eq!(refused(ledger, &expire), Corruption::NoVariant(row.id()));
}

#[test]
fn the_last_number_of_a_drop_is_given_once() {
    let mut rows = held();
    let last = batch(vec![reserve("bob"), reserve("eve")]);
    let ledger = rows.ledger(&last, START);
    let ledger = Ledger { next_number: ReservationId::MAX_NUMBER, ..ledger };
    let applied = decide(ledger, &last).unwrap().committed();
    assert!(matches!(applied.outcomes()[0], Outcome::Done(_)), "{applied:?}");
    assert_eq!(applied.outcomes()[1], Outcome::Rejected(Rejection::NumbersUsedUp));
    assert_eq!(applied.change().unwrap().stock().held(), Units::new(2).unwrap());
}

#[test]
fn a_hold_is_bought_before_its_deadline_and_expired_from_it_on() {
    let claim = Claim {
        id: ReservationId::new(drop_id(), 1).unwrap(),
        user_id: UserId::new(1).unwrap(),
        variant: VariantNo::new(0),
        quantity: Units::ONE,
        price: "1".parse().unwrap(),
        created_at: START,
    };
    let hold = Hold::take(claim, HoldPolicy::seconds(60));
    let before = Timestamp::from_micros(later(60).as_micros() - 1).unwrap();
    assert_eq!(hold.complete(before).unwrap().status(), Status::Completed);
    assert_eq!(hold.expire(before), Err(hold));
    assert_eq!(Reservation::from(hold).status_at(before), Status::Active);
    assert_eq!(hold.complete(later(60)), Err(hold));
    assert_eq!(hold.expire(later(60)).unwrap().status(), Status::Expired);
    assert_eq!(Reservation::from(hold).status_at(later(60)), Status::Expired);
}

#[test]
fn a_repeat_that_cannot_move_the_deadline_moves_nothing() {
    let hold = held().reservations.values().next().unwrap().into_hold().unwrap();
    let minute = std::time::Duration::from_secs(60);
    let never_longer = HoldPolicy::new(minute, minute).unwrap();
    assert_eq!(hold.extend(later(30), never_longer), hold, "not even the time of its change");
    let shorter = HoldPolicy::new(minute / 2, minute / 2).unwrap();
    assert_eq!(hold.extend(later(1), shorter), hold);
}

#[test]
fn a_batch_is_of_one_drop_and_of_bounded_length() {
    let of = |count| Batch::new(drop_id(), vec![Command::Expire; count]);
    assert_eq!(of(0), Err(InvalidBatch::Length));
    assert!(of(1).is_ok() && of(Batch::MAX_COMMANDS).is_ok());
    assert_eq!(of(Batch::MAX_COMMANDS + 1), Err(InvalidBatch::Length));
    let other = ReservationId::new(DropId::new(8).unwrap(), 1).unwrap();
    for command in [
        Command::Release { reservation: other, customer: None },
        Command::Purchase { reservation: other, customer: "ann".parse().unwrap() },
    ] {
        let mixed = Batch::new(drop_id(), vec![Command::Expire, command]);
        assert_eq!(mixed, Err(InvalidBatch::OtherDrop(other)));
    }
}

/// What more than a batch settles has to wait: the rules say so, and only where it matters.
#[test]
fn what_depends_on_holds_that_are_still_to_be_settled_is_deferred() {
    let total = |total| {
        let total = Some(Units::new(total).unwrap());
        Command::Amend(drop_core::Amendment { total, ..Default::default() })
    };
    let some = |quantity| {
        let quantity = Units::new(quantity).unwrap();
        Command::Reserve { customer: "bob".parse().unwrap(), variant: None, quantity }
    };
    let out_of_stock = Outcome::Rejected(Rejection::OutOfStock);
    // Two of the five units are held, by holds that have lapsed and were not loaded.
    let mut rows = held();
    let _ = rows.decide(&batch(vec![reserve("eve")]), START).unwrap();
    for (command, expected) in [
        (some(3), None),
        (some(4), Some(Outcome::Deferred)),
        (some(5), Some(Outcome::Deferred)),
        (some(6), Some(out_of_stock)),
        (total(2), None),
        (total(1), Some(Outcome::Deferred)),
        (Command::Expire, Some(Outcome::Deferred)),
    ] {
        let one = batch(vec![command]);
        let ledger = rows.ledger(&one, START);
        let unsettled = Ledger { more_lapsed: true, rows: Vec::new(), ..ledger };
        let applied = decide(unsettled, &one).unwrap().committed();
        let outcome = &applied.outcomes()[0];
        match expected {
            Some(expected) => assert_eq!(*outcome, expected, "{one:?}"),
            None => assert!(matches!(outcome, Outcome::Done(_)), "{one:?}: {outcome:?}"),
        }
    }
}
