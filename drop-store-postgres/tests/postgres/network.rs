//! The network between store and server: cut before and after each protocol step, dripping,
//! a black hole, COMMIT's reply lost. Each operation is done exactly once, and the pool serves
//! its full size again.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use drop_core::conformance::{Report, is_long};
use drop_core::rules::Command;
use drop_core::{Store, StoreError};
use drop_store_postgres::PostgresStore;
use drop_store_postgres::testing::{Database, ManualTime, SqlProxy, Step, StepKind, Verdict};
use futures::stream::{self, StreamExt};
use tokio::task::JoinSet;

use crate::interleavings::acts::{Act, Answer, Cast};
use crate::interleavings::scene::Scenes;
use crate::kit::{batch, database, drop_of, start};

const POOL: u32 = 3;

const ACTS: [Act; 10] = [
    Act::Reserve,
    Act::Repeat,
    Act::Purchase,
    Act::PurchaseOfLapsed,
    Act::Release,
    Act::Expire,
    Act::Raise,
    Act::Forget,
    Act::Delete,
    Act::Create,
];

/// A step of an operation: its label, and the how manieth with that label it is.
type Place = (String, usize);

/// What the caller is to be told where the operation breaks at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Done,
    Unavailable,
    Unknown,
}

/// Patience that a test waits for where a black hole is, and never elsewhere.
fn patience(verdict: Verdict) -> Duration {
    match verdict {
        Verdict::BlackHoleBefore | Verdict::BlackHoleAfter => Duration::from_secs(3),
        _ => Duration::from_secs(60),
    }
}

/// A store on its way through a proxy of its own: nothing is prepared yet.
async fn through(time: &ManualTime, patience: Duration) -> (SqlProxy, PostgresStore) {
    let proxy = SqlProxy::before(&time.options()).await.unwrap();
    let builder = PostgresStore::builder_with(proxy.options()).pool_size(POOL);
    let builder = builder.acquire_timeout(3 * patience);
    let builder = builder.lock_timeout(Duration::from_secs(60)).answer_timeout(patience);
    let store = builder.idle_timeout(patience / 2).connect_unmigrated().await.unwrap();
    proxy.take_steps();
    (proxy, store)
}

/// Whether a step belongs to an operation: pools open connections when they like, and hints
/// are told apart from it.
fn is_counted(step: &Step) -> bool {
    !step.is_of_connection() && !step.sql.contains("pg_notify")
}

fn place(step: &Step, seen: &mut Vec<String>) -> Place {
    let label = step.label();
    seen.push(label.clone());
    let count = seen.iter().filter(|seen| **seen == label).count();
    (label, count)
}

/// What is told where the step breaks with this verdict.
fn told(step: &Step, verdict: Verdict) -> Told {
    let cut = matches!(verdict, Verdict::CutBefore | Verdict::CutAfter);
    match verdict {
        Verdict::Drip => Told::Done,
        _ if step.is_commit() => Told::Unknown,
        // Behind the answer.
        _ if step.is_rollback() || step.kind == StepKind::Ping => Told::Done,
        // A connection that had died in the pool: another one is taken.
        _ if cut && step.is_begin() => Told::Done,
        _ => Told::Unavailable,
    }
}

struct World {
    _database: Database,
    time: ManualTime,
    scenes: Scenes,
}

impl World {
    async fn new(portion: usize) -> Self {
        let database = database().await;
        let time = database.with_manual_time(start()).await.unwrap();
        let scenes = Scenes::new(time.clone(), portion).await;
        Self { _database: database, time, scenes }
    }

    /// The steps of an act, in the order of their coming, where nothing breaks.
    async fn steps(&mut self, act: Act) -> Vec<(Place, Step)> {
        let cast = self.scenes.next().await;
        let (proxy, store) = through(&self.time, patience(Verdict::Pass)).await;
        act.perform(store, cast).await.unwrap();
        proxy.quiet().await;
        let mut seen = Vec::new();
        let steps = proxy.take_steps().into_iter().filter(is_counted);
        steps.map(|step| (place(&step, &mut seen), step)).collect()
    }

    /// Breaks an act at a place, sees what is told and what is done, and repeats it.
    async fn break_at(&self, case: &Case) {
        let Case { act, at, step, verdict, cast } = case;
        let (proxy, store) = through(&self.time, patience(*verdict)).await;
        let (mut seen, wanted, verdict) = (Vec::new(), at.clone(), *verdict);
        let (hit, mut was_hit) = tokio::sync::watch::channel(false);
        proxy.set_judge(move |step| {
            let here = is_counted(step) && place(step, &mut seen) == wanted;
            if here && !*hit.borrow() {
                hit.send_replace(true);
                return verdict;
            }
            Verdict::Pass
        });
        let answer = act.perform(store.clone(), *cast).await;
        // A ping travels behind the answer.
        within(was_hit.wait_for(|hit| *hit), "the step was not met").await.unwrap();
        let found = match &answer {
            Ok(_) => Told::Done,
            Err(StoreError::Unavailable(_)) => Told::Unavailable,
            Err(StoreError::Unknown(_)) => Told::Unknown,
            Err(error) => panic!("{error:?}"),
        };
        assert_eq!(found, told(step, verdict), "{answer:?}");
        let after = matches!(verdict, Verdict::CutAfter | Verdict::BlackHoleAfter);
        let done = found == Told::Done || (found == Told::Unknown && after);
        // What the server does not know to be over is over for it within its patience.
        let past = within(self.scenes.is_after(done.then_some(*act), cast), "locked for ever");
        assert!(past.await, "not what was told: {answer:?}");
        proxy.pass();
        let repeated = within(repeat(*act, &store, *cast), "no retry came through").await;
        assert!(self.scenes.is_after(Some(*act), cast).await, "{repeated:?} is not once");
        pool_is_full(&proxy, &store, POOL, self.scenes.store()).await;
    }
}

