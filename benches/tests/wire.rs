//! What a batch costs on PostgreSQL whatever the machine: messages, bytes of its log, and flushes
//! of it, each held against its bound in `benches/counts.json`.

use std::time::Duration;

use drop_core::Store;
use drop_core::model::{
    DropId, DropTerms, HoldPolicy, NewDrop, ReservationId, Timestamp, Units, Username,
};
use drop_core::rules::{Batch, Command, Effect, Outcome};
use drop_counted::Measured;
use drop_store_postgres::PostgresStore;
use drop_store_postgres::testing::{Cluster, ManualTime, SqlProxy, Step, StepKind, Verdict};
use sqlx::PgConnection;

/// A lone command, and a full batch.
const SIZES: [u32; 2] = [1, 256];

/// Batches that are counted, and before them those in which a connection prepares statements.
const BATCHES: u32 = 4;
const WARM: u32 = 2;
/// Runs of each work, of which the median counts where the server may interfere.
const RUNS: usize = 3;

const HOLD: Duration = Duration::from_secs(60);

/// What a batch asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// Units for shoppers whom nobody knows yet.
    Reserve,
    /// Units for shoppers whom the store knows.
    ReserveKnown,
    Repeat,
    Purchase,
    Release,
    /// One command that settles as many holds as the batch has commands otherwise.
    Expire,
    /// Units that are not there.
    Refuse,
}

impl Work {
    const ALL: [Self; 7] = [
        Self::Reserve,
        Self::ReserveKnown,
        Self::Repeat,
        Self::Purchase,
        Self::Release,
        Self::Expire,
        Self::Refuse,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::ReserveKnown => "reserve-known",
            Self::Repeat => "repeat",
            Self::Purchase => "purchase",
            Self::Release => "release",
            Self::Expire => "expire",
            Self::Refuse => "refuse",
        }
    }
}

/// Sums over a run.
#[derive(Clone, Debug, Default)]
struct Sums {
    /// Over the batches that are counted.
    messages: u32,
    wal_bytes: i64,
    /// Over everything, with what is prepared for each batch.
    flushes: i64,
    /// What the last batch sent.
    sent: Vec<String>,
}

struct Scene {
    time: ManualTime,
    store: PostgresStore,
    drop_id: DropId,
    size: u32,
    /// Shoppers who have come.
    came: u32,
}

impl Scene {
    fn names(&mut self) -> Vec<Username> {
        let from = self.came + 1;
        self.came += self.size;
        (from..=self.came).map(|n| format!("user_{n:06}").parse().expect("a name")).collect()
    }

    async fn apply(&self, drop_id: DropId, commands: Vec<Command>) -> Vec<Outcome> {
        let batch = Batch::new(drop_id, commands).expect("a batch");
        self.store.apply(&batch).await.expect("a commit").into_outcomes()
    }

    async fn hold(&self, drop_id: DropId, names: &[Username]) -> Vec<ReservationId> {
        let outcomes = self.apply(drop_id, names.iter().map(reserve).collect()).await;
        let holds = outcomes.into_iter().map(|outcome| match outcome {
            Outcome::Done(Effect::Reserved { reservation, .. }) => reservation.id(),
            other => panic!("{other:?}"),
        });
        holds.collect()
    }

    /// The next batch of this work, and everything that has to be there for it.
    async fn prepare(&mut self, work: Work) -> Vec<Command> {
        let names = self.names();
        match work {
            Work::Reserve => names.iter().map(reserve).collect(),
            // Both by shoppers whom the store knows; refused is who wants a unit that somebody holds.
            Work::ReserveKnown | Work::Refuse => {
                let elsewhere = create(&self.store, Units::MAX).await;
                self.hold(elsewhere, &names).await;
                names.iter().map(reserve).collect()
            }
            Work::Repeat => {
                self.hold(self.drop_id, &names).await;
                self.time.advance(Duration::from_secs(1)).await.expect("time");
                names.iter().map(reserve).collect()
            }
            Work::Purchase | Work::Release => {
                let holds = self.hold(self.drop_id, &names).await;
                let command = |(reservation, customer)| match work {
                    Work::Purchase => Command::Purchase { reservation, customer },
                    _ => Command::Release { reservation, customer: Some(customer) },
                };
                holds.into_iter().zip(names).map(command).collect()
            }
            Work::Expire => {
                self.hold(self.drop_id, &names).await;
                self.time.advance(HOLD).await.expect("time");
                vec![Command::Expire]
            }
        }
    }
}

fn reserve(customer: &Username) -> Command {
    Command::Reserve { customer: customer.clone(), variant: None, quantity: Units::ONE }
}

async fn create(store: &PostgresStore, total: Units) -> DropId {
    let hold = HoldPolicy::new(HOLD, 5 * HOLD).expect("a policy");
    let terms = DropTerms::new("Air One", "149.99", hold).expect("terms");
    let new = NewDrop::plain(terms, total).expect("a drop");
    store.create_drop(&new).await.expect("a drop").id
}

