//! What the rows that a drop has already cost the next reserve.
//!
//! `cargo bench -p drop-benches --bench rows_growth`

use std::sync::Arc;

use drop_benches::report::{Cell, Goal, Question};
use drop_benches::shops::{ArraysOnly, Contender, CounterStatement, Filled, LockCountInsert};
use drop_benches::{Kind, Runner};

const ROWS: [u64; 3] = [0, 10_000, 1_000_000];
/// Who reserves, for how many callers.
const OURS: [(Kind, &[u64]); 3] =
    [(Kind::Postgres, &[256, 1]), (Kind::File, &[256]), (Kind::Memory, &[256])];
const BASELINES: [(&str, &[u64]); 3] = [
    (LockCountInsert::SERIES, &[1]),
    (CounterStatement::SERIES, &[256, 1]),
    (ArraysOnly::SERIES, &[256]),
];
const ALONE: &str = "reserve, 1 caller";
/// With so many rows those of a round are few beside them; with fewer each has its own drop.
const MANY: u64 = 1_000_000;

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
        let count = usize::try_from(rows).expect("a count");
        let needed = |cells: &[Cell], sellers| {
            if rows < MANY { cells.len() * (rounds + 1) } else { sellers }
        };
        for (kind, crowds) in OURS {
            let cells = wanted(&question, kind.name(), crowds, rows);
            if !cells.is_empty() {
                let filled = Filled::ours(kind, needed(&cells, 1), count).await;
                let mut drops = filled.drops.iter().copied().cycle();
                ready(&mut running, &filled.contender, &mut drops, cells, rounds).await;
            }
        }
        let baselines =
            BASELINES.map(|(series, crowds)| (series, wanted(&question, series, crowds, rows)));
        let names: Vec<_> = baselines.iter().map(|(series, _)| *series).collect();
        let cells: Vec<Cell> = baselines.iter().flat_map(|(_, cells)| cells.clone()).collect();
        if !cells.is_empty() {
            let filled = Filled::baselines(&names, needed(&cells, names.len()), count).await;
            // All have the same drops: nobody is given one that another has sold from.
            let drops = filled.first().map(|filled| filled.drops.clone()).unwrap_or_default();
            let mut next = drops.iter().copied().cycle();
            for ((filled, (_, cells)), own) in filled.iter().zip(baselines).zip(&drops) {
                let contender = &filled.contender;
                if rows < MANY {
                    ready(&mut running, contender, &mut next, cells, rounds).await;
                } else {
                    let mut own = std::iter::repeat(*own);
                    ready(&mut running, contender, &mut own, cells, rounds).await;
                }
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
    let work = if callers == 1 { ALONE } else { "reserve, 256 callers" };
    Cell::new(work, series, "rows", rows)
}

fn wanted(question: &Question, series: &str, crowds: &[u64], rows: u64) -> Vec<Cell> {
    let cells = crowds.iter().map(|callers| cell(series, *callers, rows));
    cells.filter(|cell| question.wants(cell)).collect()
}

/// Tries a contender at its cells, and sees to it that each round has a drop.
async fn ready(
    running: &mut Vec<(Runner, Vec<i64>)>,
    contender: &Arc<dyn Contender>,
    drops: &mut impl Iterator<Item = i64>,
    cells: Vec<Cell>,
    rounds: usize,
) {
    for cell in cells {
        let trial = [drops.next().expect("a drop")];
        let callers = if cell.work == ALONE { 1 } else { 256 };
        let runner = Runner::ready(cell, contender.clone(), callers, &trial).await;
        running.push((runner, drops.by_ref().take(rounds).collect()));
    }
}
