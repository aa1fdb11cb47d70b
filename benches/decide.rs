//! What one decision costs, by the size of its batch.
//!
//! `cargo bench -p drop-benches --bench decide`

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drop_benches::report::{Cell, Goal, Question, Round, float};
use drop_core::model::{
    Claim, DropId, DropTerms, Hold, HoldPolicy, Reservation, ReservationId, Revision, Stock,
    Timestamp, Units, User, UserId, VariantNo, VariantStock,
};
use drop_core::rules::{Batch, Command, Customer, Ledger, decide};

const SIZES: [u32; 4] = [1, 16, 256, 1024];
/// Commands in a round, whatever the size of a batch.
const COMMANDS: u32 = 200_000;
const WORKS: [&str; 4] = ["reserve", "purchase", "release", "refuse"];
const OURS: &str = "decide";
/// What the least that could be called a reserve costs.
const BARE: &str = "a counter and a map";

fn user(number: u32) -> User {
    let id = UserId::new(i64::from(number) + 1).expect("an id");
    User { id, username: format!("user_{number:06}").parse().expect("a name") }
}

fn ledger(size: u32, rows: Vec<Reservation>) -> Ledger {
    let held = Units::new(i64::try_from(rows.len()).expect("few")).expect("units");
    let stock = Stock::restore(Units::MAX, held, Units::ZERO).expect("stock");
    Ledger {
        drop_id: DropId::new(1).expect("an id"),
        revision: Revision::new(7),
        as_of: Timestamp::EPOCH,
        terms: Arc::new(DropTerms::new("Air One", "149.99", Default::default()).expect("terms")),
        variants: vec![VariantStock { name: None, stock }],
        next_number: size + 1,
        recent: Vec::new(),
        customers: (0..size)
            .map(|n| Some(Customer { user: user(n), bought: Units::ZERO }))
            .collect(),
        rows,
        more_lapsed: false,
    }
}

fn held(number: u32) -> Reservation {
    let id = ReservationId::new(DropId::new(1).expect("an id"), number + 1).expect("an id");
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
    Batch::new(DropId::new(1).expect("an id"), (0..size).map(command).collect()).expect("a batch")
}

fn main() {
    let mut question = Question::new(
        "decide",
        "What does a decision cost, in nanoseconds of one thread for each of its commands?",
    )
    .parameter("drop", &"one variant; the ledger holds the rows that the batch needs")
    .parameter("not counted", &"making the ledger, and freeing the decision");
    for _ in 0..question.rounds(5, 15) {
        for size in SIZES {
            for work in WORKS {
                let cell = cell(work, size);
                if question.wants(&cell) {
                    let (ledger, batch) = scene(work, size);
                    question.record(&cell, "ns", decisions(&ledger, &batch, size));
                }
            }
            let bare = cell("reserve", size).by(BARE);
            if question.wants(&bare) {
                question.record(&bare, "ns", counts(size));
            }
        }
    }
    let ours = cell("reserve", 256);
    for work in WORKS {
        question.goal(Goal::figure(&cell(work, 256)).at_most(300.0));
    }
    question.goal(Goal::times(&ours, &ours.by(BARE)));
    question.finish();
}

fn cell(work: &str, size: u32) -> Cell {
    Cell::new(work, OURS, "commands in a batch", u64::from(size))
}

/// A batch of one kind of command, and the ledger that it is decided on.
fn scene(work: &str, size: u32) -> (Ledger, Batch) {
    let empty = || ledger(size, Vec::new());
    let full = || ledger(size, (0..size).map(held).collect());
    let reserve =
        |n| Command::Reserve { customer: user(n).username, variant: None, quantity: Units::ONE };
    match work {
        "reserve" => (empty(), batch(size, reserve)),
        "refuse" => {
            let stock = Stock::restore(Units::ONE, Units::ZERO, Units::ONE).expect("stock");
            let variants = vec![VariantStock { name: None, stock }];
            (Ledger { variants, ..empty() }, batch(size, reserve))
        }
        "purchase" => {
            let purchase =
                |n| Command::Purchase { reservation: held(n).id(), customer: user(n).username };
            (full(), batch(size, purchase))
        }
        _ => {
            let release = |n| Command::Release {
                reservation: held(n).id(),
                customer: Some(user(n).username),
            };
            (full(), batch(size, release))
        }
    }
}

fn decisions(ledger: &Ledger, batch: &Batch, size: u32) -> Round {
    let times = (COMMANDS / size).min(20_000);
    let mut took = Duration::ZERO;
    // Few at a time, so that ledgers and decisions come from the cache, as they do in life.
    for _ in 0..times.div_ceil(16) {
        let ledgers: Vec<Ledger> = (0..16).map(|_| ledger.clone()).collect();
        let mut decided = Vec::with_capacity(16);
        let began = Instant::now();
        for ledger in ledgers {
            decided.push(decide(ledger, black_box(batch)));
        }
        took += began.elapsed();
        assert!(decided.iter().all(Result::is_ok), "sound ledgers");
    }
    nanos(took, times.div_ceil(16) * 16 * size)
}

/// A stock that is counted down and a map of who holds: no times, no limits, no change to tell.
fn counts(size: u32) -> Round {
    let names: Vec<_> = (0..size).map(|n| user(n).username).collect();
    let times = (COMMANDS / size).min(20_000);
    let mut took = Duration::ZERO;
    for _ in 0..times {
        let mut stock = u32::MAX;
        let mut holds = HashMap::new();
        let began = Instant::now();
        for name in black_box(&names) {
            if stock > 0 && !holds.contains_key(name.as_str()) {
                stock -= 1;
                holds.insert(name.as_str().to_owned(), stock);
            }
        }
        took += began.elapsed();
        assert_eq!(u32::try_from(holds.len()), Ok(size));
    }
    nanos(took, times * size)
}

fn nanos(took: Duration, commands: u32) -> Round {
    let nanos = u64::try_from(took.as_nanos()).expect("a round is short");
    Round::of(float(nanos) / f64::from(commands))
}
