//! How many reserves a second one hot drop takes, and what a caller waits; and how its holds end.
//!
//! `cargo bench -p drop-benches --bench hot_drop`; one cell alone, measured as often as in the
//! long run: `-- reserve postgres 256`.

use drop_benches::checkout::{purchases, releases};
use drop_benches::report::{Cell, Goal, Question};
use drop_benches::shops::{
    ArraysOnly, BareFlush, CounterStatement, LockCountInsert, Ours, RedisScript, SERIES, Tables,
    contender,
};
use drop_benches::{Kind, Lapse, Runner};

const CALLERS: [u64; 6] = [1, 16, 64, 256, 1024, 4096];
/// Where the goals are.
const MANY: u64 = 256;

#[tokio::main]
async fn main() {
    let mut question = Question::new(
        "hot_drop",
        "How many callers a second does one drop serve, and what does each of them wait?",
    )
    .parameter("customers", &"a new one for each reserve")
    .parameter("drop", &"a new one for each round")
    .parameter("PostgreSQL", &"fsync on, one server, a database for each contender")
    .parameter("connections", &format!("at most {} a contender", Tables::CONNECTIONS));
    for callers in CALLERS {
        measure(&mut question, callers).await;
    }
    goals(&mut question);
    question.finish();
}

fn cell(work: &str, series: &str, callers: u64) -> Cell {
    Cell::new(work, series, "callers", callers)
}

/// All contenders at one number of callers, turn by turn.
async fn measure(question: &mut Question, callers: u64) {
    let count = usize::try_from(callers).expect("few");
    let mut runners = Vec::new();
    let alone = (callers == 1).then_some(BareFlush::SERIES);
    for series in SERIES.into_iter().chain(alone) {
        let cell = cell("reserve", series, callers);
        // Thousands of callers who wait for one row take ten seconds a round.
        let slow = [LockCountInsert::SERIES, CounterStatement::SERIES].contains(&series);
        if question.wants(&cell)
            && (question.long || !slow || callers <= 1024)
            && let Some(contender) = contender(series).await
        {
            runners.push(Runner::hot(cell, contender, count).await);
        }
    }
    let mut endings = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|_| callers == MANY) {
        endings.push(Endings::begin(kind).await);
    }
    for _ in 0..question.rounds(3, 9) {
        for runner in &runners {
            let round = runner.hot_round().await;
            question.record(&runner.cell, "/s", round);
        }
        for ending in &endings {
            ending.round(question).await;
        }
        if callers == MANY {
            baseline_purchases(question).await;
        }
    }
}

/// How the holds of one of our stores end.
struct Endings {
    kind: Kind,
    ours: Ours,
    holds: usize,
}

impl Endings {
    const WORKS: [&str; 3] = ["purchase", "release", "expiry"];

    async fn begin(kind: Kind) -> Self {
        let holds = match kind {
            Kind::Memory => 300_000,
            Kind::File => 100_000,
            Kind::Postgres => 20_000,
        };
        Self { kind, ours: Ours::begin(kind).await, holds }
    }

    async fn round(&self, question: &mut Question) {
        let callers = usize::try_from(MANY).expect("few");
        for work in Self::WORKS {
            let cell = cell(work, self.kind.name(), MANY);
            if !question.wants(&cell) {
                continue;
            }
            let round = match work {
                "purchase" => purchases(&self.ours, callers, self.holds).await,
                "release" => releases(&self.ours, callers, self.holds).await,
                _ => {
                    let lapse = Lapse::prepare(self.kind, callers, self.holds).await;
                    lapse.settle(0).await.rate(self.holds)
                }
            };
            question.record(&cell, "/s", round);
        }
    }
}

/// What the baselines need to sell what they hold.
async fn baseline_purchases(question: &mut Question) {
    const HOLDS: usize = 1_000;
    let callers = usize::try_from(MANY).expect("few");
    let seed = cell("purchase", LockCountInsert::SERIES, MANY);
    if question.wants(&seed) {
        let round = purchases(&LockCountInsert::begin().await, callers, HOLDS).await;
        question.record(&seed, "/s", round);
    }
    let counter = seed.by(CounterStatement::SERIES);
    if question.wants(&counter) {
        let round = purchases(&CounterStatement::begin().await, callers, HOLDS).await;
        question.record(&counter, "/s", round);
    }
}

fn goals(question: &mut Question) {
    let ours = cell("reserve", Kind::Postgres.name(), MANY);
    let over = |series: &str| Goal::times(&ours, &ours.by(series));
    question.goal(Goal::figure(&ours).at_least(35_000.0));
    question.goal(Goal::p99(&ours).at_most(12.0));
    question.goal(over(LockCountInsert::SERIES).at_least(50.0));
    question.goal(over(ArraysOnly::SERIES).at_least(0.8));
    question.goal(over(ArraysOnly::UNBOUND));
    question.goal(over(CounterStatement::SERIES));
    question.goal(over(RedisScript::SERIES));
    question.goal(Goal::figure(&ours.at(1024)).at_least(45_000.0));
    question.goal(Goal::p50(&ours.at(1)).at_most(0.6));
    for work in Endings::WORKS {
        let ending = cell(work, Kind::Postgres.name(), MANY);
        question.goal(Goal::times(&ending, &ours).at_least(1.0));
    }
    let file = ours.by(Kind::File.name());
    question.goal(Goal::figure(&file).at_least(250_000.0));
    question.goal(Goal::p99(&file).at_most(3.0));
    // At most two flushes.
    question.goal(Goal::times(&file.at(1), &file.at(1).by(BareFlush::SERIES)).at_least(0.5));
    question.goal(Goal::figure(&ours.by(Kind::Memory.name())).at_least(1_000_000.0));
}
