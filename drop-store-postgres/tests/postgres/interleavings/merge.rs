//! One merge: two instances, each behind its gate, and the order in which their steps pass.

use std::time::Duration;

use drop_core::StoreError;
use drop_store_postgres::PostgresStore;
use drop_store_postgres::testing::{Gate, Held, ManualTime, SqlProxy, Verdict};
use sqlx::PgConnection;
use tokio::task::JoinHandle;

use super::acts::{Act, Answer, Cast};

/// An instance that reaches the server step by step.
pub(crate) struct Player {
    store: PostgresStore,
    proxy: SqlProxy,
    gate: Gate,
    backend: i32,
}

/// How a merge goes, readable also where it breaks off.
#[derive(Default)]
pub(crate) struct Course {
    /// Where both could go on: who did.
    pub(crate) choices: Vec<usize>,
    /// Each step, with whose it is.
    pub(crate) steps: Vec<String>,
}

/// How a merge went.
pub(crate) struct Merge {
    pub(crate) answers: [Answer; 2],
    /// How often one waited for the other's lock.
    pub(crate) waits: usize,
    /// Who has begun, or got the drop's lock, only once the time had gone on to [`Cast::later`].
    pub(crate) late: [bool; 2],
}

/// Where a player stands between two steps.
enum State {
    /// Its next step waits at the gate.
    Ready(Held),
    /// Its step waits for a lock that the other holds.
    Blocked,
    Done,
}

type Task = JoinHandle<Result<Answer, StoreError>>;

impl Player {
    /// One connection, and so one session; nothing times out while the other plays.
    pub(crate) async fn new(time: &ManualTime) -> Self {
        const PATIENCE: Duration = Duration::from_secs(60);
        let proxy = SqlProxy::before(&time.options()).await.unwrap();
        let builder = PostgresStore::builder_with(proxy.options()).pool_size(1);
        let builder = builder.acquire_timeout(PATIENCE).lock_timeout(PATIENCE);
        let builder = builder.answer_timeout(PATIENCE).idle_timeout(PATIENCE);
        let store = builder.connect_unmigrated().await.unwrap();
        let gate = proxy.gate();
        Self { store, proxy, gate, backend: 0 }
    }

    /// Holds its every step.
    pub(crate) fn hold(&self) {
        self.proxy.set_judge(|step| {
            // Preparing changes nothing, and hints are no part of an operation.
            let passes = !step.is_work() || step.sql.contains("pg_notify");
            if passes { Verdict::Pass } else { Verdict::Hold }
        });
    }

    /// Lets its every step pass.
    pub(crate) fn pass(&self) {
        self.proxy.pass();
    }

    pub(crate) const fn store(&self) -> &PostgresStore {
        &self.store
    }

    /// Returns once it has nothing under way: a ROLLBACK comes after its answer.
    pub(crate) async fn quiet(&self) {
        self.proxy.quiet().await;
    }

    /// SQLSTATEs that the server has answered.
    pub(crate) fn errors(&self) -> Vec<String> {
        self.proxy.take_errors()
    }

    /// Waits until its step has come to something.
    async fn settle(
        &mut self,
        task: &mut Task,
        answer: &mut Option<Answer>,
        other: i32,
        watch: &mut PgConnection,
    ) -> State {
        loop {
            tokio::select! {
                biased;
                held = self.gate.next() => {
                    let held = held.unwrap();
                    self.backend = held.step().backend.unwrap();
                    return State::Ready(held);
                }
                answered = &mut *task, if answer.is_none() => {
                    let answered = answered.unwrap();
                    let fault = "neither waits longer than it may nor is anything broken";
                    *answer = Some(answered.unwrap_or_else(|error| panic!("{error:?}: {fault}")));
                }
                // A rollback that is still to come keeps the transaction open.
                () = self.proxy.quiet(), if answer.is_some() => return State::Done,
                () = tokio::time::sleep(Duration::from_millis(1)) => {
                    if is_blocked(watch, self.backend, other).await {
                        return State::Blocked;
                    }
                }
            }
        }
    }
}

/// Whether one session waits for the other. The other stands still meanwhile, so what is so
/// stays so.
async fn is_blocked(watch: &mut PgConnection, backend: i32, by: i32) -> bool {
    let waits = sqlx::query_scalar::<_, bool>("SELECT pg_blocking_pids($1) @> ARRAY[$2]");
    waits.bind(backend).bind(by).fetch_one(watch).await.unwrap()
}

/// Plays two acts: wherever both can go on, `script` says who does, and the first where it has
/// come to its end.
pub(crate) async fn play(
    players: &mut [Player; 2],
    acts: [Act; 2],
    cast: Cast,
    (watch, time): (&mut PgConnection, &ManualTime),
    script: &[usize],
    course: &mut Course,
) -> Merge {
    let [first, second] = players;
    let mut tasks = [
        tokio::spawn(acts[0].perform(first.store.clone(), cast)),
        tokio::spawn(acts[1].perform(second.store.clone(), cast)),
    ];
    let mut answers = [None, None];
    let mut states = [State::Done, State::Done];
    for who in [0, 1] {
        states[who] = players[who].settle(&mut tasks[who], &mut answers[who], 0, watch).await;
    }
    let Course { choices, steps } = course;
    let (mut waits, mut passed, mut late) = (0, false, [false; 2]);
    loop {
        let ready: Vec<usize> =
            (0..2).filter(|who| matches!(states[*who], State::Ready(_))).collect();
        let who = match ready.as_slice() {
            [] if states.iter().all(|state| matches!(state, State::Done)) => break,
            [] => panic!("both wait for each other after {steps:#?}"),
            [only] => *only,
            both => {
                let chosen = script.get(choices.len()).copied().unwrap_or_default();
                choices.push(chosen);
                both[chosen]
            }
        };
        let other = 1 - who;
        let State::Ready(held) = std::mem::replace(&mut states[who], State::Done) else {
            unreachable!()
        };
        // What the drop beside waits for moves no time on.
        let beside = format!("drop_lock ({})", cast.beside);
        let opens = held.step().is_begin() && !held.step().sql.contains(&beside);
        steps.push(format!("{}: {}", ["A", "B"][who], held.step().label()));
        held.release();
        let rival = players[other].backend;
        states[who] = players[who].settle(&mut tasks[who], &mut answers[who], rival, watch).await;
        let waited = matches!(states[who], State::Blocked);
        waits += usize::from(waited);
        if waited && opens {
            // What it reads of the time is to be read behind the lock.
            time.set_time(cast.later()).await.unwrap();
            passed = true;
        }
        if opens {
            // Whoever has to begin again does so at the time that it is by then.
            late[who] = passed;
        }
        if matches!(states[other], State::Blocked) {
            let rival = players[who].backend;
            states[other] =
                players[other].settle(&mut tasks[other], &mut answers[other], rival, watch).await;
        }
    }
    let answers = answers.map(|answer| answer.unwrap());
    if passed {
        time.set_time(cast.at).await.unwrap();
    }
    Merge { answers, waits, late }
}
