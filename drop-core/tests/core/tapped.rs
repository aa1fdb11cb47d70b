//! A store whose reads and deletions wait or fail as a test says, and that gives no hints.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use drop_core::model::{
    DropId, DropSnapshot, NewDrop, ReservationId, Revision, Timestamp, Username,
};
use drop_core::rules::{Applied, Audit, Batch, Change};
use drop_core::store::{Deletion, DropPage, Due, Held, Page, Reading, Sale, Scope};
use drop_core::{Store, StoreError};
use drop_store_memory::MemoryStore;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::oneshot;

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Called {
    Snapshot,
    Snapshots,
    Changes(DropId),
    DeleteUser,
}

#[derive(Debug)]
enum Plan {
    Pass,
    Fail(StoreError),
    HoldBefore(Gate),
    HoldAfter(Gate),
}

/// Where a call waits.
#[derive(Debug)]
struct Gate {
    come: oneshot::Sender<()>,
    go: oneshot::Receiver<()>,
}

/// A call that waits, or will.
#[derive(Debug)]
pub(crate) struct Waiting {
    come: oneshot::Receiver<()>,
    go: oneshot::Sender<()>,
}

/// Clones share what is planned; what is not planned goes straight to the store within.
#[derive(Clone, Debug)]
pub(crate) struct Tapped {
    inner: MemoryStore,
    plans: Arc<Mutex<Vec<(Called, Plan)>>>,
}

impl Waiting {
    /// Waits until the call has come.
    pub(crate) async fn comes(&mut self) {
        (&mut self.come).await.expect("a call that comes");
    }

    /// Lets the call go on.
    pub(crate) fn goes(self) {
        self.go.send(()).expect("a call that waits");
    }
}

impl Gate {
    async fn pass(self) {
        let _ = self.come.send(());
        let _ = self.go.await;
    }
}

impl Tapped {
    pub(crate) fn new(inner: MemoryStore) -> Self {
        Self { inner, plans: Arc::default() }
    }

    /// The next call for which nothing is planned does as ever.
    pub(crate) fn pass(&self, called: Called) {
        self.plan(called, Plan::Pass);
    }

    /// The next call for which nothing is planned fails.
    pub(crate) fn fail(&self, called: Called, error: StoreError) {
        self.plan(called, Plan::Fail(error));
    }

    /// The next call for which nothing is planned waits before its work.
    pub(crate) fn hold_before(&self, called: Called) -> Waiting {
        self.hold(called, Plan::HoldBefore)
    }

    /// The next call for which nothing is planned waits with what it has read.
    pub(crate) fn hold_after(&self, called: Called) -> Waiting {
        self.hold(called, Plan::HoldAfter)
    }

    fn hold(&self, called: Called, plan: fn(Gate) -> Plan) -> Waiting {
        let ((here, come), (go, on)) = (oneshot::channel(), oneshot::channel());
        self.plan(called, plan(Gate { come: here, go: on }));
        Waiting { come, go }
    }

    fn plan(&self, called: Called, plan: Plan) {
        self.plans.lock().unwrap().push((called, plan));
    }

    async fn call<T>(
        &self,
        called: Called,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let plan = {
            let mut plans = self.plans.lock().unwrap();
            let first = plans.iter().position(|(planned, _)| *planned == called);
            first.map(|first| plans.remove(first).1)
        };
        match plan {
            None | Some(Plan::Pass) => work.await,
            Some(Plan::Fail(error)) => Err(error),
            Some(Plan::HoldBefore(gate)) => {
                gate.pass().await;
                work.await
            }
            Some(Plan::HoldAfter(gate)) => {
                let done = work.await;
                gate.pass().await;
                done
            }
        }
    }
}

#[async_trait]
impl Store for Tapped {
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
        self.inner.apply(batch).await
    }

    async fn delete_drop(&self, id: DropId, force: bool) -> Result<Deletion, StoreError> {
        self.inner.delete_drop(id, force).await
    }

    async fn delete_user(&self, username: &Username) -> Result<Deletion, StoreError> {
        self.call(Called::DeleteUser, self.inner.delete_user(username)).await
    }

    async fn drops_of(&self, username: &Username) -> Result<Vec<DropId>, StoreError> {
        self.inner.drops_of(username).await
    }

    async fn snapshot(&self, id: DropId) -> Result<Option<DropSnapshot>, StoreError> {
        self.call(Called::Snapshot, self.inner.snapshot(id)).await
    }

    async fn snapshots(&self, page: &DropPage) -> Result<Vec<DropSnapshot>, StoreError> {
        self.call(Called::Snapshots, self.inner.snapshots(page)).await
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
        self.inner.due(limit).await
    }

    async fn heads(
        &self,
        after: Option<DropId>,
        limit: usize,
    ) -> Result<Vec<(DropId, Revision)>, StoreError> {
        self.inner.heads(after, limit).await
    }

    async fn changes(
        &self,
        id: DropId,
        since: Revision,
        limit: usize,
    ) -> Result<Vec<Arc<Change>>, StoreError> {
        self.call(Called::Changes(id), self.inner.changes(id, since, limit)).await
    }

    fn hints(&self) -> BoxStream<'static, DropId> {
        futures::stream::pending().boxed()
    }

    async fn trim(&self, keep: u32) -> Result<u64, StoreError> {
        self.inner.trim(keep).await
    }

    async fn audit(&self, id: DropId) -> Result<Option<Audit>, StoreError> {
        self.inner.audit(id).await
    }
}
