//! What one decision costs, by the size of its batch.
//!
//! `cargo bench -p drop-benches --bench decide`

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use drop_core::model::{
    Claim, DropId, DropTerms, Hold, HoldPolicy, Reservation, ReservationId, Revision, Stock,
    Timestamp, Units, User, UserId, VariantNo, VariantStock,
};
use drop_core::rules::{Batch, Command, Customer, Ledger, decide};

const SIZES: [u32; 4] = [1, 16, 256, 1024];

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

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    for size in SIZES {
        group.throughput(Throughput::Elements(u64::from(size)));
        let reserve = batch(size, |n| Command::Reserve {
            customer: user(n).username,
            variant: None,
            quantity: Units::ONE,
        });
        let empty = ledger(size, Vec::new());
        group.bench_function(format!("reserve/{size}"), |bench| {
            bench.iter_batched(
                || empty.clone(),
                |ledger| decide(ledger, black_box(&reserve)),
                BatchSize::SmallInput,
            );
        });
        let purchase = batch(size, |n| Command::Purchase {
            reservation: held(n).id(),
            customer: user(n).username,
        });
        let full = ledger(size, (0..size).map(held).collect());
        group.bench_function(format!("purchase/{size}"), |bench| {
            bench.iter_batched(
                || full.clone(),
                |ledger| decide(ledger, black_box(&purchase)),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(decide_benches, benches);
criterion_main!(decide_benches);