/// Prepares batches of a work on a database and connections of its own, and applies them if it
/// is not `idle`.
async fn run(cluster: &Cluster, work: Work, size: u32, idle: bool) -> Sums {
    let database = cluster.database().await.expect("a database");
    let time = database.with_manual_time(Timestamp::EPOCH).await.expect("time");
    let proxy = SqlProxy::before(&time.options()).await.expect("a proxy");
    // Hints are told apart from the batches, when it suits them: here never.
    proxy.set_judge(|step| match step.sql.contains("pg_notify") {
        true => Verdict::BlackHoleBefore,
        false => Verdict::Pass,
    });
    let mut outside = database.connection().await.expect("a connection");
    let flushed = flushes(&mut outside).await;
    let patience = Duration::from_secs(120);
    let builder = PostgresStore::builder_with(proxy.options()).pool_size(1);
    let builder = builder.acquire_timeout(patience).answer_timeout(patience);
    let store = builder.connect_unmigrated().await.expect("a store");
    let total = if work == Work::Refuse { Units::ONE } else { Units::MAX };
    let drop_id = create(&store, total).await;
    let mut scene = Scene { time, store, drop_id, size, came: 0 };
    if work == Work::Refuse {
        scene.apply(drop_id, vec![reserve(&"first".parse().expect("a name"))]).await;
    }
    let mut sums = Sums::default();
    for number in 0..WARM + BATCHES {
        let commands = scene.prepare(work).await;
        if idle {
            continue;
        }
        proxy.quiet().await;
        proxy.take_steps();
        let before = written(&mut outside).await;
        scene.apply(drop_id, commands).await;
        proxy.quiet().await;
        let wal_bytes = written(&mut outside).await - before;
        let steps = proxy.take_steps();
        // Behind the answer a pool looks whether its connection lives.
        let aside = [StepKind::Startup, StepKind::End, StepKind::Ping];
        let sent = steps.iter().filter(|step| !aside.contains(&step.kind));
        let sent = sent.filter(|step| !step.sql.contains("pg_notify"));
        sums.sent = sent.map(Step::label).collect();
        if number >= WARM {
            sums.messages += u32::try_from(sums.sent.len()).expect("few");
            sums.wal_bytes += wal_bytes;
        }
    }
    // A session tells what it has flushed when it ends.
    scene.store.close().await;
    drop((scene, proxy));
    let others = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    while number(&mut outside, others).await > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sums.flushes = flushes(&mut outside).await - flushed;
    sums
}

async fn number(connection: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(connection).await.expect("a number")
}

/// Bytes of log so far.
async fn written(connection: &mut PgConnection) -> i64 {
    let sql = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint";
    number(connection, sql).await
}

/// Flushes of the log that ended sessions have told of.
async fn flushes(connection: &mut PgConnection) -> i64 {
    number(connection, "SELECT wal_sync FROM pg_stat_wal").await
}

/// A server on which nothing writes to the log but who is counted. Whole pages, which the first
/// change of each after a checkpoint writes, are a cost of checkpoints and not of reserves.
async fn quiet_cluster() -> Cluster {
    let settings = [
        ("autovacuum", "off"),
        ("full_page_writes", "off"),
        ("max_wal_senders", "0"),
        ("wal_level", "minimal"),
        ("wal_writer_delay", "10s"),
    ];
    Cluster::private_in_memory(&settings).await.expect("PostgreSQL")
}

#[tokio::test]
async fn batches_on_postgres_stay_within_their_bounds() {
    let cluster = quiet_cluster().await;
    let mut measured = Measured::new();
    for work in Work::ALL {
        for size in SIZES {
            // The server flushes for itself too, when it likes: more or less than in an idle run.
            let mut flushed = Vec::new();
            for _ in 0..RUNS - 1 {
                flushed.push(flushes_of(&cluster, work, size).await.0);
            }
            let (last, sums) = flushes_of(&cluster, work, size).await;
            flushed.push(last);
            flushed.sort_by(f64::total_cmp);
            let name = |unit: &str| format!("postgres/{}/{size}/{unit}", work.name());
            let look = format!("the last batch sent: {}", sums.sent.join(" | "));
            measured.add(name("messages"), each(sums.messages.into(), BATCHES), look.clone());
            measured.add(name("wal-bytes"), each(sums.wal_bytes, BATCHES * size), look.clone());
            measured.add(name("flushes"), flushed[RUNS / 2], look);
        }
    }
    measured.hold("cargo test --workspace --all-features --test wire");
}

/// Flushes a batch, over those of a run that only prepares its batches; and everything counted.
async fn flushes_of(cluster: &Cluster, work: Work, size: u32) -> (f64, Sums) {
    let idle = run(cluster, work, size, true).await;
    let sums = run(cluster, work, size, false).await;
    (each(sums.flushes - idle.flushes, WARM + BATCHES).round(), sums)
}

fn each(sum: i64, count: u32) -> f64 {
    f64::from(i32::try_from(sum).expect("few")) / f64::from(count)
}
