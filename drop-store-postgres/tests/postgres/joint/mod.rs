//! Several drops in one transaction: who waits for a connection goes together, and nobody waits for
//! a drop that he does not want.

mod crowd;
mod faults;
mod plans;
mod runtimes;
mod together;
mod turns;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use drop_core::model::{DropId, Reservation, ReservationId};
use drop_core::rules::{Applied, Command, Effect, Outcome};
use drop_core::{Store, StoreError};
use drop_store_postgres::testing::{Database, Gate, Held, SqlProxy, Step, Verdict};
use drop_store_postgres::{PostgresBuilder, PostgresStore};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnectOptions;
use tokio::task::JoinHandle;

use crate::bounds::soon;
use crate::kit::{batch, drop_of, hold, reserve};

/// What somebody waits for.
type Asked = Pin<Box<dyn Future<Output = Result<Applied, StoreError>> + Send>>;

/// A store with one connection, through a proxy, and a drop that keeps it busy.
struct Queue {
    proxy: SqlProxy,
    store: PostgresStore,
    gate: Gate,
    busy: DropId,
    /// Its batches so far.
    turns: u32,
}

impl Queue {
    async fn of(database: &Database) -> Self {
        Self::with(&database.options(), |builder| builder).await
    }

    async fn with(
        options: &PgConnectOptions,
        set: impl FnOnce(PostgresBuilder) -> PostgresBuilder,
    ) -> Self {
        let proxy = SqlProxy::before(options).await.unwrap();
        let builder = PostgresStore::builder_with(proxy.options()).pool_size(1);
        let patience = Duration::from_secs(60);
        let builder = builder.acquire_timeout(patience).answer_timeout(patience);
        let store = set(builder).connect().await.unwrap();
        let busy = drop_of(&store, 1_000).await;
        let gate = proxy.gate();
        Self { proxy, store, gate, busy, turns: 0 }
    }

    /// Drops of so many units that the store knows.
    async fn drops<const N: usize>(&self, total: i64) -> [DropId; N] {
        let mut drops = [self.busy; N];
        for id in &mut drops {
            *id = drop_of(&self.store, total).await;
            // What nobody has asked for yet is not kept.
            self.store.apply(&batch(*id, vec![Command::Expire])).await.unwrap();
        }
        drops
    }

    /// A batch whose COMMIT waits: it has the connection.
    async fn take_connection(&mut self) -> Busy {
        self.take_connection_for(self.busy).await
    }

    async fn take_connection_for(&mut self, id: DropId) -> Busy {
        self.turns += 1;
        let (store, name) = (self.store.clone(), format!("busy{}", self.turns));
        self.proxy.set_judge(|step| match step.is_commit() {
            true => Verdict::Hold,
            false => Verdict::Pass,
        });
        let batch = tokio::spawn(async move { hold(&store, id, &name).await });
        let step = soon(self.gate.next()).await.unwrap();
        self.proxy.pass();
        Busy { batch, step }
    }

    /// Asks, and is in the queue when this returns.
    async fn ask(&self, id: DropId, commands: Vec<Command>) -> Asked {
        let store = self.store.clone();
        let mut asked: Asked = Box::pin(async move { store.apply(&batch(id, commands)).await });
        assert!(futures::poll!(&mut asked).is_pending());
        asked
    }

    /// Somebody asks for a unit of each drop.
    async fn each(&self, drops: &[DropId], customer: &str) -> Vec<Asked> {
        let mut asked = Vec::new();
        for id in drops {
            asked.push(self.ask(*id, vec![reserve(customer)]).await);
        }
        asked
    }
}

/// Somebody has the connection.
struct Busy {
    batch: JoinHandle<Reservation>,
    step: Held,
}

impl Busy {
    async fn let_go(self) {
        self.step.release();
        soon(self.batch).await.unwrap();
    }
}

/// What became of each.
async fn answers(asked: Vec<Asked>) -> Vec<Result<Applied, StoreError>> {
    soon(futures::future::join_all(asked)).await
}

/// The answers of each, all of which were applied.
async fn outcomes(asked: Vec<Asked>) -> Vec<Vec<Outcome>> {
    let applied = answers(asked).await.into_iter().map(|applied| applied.unwrap().into_outcomes());
    applied.map(Vec::from_iter).collect()
}

/// How many transactions wrote the newest rows of these drops.
async fn transactions(database: &Database, drops: &[DropId]) -> i64 {
    let ids: Vec<String> = drops.iter().map(ToString::to_string).collect();
    let count =
        format!("SELECT count(DISTINCT xmin::text) FROM drops WHERE id IN ({})", ids.join(", "));
    let mut outside = database.connection().await.unwrap();
    sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut outside).await.unwrap()
}

/// Words that only the write of several drops has.
fn is_write(step: &Step) -> bool {
    step.is_work() && step.sql.contains("), heads AS (")
}

/// The hold that was taken.
fn reserved(outcome: &Outcome) -> ReservationId {
    match outcome {
        Outcome::Done(Effect::Reserved { reservation, .. }) => reservation.id(),
        other => panic!("no hold: {other:?}"),
    }
}
