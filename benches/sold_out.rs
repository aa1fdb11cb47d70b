//! How many answers a second a sold out drop gives: 10,000 shoppers for 100 units, and then
//! everybody else.
//!
//! `cargo bench -p drop-benches --bench sold_out`

use drop_benches::Kind;
use drop_benches::report::{Cell, Goal, Question, Round};
use drop_benches::shops::{Contender, CounterStatement, LockCountInsert, RedisScript, contender};

/// Everybody but who does not look at the stock.
const SERIES: [&str; 6] = [
    Kind::Postgres.name(),
    Kind::File.name(),
    Kind::Memory.name(),
    LockCountInsert::SERIES,
    CounterStatement::SERIES,
    RedisScript::SERIES,
];
const STOCK: u32 = 100;
const SHOPPERS: [u64; 3] = [1_000, 10_000, 15_000];
/// The goal's.
const MANY: u64 = 10_000;
const CALLERS: u64 = 256;

#[tokio::main]
async fn main() {
    let mut question = Question::new(
        "sold_out",
        "How many answers a second does a drop give of which there is not enough?",
    )
    .parameter("stock", &STOCK)
    .parameter("rush", &"all shoppers at once, each asks once; a new drop for each round")
    .parameter("refuse", &"256 callers, nothing left");
    for shoppers in SHOPPERS {
        measure(&mut question, "rush", shoppers).await;
    }
    measure(&mut question, "refuse", CALLERS).await;
    let ours = Cell::new("rush", Kind::Postgres.name(), "shoppers", MANY);
    for kind in Kind::ALL {
        question.goal(Goal::figure(&ours.by(kind.name())).at_least(200_000.0));
    }
    for baseline in [LockCountInsert::SERIES, CounterStatement::SERIES, RedisScript::SERIES] {
        question.goal(Goal::times(&ours, &ours.by(baseline)));
    }
    question.finish();
}

async fn measure(question: &mut Question, work: &str, x: u64) {
    let axis = if work == "rush" { "shoppers" } else { "callers" };
    let mut running = Vec::new();
    for series in SERIES {
        let cell = Cell::new(work, series, axis, x);
        // A thousand of the seed's transactions take a second; more of them say nothing new.
        let slow = series == LockCountInsert::SERIES && !question.long && x > 1_000;
        if question.wants(&cell)
            && !slow
            && let Some(contender) = contender(series).await
        {
            running.push((cell, contender));
        }
    }
    for _ in 0..question.rounds(3, 9) {
        for (cell, contender) in &running {
            let round = match work {
                "rush" => rush(&**contender, x).await,
                _ => refuse(&**contender, x).await,
            };
            question.record(cell, "/s", round);
        }
    }
}

/// Everybody at once, for a new drop.
async fn rush(contender: &dyn Contender, shoppers: u64) -> Round {
    let shoppers = usize::try_from(shoppers).expect("few");
    let drop_id = contender.open(STOCK).await;
    let answered = contender.crowd(shoppers, &[drop_id], shoppers).await;
    let held = answered.answers.iter().flatten().count();
    assert_eq!(u32::try_from(held), Ok(STOCK), "{}", contender.series());
    assert_eq!(contender.held(drop_id).await, u64::from(STOCK), "{}", contender.series());
    answered.round()
}

/// Many, each again and again as somebody else, for a drop that is sold out.
async fn refuse(contender: &dyn Contender, callers: u64) -> Round {
    let callers = usize::try_from(callers).expect("few");
    let drop_id = contender.open(1).await;
    let first = contender.crowd(1, &[drop_id], 1).await;
    assert!(first.answers.iter().all(Option::is_some), "the only unit");
    let mut asks = callers * 4;
    loop {
        let answered = contender.crowd(callers, &[drop_id], asks).await;
        assert!(answered.answers.iter().all(Option::is_none), "{}", contender.series());
        // As long as it takes to tell the rate from the beginning and the end.
        if answered.took.as_millis() > 300 {
            return answered.round();
        }
        asks *= 4;
    }
}
