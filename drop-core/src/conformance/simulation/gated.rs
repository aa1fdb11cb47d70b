//! The store as one instance has it: every call waits for the scheduler.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::error::StoreError;
use crate::model::{DropId, DropSnapshot, NewDrop, ReservationId, Revision, Timestamp, Username};
use crate::rules::{Applied, Audit, Batch, Change};
use crate::store::{Deletion, DropPage, Due, Held, Page, Reading, Sale, Scope, Store};

use super::desk::{Desk, Event, Verdict, What};
use super::states::Incarnation;

/// Lets every write wait before it is done and, where the scheduler wants it, after; and some
/// of the reads.
#[derive(Debug)]
pub(super) struct Gated {
    pub(super) inner: Arc<dyn Store>,
    pub(super) desk: Arc<Desk>,
    pub(super) incarnation: Incarnation,
}

/// What the scheduler said: go on, or fail.
fn pass(verdict: Verdict) -> Result<bool, StoreError> {
    match verdict {
        Verdict::Go => Ok(false),
        Verdict::GoAndWait => Ok(true),
        Verdict::Fail(error) => Err(error),
        // Without the hook: a run plans thousands of them.
        Verdict::Panic => std::panic::resume_unwind(Box::new("a panic as planned")),
    }
}

impl Gated {
    async fn write<T: Send>(
        &self,
        what: What,
        call: impl Future<Output = Result<T, StoreError>> + Send,
        note: impl FnOnce(&Result<T, StoreError>) -> Event + Send,
    ) -> Result<T, StoreError> {
        let waits = pass(self.desk.wait(self.incarnation, what.clone(), false).await)?;
        let result = self.run(call, |result| Some(note(result))).await;
        if waits {
            pass(self.desk.wait(self.incarnation, what, true).await)?;
        }
        result
    }

    async fn read<T: Send>(
        &self,
        call: impl Future<Output = Result<T, StoreError>> + Send,
        note: impl FnOnce(&T) -> Option<Event> + Send,
    ) -> Result<T, StoreError> {
        let (before, after) = self.desk.slows();
        if before {
            pass(self.desk.wait(self.incarnation, What::Read, false).await)?;
        }
        let result = self.run(call, |result| note(result.as_ref().ok()?)).await;
        if after {
            pass(self.desk.wait(self.incarnation, What::Read, true).await)?;
        }
        result
    }

    /// Does the call, and notes on the desk what came of it before anybody else hears.
    async fn run<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
        note: impl FnOnce(&Result<T, StoreError>) -> Option<Event>,
    ) -> Result<T, StoreError> {
        let result = {
            let _running = self.desk.run();
            call.await
        };
        if let Some(event) = note(&result) {
            self.desk.note(event);
        }
        result
    }
}

#[async_trait]
impl Store for Gated {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn is_durable(&self) -> bool {
        self.inner.is_durable()
    }

    async fn ready(&self) -> Result<Timestamp, StoreError> {
        self.read(self.inner.ready(), |_| None).await
    }

    async fn create_drop(&self, new: &NewDrop) -> Result<DropSnapshot, StoreError> {
        let note =
            |made: &Result<_, _>| Event::Created(self.incarnation, new.clone(), made.clone());
        let what = What::Create(Arc::new(new.clone()));
        self.write(what, self.inner.create_drop(new), note).await
    }

    async fn apply(&self, batch: &Batch) -> Result<Applied, StoreError> {
        let shared = Arc::new(batch.clone());
        let what = What::Apply(shared.clone());
        let note =
            |applied: &Result<_, _>| Event::Applied(self.incarnation, shared, applied.clone());
        self.write(what, self.inner.apply(batch), note).await
    }

    async fn delete_drop(&self, id: DropId, force: bool) -> Result<Deletion, StoreError> {
        let note = |gone: &Result<_, _>| Event::Deleted(self.incarnation, id, force, gone.clone());
        self.write(What::Delete(id), self.inner.delete_drop(id, force), note).await
    }

    async fn delete_user(&self, username: &Username) -> Result<Deletion, StoreError> {
        let note = |gone: &Result<_, _>| {
            Event::UserDeleted(self.incarnation, username.clone(), gone.clone())
        };
        let what = What::DeleteUser(username.clone());
        self.write(what, self.inner.delete_user(username), note).await
    }

    async fn drops_of(&self, username: &Username) -> Result<Vec<DropId>, StoreError> {
        self.read(self.inner.drops_of(username), |_| None).await
    }

    async fn snapshot(&self, id: DropId) -> Result<Option<DropSnapshot>, StoreError> {
        let note = |read: &Option<_>| Some(Event::Snapshot(id, read.clone()));
        self.read(self.inner.snapshot(id), note).await
    }

    async fn snapshots(&self, page: &DropPage) -> Result<Vec<DropSnapshot>, StoreError> {
        let whole = page.status.is_none() && page.after.is_none();
        let note = |read: &Vec<_>| whole.then(|| Event::Snapshots(read.clone()));
        self.read(self.inner.snapshots(page), note).await
    }

    async fn reservation(&self, id: ReservationId) -> Result<Option<Reading>, StoreError> {
        self.read(self.inner.reservation(id), |_| None).await
    }

    async fn holds(&self, scope: &Scope, page: Page) -> Result<Vec<Held>, StoreError> {
        self.read(self.inner.holds(scope, page), |_| None).await
    }

    async fn purchases(&self, scope: &Scope, page: Page) -> Result<Vec<Sale>, StoreError> {
        self.read(self.inner.purchases(scope, page), |_| None).await
    }

    async fn due(&self, limit: usize) -> Result<Due, StoreError> {
        self.read(self.inner.due(limit), |_| None).await
    }

    async fn heads(
        &self,
        after: Option<DropId>,
        limit: usize,
    ) -> Result<Vec<(DropId, Revision)>, StoreError> {
        self.read(self.inner.heads(after, limit), |_| None).await
    }

    async fn changes(
        &self,
        id: DropId,
        since: Revision,
        limit: usize,
    ) -> Result<Vec<Arc<Change>>, StoreError> {
        let note = |read: &Vec<_>| Some(Event::Changes(id, since, limit, read.clone()));
        self.read(self.inner.changes(id, since, limit), note).await
    }

    fn hints(&self) -> BoxStream<'static, DropId> {
        let desk = self.desk.clone();
        self.inner.hints().filter(move |_| std::future::ready(desk.hears())).boxed()
    }

    async fn trim(&self, keep: u32) -> Result<u64, StoreError> {
        self.read(self.inner.trim(keep), |_| Some(Event::Trimmed(keep))).await
    }

    async fn audit(&self, id: DropId) -> Result<Option<Audit>, StoreError> {
        self.read(self.inner.audit(id), |_| None).await
    }
}
