//! What many drops cost: callers spread over all of them, and all at one of them.
//!
//! `cargo bench -p drop-benches --bench many_drops`

use std::sync::Arc;

use drop_benches::report::{Cell, Goal, Question};
use drop_benches::shops::{
    ArraysOnly, BareInsert, Contender, CounterStatement, LockCountInsert, RedisScript, contender,
};
use drop_benches::{Kind, Runner, STOCK, load};

const SERIES: [&str; 8] = [
    Kind::Postgres.name(),
    Kind::File.name(),
    Kind::Memory.name(),
    LockCountInsert::SERIES,
    CounterStatement::SERIES,
    BareInsert::SERIES,
    ArraysOnly::SERIES,
    RedisScript::SERIES,
];
const CALLERS: usize = 256;
const SPREAD: &str = "spread over all";
const ONE: &str = "all at one";
/// Beyond so many drops the short run has ours only, one after the other.
const BASELINES: u64 = 10_000;
/// Where the goal is.
const MANY: u64 = 1_000;

#[tokio::main]
async fn main() {
    let mut question = Question::new(
        "many_drops",
        "What do 256 callers get who are spread over many drops, and who are all at one of them?",
    )
    .parameter("callers", &CALLERS);
    let drops: &[u64] = match question.long {
        true => &[1, 10, 100, 1_000, 10_000, 100_000],
        false => &[1, 100, 1_000, 10_000, 100_000],
    };
    for count in drops {
        // What a shop does by itself grows with its drops: so many leave the others no rest.
        let together = if *count > BASELINES { 1 } else { SERIES.len() };
        for series in SERIES.chunks(together) {
            measure(&mut question, *count, series).await;
        }
    }
    for kind in Kind::ALL {
        let spread = cell(SPREAD, kind.name(), MANY);
        let one = cell(ONE, kind.name(), MANY);
        let ratio = Goal::times(&spread, &one);
        question.goal(if kind == Kind::Postgres { ratio.at_least(0.5) } else { ratio });
    }
    let ours = cell(SPREAD, Kind::Postgres.name(), MANY);
    for baseline in [LockCountInsert::SERIES, CounterStatement::SERIES, BareInsert::SERIES] {
        question.goal(Goal::times(&ours, &ours.by(baseline)));
    }
    question.finish();
}

fn cell(work: &str, series: &str, drops: u64) -> Cell {
    Cell::new(work, series, "drops", drops)
}

async fn measure(question: &mut Question, count: u64, series: &[&str]) {
    let mut running = Vec::new();
    for series in series.iter().copied() {
        let [spread, one] = [SPREAD, ONE].map(|work| cell(work, series, count));
        let is_ours = Kind::ALL.iter().any(|kind| kind.name() == series);
        let all_at_one = question.wants(&one) && is_ours;
        // What the baselines have to say is said by then.
        let is_over = !question.long && !is_ours && count > BASELINES;
        if is_over || !question.wants(&spread) && !all_at_one {
            continue;
        }
        let Some(contender) = contender(series).await else { continue };
        let contender: Arc<dyn Contender> = Arc::from(contender);
        let asks = (0..count).collect();
        let seller = contender.clone();
        let mut drops = load(16, asks, move |_: u64| {
            let seller = seller.clone();
            async move { seller.open(STOCK).await }
        })
        .await
        .answers;
        if question.wants(&spread) {
            let runner = Runner::ready(spread, contender.clone(), CALLERS, &drops).await;
            running.push((runner, drops.clone()));
        }
        if all_at_one {
            drops.truncate(1);
            let runner = Runner::ready(one, contender, CALLERS, &drops).await;
            running.push((runner, drops));
        }
    }
    for _ in 0..question.rounds(3, 9) {
        for (runner, drops) in &running {
            let round = runner.round(drops).await;
            question.record(&runner.cell, "/s", round);
        }
    }
    for (runner, drops) in &running {
        // Dealt in turn: the first stands for all, and the last one where a round comes so far.
        let last = drops.last().filter(|_| runner.reserves() >= drops.len());
        for drop_id in [drops.first(), last].into_iter().flatten() {
            assert!(runner.contender().held(*drop_id).await > 0, "{}", runner.cell.series);
        }
    }
}
