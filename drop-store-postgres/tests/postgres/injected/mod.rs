//! Errors of the server, injected on the wire at 1, 10 and 50 percent of the steps: bounded
//! retries, the right status, no half state.

mod caller;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use drop_core::conformance::history::{Recorder, violations};
use drop_core::conformance::{Dice, Report, is_long};
use drop_core::model::{DropId, Revision};
use drop_core::rules::Command;
use drop_core::{DropService, Store};
use drop_store_postgres::PostgresStore;
use drop_store_postgres::testing::{Database, SqlProxy, StepKind, Verdict};
use futures::future::join_all;

use self::caller::{Caller, Fault};
use crate::kit::{assert_sound, batch, database, drop_of, reserve};
use crate::network::{nothing_is_open, pool_is_full, within};

const SEED: &str = "DROP_SEED";
const POOL: u32 = 3;
const CALLERS: u64 = 6;
const DROPS: u64 = 2;
/// What becomes of an error before COMMIT was sent, and how often a transaction that always
/// meets it is begun.
const ERRORS: [(&str, Fault, usize); 6] = [
    ("40001", Fault::Contended, 5),
    ("40P01", Fault::Contended, 5),
    ("55P03", Fault::Unavailable, 1),
    ("57P01", Fault::Unavailable, 4), // the pool's connections may all have died, and one more
    ("53300", Fault::Unavailable, 1),
    ("53100", Fault::Unavailable, 1),
];

async fn through(database: &Database) -> (SqlProxy, PostgresStore) {
    let proxy = SqlProxy::before(&database.options()).await.unwrap();
    let builder = PostgresStore::builder_with(proxy.options()).pool_size(POOL);
    let builder = builder.acquire_timeout(Duration::from_secs(20));
    let builder = builder.lock_timeout(Duration::from_secs(20));
    let store = builder.answer_timeout(Duration::from_secs(30)).connect_unmigrated();
    let store = store.await.unwrap();
    (proxy, store)
}

/// What one run did.
#[derive(Default)]
struct Figures {
    calls: usize,
    injected: usize,
    faults: usize,
    unknown: usize,
    begun: usize,
}

/// The seed of this run; the same for all tests of a process.
fn seed() -> u64 {
    let given = std::env::var(SEED).ok().map(|seed| seed.parse().expect("a number"));
    given.unwrap_or_else(|| fastrand::u64(..))
}

/// A crowd on a service whose server answers so many percent of the steps with an error.
async fn crowd(sqlstate: &'static str, percent: u64, seed: u64) -> Figures {
    let (_, expected, bound) = *ERRORS.iter().find(|(known, ..)| *known == sqlstate).unwrap();
    let database = database().await;
    let outside = database.connect().await.unwrap();
    let mut drops = Vec::new();
    for _ in 0..DROPS {
        drops.push(drop_of(&outside, 10).await);
    }
    let (proxy, store) = through(&database).await;
    let (service, _workers) = DropService::builder(store.clone()).build();
    proxy.take_steps();
    let injected = Arc::new(Mutex::new(0));
    let mut dice = Dice::new(seed);
    // However rare the errors are, one of the first steps meets one.
    let mut before_first = dice.below(20);
    proxy.set_judge({
        let injected = injected.clone();
        move |step| {
            // Too many connections is told to who connects; for that, connections have to end.
            let (concerned, verdict) = match (sqlstate, step.kind) {
                ("53300", StepKind::Startup) => (true, Verdict::Refuse(sqlstate)),
                ("53300", StepKind::Ping) => (true, Verdict::CutBefore),
                ("53300", _) => (false, Verdict::Pass),
                _ => (step.is_work() && !step.is_of_connection(), Verdict::Refuse(sqlstate)),
            };
            if !concerned || step.sql.contains("pg_notify") {
                return Verdict::Pass;
            }
            let first = before_first == 0;
            before_first = before_first.checked_sub(1).unwrap_or(u64::MAX);
            if !first && dice.below(100) >= percent {
                return Verdict::Pass;
            }
            *injected.lock().unwrap() += 1;
            verdict
        }
    });
    let recorder = Recorder::new();
    let mut callers = Vec::new();
    for number in 0..CALLERS {
        let drop_id = drops[usize::try_from(number % DROPS).unwrap()];
        let dice = Dice::new(seed ^ (number + 1));
        let (service, recorder) = (service.clone(), recorder.clone());
        let rounds = rounds(percent);
        callers.push(Caller { service, recorder, expected, dice }.run(drop_id, rounds));
    }
    let mut figures = Figures::default();
    for (faults, unknown) in join_all(callers).await {
        figures.faults += faults;
        figures.unknown += unknown;
    }
    let begun = proxy.take_steps().iter().filter(|step| step.is_begin()).count();
    proxy.pass();
    figures.calls = recorder.calls().len();
    figures.injected = *injected.lock().unwrap();
    figures.begun = begun;
    assert!(begun <= figures.calls * bound, "{begun} transactions for {} calls", figures.calls);
    for drop_id in &drops {
        assert_sound(&outside, *drop_id).await;
        no_violation(&recorder, &outside, *drop_id).await;
    }
    pool_is_full(&proxy, &store, POOL, &outside).await;
    within(nothing_is_open(&database), "a transaction stayed open").await;
    figures
}

/// What was told can be true of what is there.
async fn no_violation(recorder: &Recorder, store: &PostgresStore, drop_id: DropId) {
    let calls = recorder.calls().into_iter().filter(|call| call.ask.drop_id() == drop_id);
    let calls: Vec<_> = calls.collect();
    let feed = store.changes(drop_id, Revision::ZERO, 1_000_000).await.unwrap();
    let found = violations(&calls, &feed, Duration::ZERO);
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, Vec::<String>::new());
}