/// As many transactions at once as the pool has connections: soon, and then all succeed.
pub(crate) async fn pool_is_full(
    proxy: &SqlProxy,
    store: &PostgresStore,
    size: u32,
    outside: &PostgresStore,
) {
    let mut gate = proxy.gate();
    let mut drops = Vec::new();
    for _ in 0..size {
        drops.push(drop_of(outside, 1).await);
    }
    for _ in 0..5 {
        proxy.set_judge(|step| if step.is_begin() { Verdict::Hold } else { Verdict::Pass });
        let mut asks = JoinSet::new();
        for drop_id in drops.clone() {
            let (store, batch) = (store.clone(), batch(drop_id, vec![Command::Expire]));
            asks.spawn(async move { store.apply(&batch).await });
        }
        let mut held = Vec::new();
        let mut early = 0;
        while held.len() + early < drops.len() {
            tokio::select! {
                begins = gate.next() => held.push(begins.unwrap()),
                // It waited longer for its connection than the store is patient.
                Some(_) = asks.join_next() => early += 1,
            }
        }
        let used: BTreeSet<u64> = held.iter().map(|held| held.step().connection).collect();
        proxy.pass();
        drop(held);
        let answers = within(asks.join_all(), "a connection is no good").await;
        if early == 0 && used.len() == drops.len() && answers.iter().all(Result::is_ok) {
            return;
        }
    }
    panic!("the pool is not full again");
}

/// Repeats an act as a caller does, until it is done.
async fn repeat(act: Act, store: &PostgresStore, cast: Cast) -> Answer {
    loop {
        match act.perform(store.clone(), cast).await {
            Ok(answer) => return answer,
            Err(error) => assert!(error.is_retryable(), "{error:?}"),
        }
    }
}

pub(crate) async fn within<F: Future>(future: F, otherwise: &str) -> F::Output {
    let waited = tokio::time::timeout(Duration::from_secs(30), future).await;
    waited.unwrap_or_else(|_| panic!("{otherwise}"))
}

#[derive(Debug)]
struct Case {
    act: Act,
    at: Place,
    step: Step,
    verdict: Verdict,
    cast: Cast,
}

/// Breaks every act at each of its steps in each of these ways.
async fn break_everywhere(name: &str, acts: &[Act], verdicts: &[Verdict], at_once: usize) {
    let command = format!(
        "cargo test -p drop-store-postgres --test postgres -- network::{}",
        name.replace(' ', "_")
    );
    let report = Report::begin("network, database side", name, &command);
    let mut world = World::new(acts.len()).await;
    let mut places = Vec::new();
    for act in acts.iter().copied() {
        let steps = world.steps(act).await;
        assert!(steps.len() >= 3, "{act:?}: {steps:?}");
        places.extend(steps.into_iter().map(|(at, step)| (act, at, step)));
    }
    // On a database of their own, whose time stands still for all of them.
    let mut world = World::new(places.len() * verdicts.len()).await;
    let mut cases = Vec::new();
    for (act, at, step) in &places {
        for verdict in verdicts {
            let cast = world.scenes.next().await;
            cases.push(Case {
                act: *act,
                at: at.clone(),
                step: step.clone(),
                verdict: *verdict,
                cast,
            });
        }
    }
    let (world, command) = (&world, &command);
    // Drops are numbered one after the other: where a creation hangs, every other one waits.
    let (creations, others): (Vec<_>, Vec<_>) =
        cases.iter().partition(|case| case.act == Act::Create);
    for (cases, at_once) in [(others, at_once), (creations, 1)] {
        stream::iter(cases)
            .for_each_concurrent(at_once, |case| async move {
                let checked = std::panic::AssertUnwindSafe(world.break_at(case));
                if let Err(panic) = futures::FutureExt::catch_unwind(checked).await {
                    let Case { act, verdict, at, .. } = case;
                    eprintln!("{act:?}: {verdict:?} at {at:?}\nagain: {command}");
                    std::panic::resume_unwind(panic);
                }
            })
            .await;
    }
    within(nothing_is_open(&world._database), "a transaction stayed open").await;
    println!("{name}: {} cases at {} steps", cases.len(), places.len());
    let lost = cases.iter().filter(|case| case.step.is_commit()).count();
    report
        .figure("operations", &acts.len())
        .figure("protocol steps", &places.len())
        .figure("breaks", &cases.len())
        .figure("of them at COMMIT", &lost)
        .figure("connections of the pool, all there again", &POOL)
        .save();
}

/// Returns once no session of the database has a transaction open.
pub(crate) async fn nothing_is_open(database: &Database) {
    let mut outside = database.connection().await.unwrap();
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                AND pid <> pg_backend_pid() AND (state LIKE 'idle in transaction%' \
                OR state = 'active')";
    while sqlx::query_scalar::<_, i64>(open).fetch_one(&mut outside).await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn cut_before_and_after_each_protocol_step() {
    let cuts = [Verdict::CutBefore, Verdict::CutAfter];
    break_everywhere("cut before and after each protocol step", &ACTS, &cuts, 4).await;
}

#[tokio::test]
async fn drip() {
    break_everywhere("drip", &ACTS, &[Verdict::Drip], 4).await;
}

#[tokio::test]
async fn a_black_hole_before_and_after_each_protocol_step() {
    let holes = [Verdict::BlackHoleBefore, Verdict::BlackHoleAfter];
    // Each costs the store's patience; the share of every run are three operations.
    let acts = if is_long() { &ACTS } else { &ACTS[..3] };
    break_everywhere("a black hole before and after each protocol step", acts, &holes, 24).await;
}
