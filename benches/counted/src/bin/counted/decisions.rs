//! `decide` alone, on ledgers as a store loads them.

use std::hint::black_box;
use std::sync::Arc;

use drop_core::model::{
    Claim, DropId, DropTerms, Hold, HoldPolicy, Reservation, ReservationId, Revision, Stock,
    Timestamp, Units, User, UserId, VariantNo, VariantStock,
};
use drop_core::rules::{Batch, Command, Customer, Decision, Ledger, decide};

use crate::{COMMANDS, Prepared};

pub(crate) fn prepare(name: &str, size: u32) -> Option<Prepared> {
    let held = || (0..size).map(held).collect();
    let (ledger, batch) = match name {
        "decide-reserve" => (ledger(size, Units::MAX, Vec::new()), batch(size, reserve)),
        "decide-repeat" => (ledger(size, Units::MAX, held()), batch(size, reserve)),
        "decide-purchase" => (ledger(size, Units::MAX, held()), batch(size, purchase)),
        "decide-release" => (ledger(size, Units::MAX, held()), batch(size, release)),
        "decide-refuse" => (ledger(size, Units::ZERO, Vec::new()), batch(size, reserve)),
        _ => return None,
    };
    let batches = COMMANDS.div_ceil(size);
    let mut ledgers: Vec<Ledger> = (0..batches).map(|_| ledger.clone()).collect();
    let mut decisions: Vec<Decision> = Vec::with_capacity(ledgers.len());
    let work = move || {
        for ledger in ledgers.drain(..) {
            decisions.push(decide(ledger, black_box(&batch)).expect("a decision"));
        }
    };
    Some(Prepared { work: Box::new(work), commands: batches * size })
}

fn drop_id() -> DropId {
    DropId::new(1).expect("an id")
}

fn user(number: u32) -> User {
    let id = UserId::new(i64::from(number) + 1).expect("an id");
    User { id, username: format!("user_{number:06}").parse().expect("a name") }
}

/// A drop with so many units for sale, and these held beside them.
fn ledger(size: u32, for_sale: Units, rows: Vec<Reservation>) -> Ledger {
    let held = Units::new(i64::try_from(rows.len()).expect("few")).expect("units");
    let total = Units::MAX.min(for_sale.saturating_add(held));
    let stock = Stock::restore(total, held, Units::ZERO).expect("stock");
    let customer = |n| Some(Customer { user: user(n), bought: Units::ZERO });
    Ledger {
        drop_id: drop_id(),
        revision: Revision::new(7),
        as_of: Timestamp::EPOCH,
        terms: Arc::new(DropTerms::new("Air One", "149.99", Default::default()).expect("terms")),
        variants: vec![VariantStock { name: None, stock }],
        next_number: size + 1,
        recent: Vec::new(),
        customers: (0..size).map(customer).collect(),
        rows,
        more_lapsed: false,
    }
}

fn held(number: u32) -> Reservation {
    let id = ReservationId::new(drop_id(), number + 1).expect("an id");
    let claim = Claim {
        id,
        user_id: user(number).id,
        variant: VariantNo::default(),
        quantity: Units::ONE,
        price: "149.99".parse().expect("a price"),
        created_at: Timestamp::EPOCH,
    };
    Hold::take(claim, HoldPolicy::default()).into()
}

fn batch(size: u32, command: impl Fn(u32) -> Command) -> Batch {
    Batch::new(drop_id(), (0..size).map(command).collect()).expect("a batch")
}

fn reserve(number: u32) -> Command {
    let customer = user(number).username;
    Command::Reserve { customer, variant: None, quantity: Units::ONE }
}

fn purchase(number: u32) -> Command {
    Command::Purchase { reservation: held(number).id(), customer: user(number).username }
}

fn release(number: u32) -> Command {
    let customer = Some(user(number).username);
    Command::Release { reservation: held(number).id(), customer }
}