/// How often each caller reserves: the rarer the errors, the oftener.
fn rounds(percent: u64) -> usize {
    let share = match percent {
        1 => 40,
        10 => 15,
        _ => 6,
    };
    if is_long() { 10 * share } else { share }
}

async fn at(percent: u64) {
    let seed = seed();
    let command = format!(
        "{SEED}={seed} cargo test -p drop-store-postgres --test postgres -- \
         injected::errors_at_{percent}_percent"
    );
    println!("again: {command}");
    let name = format!("at {percent} percent of the steps");
    let report = Report::begin("injected errors", &name, &command).seeds(&seed);
    let mut sum = 0;
    let mut table = String::from(
        "| SQLSTATE | calls | injected | told of | of them unknown | transactions |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for (sqlstate, ..) in ERRORS {
        let Figures { calls, injected, faults, unknown, begun } =
            crowd(sqlstate, percent, seed).await;
        sum += injected;
        let row = format!("| {sqlstate} | {calls} | {injected} | {faults} | {unknown} | {begun} |");
        println!("{row}");
        table.push_str(&row);
        table.push('\n');
    }
    assert!(sum > 0, "nothing was injected");
    report.figure("errors injected", &sum).table(table).save();
}

#[tokio::test]
async fn errors_at_1_percent() {
    at(1).await;
}

#[tokio::test]
async fn errors_at_10_percent() {
    at(10).await;
}

#[tokio::test]
async fn errors_at_50_percent() {
    at(50).await;
}

/// An error that never ends is met a bounded number of times, and told as what it is.
#[tokio::test]
async fn an_error_that_never_ends_is_met_so_often_and_no_more() {
    let database = database().await;
    let outside = database.connect().await.unwrap();
    let drop_id = drop_of(&outside, 5).await;
    for (sqlstate, expected, bound) in ERRORS {
        if sqlstate == "53300" {
            continue; // at the startup only, see the next
        }
        let (proxy, store) = through(&database).await;
        proxy.set_judge(move |step| match step.is_begin() {
            true => Verdict::Refuse(sqlstate),
            false => Verdict::Pass,
        });
        let asked = batch(drop_id, vec![reserve("ann")]);
        let fault = Fault::of(&store.apply(&asked).await.unwrap_err());
        let begun = proxy.take_steps().iter().filter(|step| step.is_begin()).count();
        assert_eq!((fault, begun), (expected, bound), "{sqlstate}");
    }
    assert_eq!(crate::kit::counts(&outside, drop_id).await, (5, 0, 0));
}

/// Out of connections: who waits for one is told within the pool's patience, and goes on when
/// there is room again.
#[tokio::test]
async fn postgres_out_of_connections_is_unavailable_and_passes() {
    let database = database().await;
    let proxy = SqlProxy::before(&database.options()).await.unwrap();
    let builder = PostgresStore::builder_with(proxy.options()).pool_size(POOL);
    let builder = builder.acquire_timeout(Duration::from_millis(200));
    let store = builder.connect_unmigrated().await.unwrap();
    let outside = database.connect().await.unwrap();
    let drop_id = drop_of(&outside, 5).await;
    proxy.set_judge(|step| match step.kind {
        StepKind::Startup => Verdict::Refuse("53300"),
        _ => Verdict::CutBefore,
    });
    let asked = batch(drop_id, vec![reserve("ann")]);
    let fault = Fault::of(&store.apply(&asked).await.unwrap_err());
    assert_eq!(fault, Fault::Unavailable);
    assert_eq!(crate::kit::counts(&outside, drop_id).await, (5, 0, 0));
    proxy.pass();
    store.apply(&asked).await.unwrap();
    assert_eq!(crate::kit::counts(&outside, drop_id).await, (5, 1, 0));
}

/// A conflict at COMMIT is a clean end of the transaction, and it runs again; of a session that
/// ends there nobody knows, whether before or after the server has committed.
#[tokio::test]
async fn an_error_at_commit_is_a_conflict_or_unknown() {
    let database = database().await;
    let outside = database.connect().await.unwrap();
    let cases = [
        (Verdict::Refuse("40001"), None, 2),
        (Verdict::Refuse("40P01"), None, 2),
        (Verdict::Refuse("53100"), Some(Fault::Unknown), 1),
        (Verdict::Refuse("57P01"), Some(Fault::Unknown), 1),
        (Verdict::RefuseAfter("57P01"), Some(Fault::Unknown), 1),
    ];
    for (verdict, expected, commits) in cases {
        let drop_id = drop_of(&outside, 5).await;
        let (proxy, store) = through(&database).await;
        let mut once = Some(verdict);
        proxy.set_judge(move |step| match step.is_commit() {
            true => once.take().unwrap_or_default(),
            false => Verdict::Pass,
        });
        let asked = batch(drop_id, vec![reserve("ann"), Command::Expire]);
        let fault = store.apply(&asked).await.err().map(|error| Fault::of(&error));
        let sent = proxy.take_steps().iter().filter(|step| step.is_commit()).count();
        assert_eq!((fault, sent), (expected, commits), "{verdict:?}");
        let done = expected.is_none() || matches!(verdict, Verdict::RefuseAfter(_));
        assert_eq!(crate::kit::counts(&outside, drop_id).await, (5, u32::from(done), 0));
        store.apply(&asked).await.unwrap();
        assert_eq!(crate::kit::counts(&outside, drop_id).await, (5, 1, 0));
        pool_is_full(&proxy, &store, POOL, &outside).await;
    }
    within(nothing_is_open(&database), "a transaction stayed open").await;
}
