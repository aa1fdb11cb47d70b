//! What the rows that a drop has already cost the next reserve.
//!
//! `cargo bench -p drop-benches --bench rows_growth`

use std::sync::Arc;

use drop_benches::report::{Cell, Goal, Question};
use drop_benches::shops::{ArraysOnly, Contender, CounterStatement, LockCountInsert, filled};
use drop_benches::{Kind, Runner};

const ROWS: [u64; 3] = [0, 10_000, 1_000_000];
/// Who reserves, for how many callers.
const CONTENDERS: [(&str, &[u64]); 6] = [
    (Kind::Postgres.name(), &[256, 1]),
    (Kind::File.name(), &[256]),
    (Kind::Memory.name(), &[256]),
    (LockCountInsert::SERIES, &[1]),
    (CounterStatement::SERIES, &[256, 1]),
    (ArraysOnly::SERIES, &[256]),
];

#[tokio::main]
async fn main() {
    let mut question = Question::new(
        "rows_growth",
        "What do the reservations that a drop has already cost the next one?",
    )
    .parameter("rows", &"reservations of the same drop, a quarter held and three quarters bought");
    let rounds = question.rounds(3, 9);
    let mut running = Vec::new();
    for rows in ROWS {
        for (series, crowds) in CONTENDERS {
            let wanted: Vec<_> =
                crowds.iter().filter(|c| question.wants(&cell(series, **c, rows))).collect();
            if wanted.is_empty() {
                continue;
            }
            // A round's own rows are few beside a million; else each round has its own drop.
            let own = if rows < 1_000_000 { wanted.len() * (rounds + 1) } else { 1 };
            let count = usize::try_from(rows).expect("a count");
            let (contender, drops) = filled(series, own, count).await;
            let contender: Arc<dyn Contender> = Arc::from(contender);
            let mut fresh = drops.into_iter().cycle();
            for callers in wanted {
                let trial = [fresh.next().expect("a drop")];
                let cell = cell(series, *callers, rows);
                let callers = usize::try_from(*callers).expect("few");
                let runner = Runner::ready(cell, contender.clone(), callers, &trial).await;
                let drops: Vec<i64> = fresh.by_ref().take(rounds).collect();
                running.push((runner, drops));
            }
        }
    }
    // In turn over all rows too: whether it is flat must not hang on what disturbed one of them.
    for round in 0..rounds {
        for (runner, drops) in &running {
            let drop_id = drops.get(round).copied().expect("a drop for each round");
            let before = runner.contender().held(drop_id).await;
            let measured = runner.round(&[drop_id]).await;
            let after = runner.contender().held(drop_id).await;
            assert_eq!(usize::try_from(after - before), Ok(runner.reserves()));
            question.record(&runner.cell, "/s", measured);
        }
    }
    let ours = cell(Kind::Postgres.name(), 256, 0);
    for rows in [10_000, 1_000_000] {
        question.goal(Goal::times(&ours.at(rows), &ours).at_least(0.9));
        for kind in [Kind::File, Kind::Memory] {
            let other = ours.by(kind.name());
            question.goal(Goal::times(&other.at(rows), &other));
        }
    }
    let alone = cell(Kind::Postgres.name(), 1, 1_000_000);
    question.goal(Goal::times(&alone, &alone.by(LockCountInsert::SERIES)));
    question.goal(Goal::times(&alone, &alone.by(CounterStatement::SERIES)));
    question.finish();
}

fn cell(series: &str, callers: u64, rows: u64) -> Cell {
    let work = if callers == 1 { "reserve, 1 caller" } else { "reserve, 256 callers" };
    Cell::new(work, series, "rows", rows)
}
