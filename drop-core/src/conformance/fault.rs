//! A store that misbehaves on demand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::Semaphore;

use crate::error::StoreError;
use crate::model::{DropId, DropSnapshot, NewDrop, ReservationId, Revision, Timestamp, Username};
use crate::rules::{Applied, Audit, Batch, Change};
use crate::store::{Deletion, DropPage, Due, Held, Page, Reading, Sale, Scope, Store};

/// What the next [`Store::apply`] of a [`Faulty`] store does.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Panics before its work.
    Panic,
    /// Fails before its work.
    Fail(StoreError),
    /// Does its work and loses the answer.
    LoseAnswer(StoreError),
}

/// A store whose calls of [`Store::apply`] wait, fail or panic as planned, each once and in
/// order; calls without a plan, and all other methods, go straight to the store within.
///
/// Clones share the plan.
#[derive(Clone, Debug)]
pub struct Faulty {
    inner: Arc<dyn Store>,
    deaf: bool,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    plan: Mutex<VecDeque<Planned>>,
    batches: Mutex<Vec<usize>>,
    waiting: Semaphore,
    gate: Semaphore,
    looks: Semaphore,
}

#[derive(Debug, Default)]
struct Planned {
    waits: bool,
    fault: Option<Fault>,
}

impl Faulty {
    /// `inner`, without any fault planned.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>) -> Self {
        let state = State {
            plan: Mutex::new(VecDeque::new()),
            batches: Mutex::new(Vec::new()),
            waiting: Semaphore::new(0),
            gate: Semaphore::new(0),
            looks: Semaphore::new(0),
        };
        Self { inner, deaf: false, state: Arc::new(state) }
    }

    /// Without hints: what another instance does is not told of.
    #[must_use]
    pub fn deaf(self) -> Self {
        Self { deaf: true, ..self }
    }

    /// Plans a fault for the next call without a plan.
    pub fn plan(&self, fault: Fault) {
        lock(&self.state.plan).push_back(Planned { waits: false, fault: Some(fault) });
    }

    /// Has the next call without a plan wait for [`Faulty::let_go`], and then do its work.
    pub fn plan_wait(&self) {
        lock(&self.state.plan).push_back(Planned { waits: true, fault: None });
    }

    /// Has the next call without a plan wait for [`Faulty::let_go`], and then do `fault`.
    pub fn plan_wait_then(&self, fault: Fault) {
        lock(&self.state.plan).push_back(Planned { waits: true, fault: Some(fault) });
    }

    /// Waits until a call waits; each call is told of once.
    pub async fn waits(&self) {
        if let Ok(permit) = self.state.waiting.acquire().await {
            permit.forget();
        }
    }

    /// Waits until the lists that workers begin with were read `count` times more: deadlines,
    /// heads, drops.
    pub async fn looked(&self, count: u32) {
        if let Ok(permits) = self.state.looks.acquire_many(count).await {
            permits.forget();
        }
    }

    /// Lets one call that waits, or will wait, do its work.
    pub fn let_go(&self) {
        self.state.gate.add_permits(1);
    }

    /// How many commands each call had, in the order of the calls.
    #[must_use]
    pub fn batches(&self) -> Vec<usize> {
        lock(&self.state.batches).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Store for Faulty {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn is_durable(&self) -> bool {
        self.inner.is_durable()
    }

    async fn ready(&self) -> Result<Timestamp, StoreError> {
        self.inner.ready().await
    }

    async fn create_drop(&self, new: &NewDrop) -> Result<DropSnapshot, StoreError> {
        self.inner.create_drop(new).await
    }

    async fn apply(&self, batch: &Batch) -> Result<Applied, StoreError> {
        lock(&self.state.batches).push(batch.commands().len());
        let planned = lock(&self.state.plan).pop_front().unwrap_or_default();
        if planned.waits {
            self.state.waiting.add_permits(1);
            if let Ok(permit) = self.state.gate.acquire().await {
                permit.forget();
            }
        }
        match planned.fault {
            None => self.inner.apply(batch).await,
            Some(Fault::Panic) => panic!("a panic as planned"),
            Some(Fault::Fail(error)) => Err(error),
            Some(Fault::LoseAnswer(error)) => {
                self.inner.apply(batch).await?;
                Err(error)
            }
        }
    }

    async fn delete_drop(&self, id: DropId, force: bool) -> Result<Deletion, StoreError> {
        self.inner.delete_drop(id, force).await
    }

    async fn delete_user(&self, username: &Username) -> Result<Deletion, StoreError> {
        self.inner.delete_user(username).await
    }

    async fn drops_of(&self, username: &Username) -> Result<Vec<DropId>, StoreError> {
        self.inner.drops_of(username).await
    }

    async fn snapshot(&self, id: DropId) -> Result<Option<DropSnapshot>, StoreError> {
        self.inner.snapshot(id).await
    }

    async fn snapshots(&self, page: &DropPage) -> Result<Vec<DropSnapshot>, StoreError> {
        let drops = self.inner.snapshots(page).await;
        self.state.looks.add_permits(1);
        drops
    }

    async fn reservation(&self, id: ReservationId) -> Result<Option<Reading>, StoreError> {
        self.inner.reservation(id).await
    }

    async fn holds(&self, scope: &Scope, page: Page) -> Result<Vec<Held>, StoreError> {
        self.inner.holds(scope, page).await
    }

    async fn purchases(&self, scope: &Scope, page: Page) -> Result<Vec<Sale>, StoreError> {
        self.inner.purchases(scope, page).await
    }

    async fn due(&self, limit: usize) -> Result<Due, StoreError> {
        let due = self.inner.due(limit).await;
        self.state.looks.add_permits(1);
        due
    }

    async fn heads(
        &self,
        after: Option<DropId>,
        limit: usize,
    ) -> Result<Vec<(DropId, Revision)>, StoreError> {
        let heads = self.inner.heads(after, limit).await;
        self.state.looks.add_permits(1);
        heads
    }

    async fn changes(
        &self,
        id: DropId,
        since: Revision,
        limit: usize,
    ) -> Result<Vec<Arc<Change>>, StoreError> {
        self.inner.changes(id, since, limit).await
    }

    fn hints(&self) -> BoxStream<'static, DropId> {
        if self.deaf { futures::stream::pending().boxed() } else { self.inner.hints() }
    }

    async fn trim(&self, keep: u32) -> Result<u64, StoreError> {
        self.inner.trim(keep).await
    }

    async fn audit(&self, id: DropId) -> Result<Option<Audit>, StoreError> {
        self.inner.audit(id).await
    }
}
