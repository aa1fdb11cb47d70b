//! A store that misbehaves on demand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex as Short, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore, watch};

use crate::error::StoreError;
use crate::model::{DropId, DropSnapshot, NewDrop, ReservationId, Revision, Timestamp, Username};
use crate::rules::{Applied, Audit, Batch, Change};
use crate::store::{Deletion, DropPage, Due, Held, Page, Reading, Sale, Scope, Store};

/// What a call of a [`Faulty`] store does.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Panics before its work.
    Panic,
    /// Fails before its work.
    Fail(StoreError),
    /// Does its work and loses the answer.
    LoseAnswer(StoreError),
    /// Does its work once [`Faulty::fail_all`] has taken everything back.
    Hang,
}

/// A store whose calls of [`Store::apply`] wait, fail or panic as planned, each once and in
/// order. Calls without a plan, and all other methods, do as [`Faulty::fail_all`] says, and else
/// go straight to the store within.
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
    plan: Short<VecDeque<Planned>>,
    batches: Short<Vec<usize>>,
    waiting: Semaphore,
    gate: Semaphore,
    looks: Semaphore,
    all: watch::Sender<Option<Fault>>,
    reads: Arc<Mutex<()>>,
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
            plan: Short::new(VecDeque::new()),
            batches: Short::new(Vec::new()),
            waiting: Semaphore::new(0),
            gate: Semaphore::new(0),
            looks: Semaphore::new(0),
            all: watch::Sender::new(None),
            reads: Arc::default(),
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

    /// Has every call from now on meet `fault`, unless another is planned for it; `None` takes it
    /// back. What workers read in the background goes on: deadlines, heads, changes, hints.
    pub fn fail_all(&self, fault: Option<Fault>) {
        self.state.all.send_replace(fault);
    }

    /// Keeps the snapshots of single drops waiting while the guard lives.
    pub async fn hold_reads(&self) -> OwnedMutexGuard<()> {
        self.state.reads.clone().lock_owned().await
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

impl State {
    /// Does `work` as all calls are told to.
    async fn as_told<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let fault = self.all.borrow().clone();
        self.meet(fault, work).await
    }

    async fn meet<T>(
        &self,
        fault: Option<Fault>,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        match fault {
            None => work.await,
            Some(Fault::Panic) => panic!("a panic as planned"),
            Some(Fault::Fail(error)) => Err(error),
            Some(Fault::LoseAnswer(error)) => {
                work.await?;
                Err(error)
            }
            Some(Fault::Hang) => {
                // The sender is here: it is not gone.
                let _ = self.all.subscribe().wait_for(Option::is_none).await;
                work.await
            }
        }
    }
}

fn lock<T>(mutex: &Short<T>) -> MutexGuard<'_, T> {
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
        self.state.as_told(self.inner.ready()).await
    }

    async fn create_drop(&self, new: &NewDrop) -> Result<DropSnapshot, StoreError> {
        self.state.as_told(self.inner.create_drop(new)).await
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
        let work = self.inner.apply(batch);
        match planned.fault {
            None => self.state.as_told(work).await,
            planned => self.state.meet(planned, work).await,
        }
    }

    async fn delete_drop(&self, id: DropId, force: bool) -> Result<Deletion, StoreError> {
        self.state.as_told(self.inner.delete_drop(id, force)).await
    }

    async fn delete_user(&self, username: &Username) -> Result<Deletion, StoreError> {
        self.state.as_told(self.inner.delete_user(username)).await
    }

    async fn drops_of(&self, username: &Username) -> Result<Vec<DropId>, StoreError> {
        self.state.as_told(self.inner.drops_of(username)).await
    }

    async fn snapshot(&self, id: DropId) -> Result<Option<DropSnapshot>, StoreError> {
        let read = async {
            let _held = self.state.reads.lock().await;
            self.inner.snapshot(id).await
        };
        self.state.as_told(read).await
    }

    async fn snapshots(&self, page: &DropPage) -> Result<Vec<DropSnapshot>, StoreError> {
        let drops = self.state.as_told(self.inner.snapshots(page)).await;
        self.state.looks.add_permits(1);
        drops
    }

    async fn reservation(&self, id: ReservationId) -> Result<Option<Reading>, StoreError> {
        self.state.as_told(self.inner.reservation(id)).await
    }

    async fn holds(&self, scope: &Scope, page: Page) -> Result<Vec<Held>, StoreError> {
        self.state.as_told(self.inner.holds(scope, page)).await
    }

    async fn purchases(&self, scope: &Scope, page: Page) -> Result<Vec<Sale>, StoreError> {
        self.state.as_told(self.inner.purchases(scope, page)).await
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
        self.state.as_told(self.inner.audit(id)).await
    }
}
