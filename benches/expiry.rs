//! What holds cost that all lapse at once, and what live ones cost that do not.
//!
//! `cargo bench -p drop-benches --bench expiry`

use std::process::Stdio;
use std::time::Duration;

use drop_benches::report::{Cell, Goal, Question, Round, float};
use drop_benches::shops::{Contender, Ours, Shop};
use drop_benches::{Kind, Lapse, STOCK, Usage};
use tokio::process::Command;

const HOLDS: [u64; 3] = [1_000, 10_000, 100_000];
/// The goal's.
const MANY: u64 = 100_000;
const LIVE: u64 = 1_000_000;
/// Who reserve while holds are settled.
const BUYERS: usize = 16;
const CALLERS: usize = 256;
/// How long nothing is asked.
const IDLE: Duration = Duration::from_secs(5);
/// The word by which this program asks itself, in a process of its own, so that what is
/// measured of a process is of nothing else.
const ALONE: &str = "--live-holds-of";

#[tokio::main]
async fn main() {
    let mut words = std::env::args().skip_while(|word| word != ALONE).skip(1);
    if let Some(name) = words.next() {
        return alone(&name).await;
    }
    let mut question = Question::new(
        "expiry",
        "What do holds cost that lapse in the same microsecond, and live ones that do not?",
    )
    .parameter("meanwhile", &format!("{BUYERS} callers reserve as fast as they are answered"))
    .parameter("idle", &format!("{IDLE:?} in which nobody asks for anything, workers running"));
    for holds in HOLDS {
        for _ in 0..question.rounds(3, 9) {
            for kind in Kind::ALL {
                lapse(&mut question, kind, holds).await;
            }
        }
    }
    for kind in Kind::ALL {
        live(&mut question, kind).await;
    }
    for kind in Kind::ALL {
        let settled = Cell::new("settled after, s", kind.name(), "holds", MANY);
        question.goal(Goal::figure(&settled).at_most(2.0));
        question.goal(Goal::longest(&settled).at_most(100.0));
        let live = Cell::new("memory of a live hold", kind.name(), "holds", LIVE);
        question.goal(Goal::figure(&live).at_most(250.0));
        let idle = Cell::new("processor while idle", kind.name(), "holds", LIVE);
        question.goal(Goal::figure(&idle).at_most(10.0));
    }
    question.finish();
}

async fn lapse(question: &mut Question, kind: Kind, holds: u64) {
    let settled = Cell::new("settled after, s", kind.name(), "holds", holds);
    let seen = Cell { work: "available after, ms".to_owned(), ..settled.clone() };
    if !question.wants(&settled) && !question.wants(&seen) {
        return;
    }
    let count = usize::try_from(holds).expect("few");
    let lapsed = Lapse::prepare(kind, CALLERS, count).await.settle(BUYERS).await;
    let took = Round::of(lapsed.took.as_secs_f64());
    question.record(&settled, "s", took.waited(lapsed.waits.iter().copied()));
    question.record(&seen, "ms", Round::of(lapsed.seen.as_secs_f64() * 1000.0));
}

/// A million live holds, in a process of their own.
async fn live(question: &mut Question, kind: Kind) {
    let memory = Cell::new("memory of a live hold", kind.name(), "holds", LIVE);
    let idle = Cell::new("processor while idle", kind.name(), "holds", LIVE);
    if !question.wants(&memory) && !question.wants(&idle) {
        return;
    }
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.args([ALONE, kind.name()]).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().await.expect("this program again");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let mut figures = text.split_whitespace().map(|word| word.parse().expect("a figure"));
    let mut figure = || Round::of(figures.next().expect("two figures"));
    question.record(&memory, "bytes", figure());
    question.record(&idle, "ms/s", figure());
}

/// Prints the bytes of a live hold, and how many milliseconds of a second they keep the
/// process busy.
async fn alone(name: &str) {
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name).expect("a store");
    let ours = Ours::begin(kind).await;
    let drop_id = Shop::open(&ours, STOCK).await;
    // What the first ones take is the process's, not theirs.
    take(&ours, drop_id, 10_000).await;
    let before = Usage::now();
    for _ in 0..100 {
        take(&ours, drop_id, usize::try_from(LIVE / 100).expect("few")).await;
    }
    let full = Usage::now();
    let bytes = float(full.resident.saturating_sub(before.resident)) / float(LIVE);
    // Whatever the last ones have set going comes to its end first.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let begun = Usage::now();
    tokio::time::sleep(IDLE).await;
    let busy = Usage::now().busy.saturating_sub(begun.busy);
    println!("{bytes} {}", busy.as_secs_f64() * 1000.0 / IDLE.as_secs_f64());
    ours.audit(drop_id).await;
}

async fn take(ours: &Ours, drop_id: i64, holds: usize) {
    let answered = ours.crowd(CALLERS, &[drop_id], holds).await;
    assert!(answered.answers.iter().all(Option::is_some), "stock for everybody");
}
