//! [`MemoryStore`]: the contract over the shelves.

use std::sync::Arc;

use async_trait::async_trait;
use drop_core::model::{
    DropId, DropSnapshot, DropStatus, NewDrop, ReservationId, Revision, Timestamp, Username,
};
use drop_core::rules::{Applied, Audit, Batch, Change};
use drop_core::store::{Deletion, DropPage, Due, Held, Page, Reading, Sale, Scope};
use drop_core::{Clock, Store, StoreError, SystemClock};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

use crate::log::{Log, NoLog};
use crate::shelf::Shelf;
use crate::shelves::{Drops, Shelves};
use crate::users::Users;

/// Drops in memory. Clones share one data set, as instances share a database.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    shelves: Arc<Shelves>,
    hints: broadcast::Sender<DropId>,
}

impl MemoryStore {
    /// Hints kept for a slow instance.
    const HINTS: usize = 1024;

    /// An empty store that goes by the machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store that goes by `clock`.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self::over(clock, Box::new(NoLog), Users::default(), Drops::default())
    }

    pub(crate) fn over(
        clock: Arc<dyn Clock>,
        log: Box<dyn Log>,
        users: Users,
        drops: Drops,
    ) -> Self {
        let (hints, _) = broadcast::channel(Self::HINTS);
        Self { shelves: Arc::new(Shelves::new(clock, log, users, drops)), hints }
    }

    #[cfg(all(test, feature = "journal"))]
    pub(crate) fn shelves(&self) -> &Shelves {
        &self.shelves
    }

    /// Tells other instances; without any there is nobody to tell.
    fn hint(&self, id: DropId) {
        let _ = self.hints.send(id);
    }

    /// Whether the log has failed and it is time to open it again.
    #[cfg(feature = "journal")]
    pub(crate) fn wants_recovery(&self) -> bool {
        self.shelves.wants_recovery()
    }

    /// Opens the log again where it has failed. Before every write.
    pub(crate) fn recover_now(&self) -> Result<(), StoreError> {
        for id in self.shelves.recover()? {
            self.hint(id);
        }
        Ok(())
    }

    pub(crate) fn create_now(&self, new: &NewDrop) -> Result<DropSnapshot, StoreError> {
        self.recover_now()?;
        let snapshot = self.shelves.create(new)?;
        self.hint(snapshot.id);
        Ok(snapshot)
    }

    pub(crate) fn apply_now(&self, batch: &Batch) -> Result<Applied, StoreError> {
        self.recover_now()?;
        let applied = self.shelves.apply(batch)?;
        if applied.change().is_some() {
            self.hint(batch.drop_id());
        }
        Ok(applied)
    }

    pub(crate) fn delete_drop_now(&self, id: DropId, force: bool) -> Result<Deletion, StoreError> {
        self.recover_now()?;
        let deletion = self.shelves.delete_drop(id, force)?;
        self.hint(id);
        Ok(deletion)
    }

    pub(crate) fn delete_user_now(&self, username: &Username) -> Result<Deletion, StoreError> {
        self.recover_now()?;
        self.shelves.delete_user(username)
    }

    pub(crate) fn trim_now(&self, keep: u32) -> Result<u64, StoreError> {
        self.recover_now()?;
        self.shelves.trim(keep)
    }

    /// Reads of each drop, newest first, until enough are found.
    fn newest<T>(
        &self,
        page: &DropPage,
        read: impl Fn(&Shelf) -> Result<Option<T>, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let shelves: Vec<_> = {
            let drops = self.shelves.drops();
            let older = drops.shelves.iter().rev();
            older
                .filter(|(id, _)| page.after.is_none_or(|after| **id < after))
                .map(|(_, shelf)| shelf.clone())
                .collect()
        };
        let mut found = Vec::new();
        for shelf in shelves {
            if found.len() >= page.limit {
                break;
            }
            found.extend(read(&shelf.lock())?);
        }
        Ok(found)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn describe(&self) -> String {
        "memory".to_owned()
    }

    fn is_durable(&self) -> bool {
        false
    }

    async fn ready(&self) -> Result<Timestamp, StoreError> {
        self.shelves.ready()
    }

    async fn create_drop(&self, new: &NewDrop) -> Result<DropSnapshot, StoreError> {
        self.create_now(new)
    }

    async fn apply(&self, batch: &Batch) -> Result<Applied, StoreError> {
        self.apply_now(batch)
    }

    async fn delete_drop(&self, id: DropId, force: bool) -> Result<Deletion, StoreError> {
        self.delete_drop_now(id, force)
    }

    async fn delete_user(&self, username: &Username) -> Result<Deletion, StoreError> {
        self.delete_user_now(username)
    }

    async fn drops_of(&self, username: &Username) -> Result<Vec<DropId>, StoreError> {
        Ok(self.shelves.drops_of(username))
    }

    async fn snapshot(&self, id: DropId) -> Result<Option<DropSnapshot>, StoreError> {
        let Some(shelf) = self.shelves.shelf(id) else {
            return Ok(None);
        };
        shelf.lock().snapshot(self.shelves.now()).map(Some)
    }

    async fn snapshots(&self, page: &DropPage) -> Result<Vec<DropSnapshot>, StoreError> {
        let now = self.shelves.now();
        self.newest(page, |shelf| {
            let snapshot = shelf.snapshot(now)?;
            let status = snapshot.status(snapshot.as_of);
            let wanted = match page.status {
                None => true,
                Some(DropStatus::Open) => matches!(status, DropStatus::Open | DropStatus::SoldOut),
                Some(wanted) => status == wanted,
            };
            Ok(wanted.then_some(snapshot))
        })
    }

    async fn reservation(&self, id: ReservationId) -> Result<Option<Reading>, StoreError> {
        Ok(self.shelves.reservation(id))
    }

    async fn holds(&self, scope: &Scope, page: Page) -> Result<Vec<Held>, StoreError> {
        Ok(self.shelves.holds(scope, page))
    }

    async fn purchases(&self, scope: &Scope, page: Page) -> Result<Vec<Sale>, StoreError> {
        Ok(self.shelves.purchases(scope, page))
    }

    async fn due(&self, limit: usize) -> Result<Due, StoreError> {
        let mut deadlines: Vec<_> = self
            .shelves
            .all()
            .iter()
            .filter_map(|shelf| {
                let shelf = shelf.lock();
                Some((shelf.id(), shelf.earliest_deadline()?))
            })
            .collect();
        deadlines.sort_by_key(|(id, deadline)| (*deadline, *id));
        deadlines.truncate(limit);
        Ok(Due { as_of: self.shelves.now(), deadlines })
    }

    async fn heads(
        &self,
        after: Option<DropId>,
        limit: usize,
    ) -> Result<Vec<(DropId, Revision)>, StoreError> {
        let shelves = self.shelves.all();
        let heads = shelves.iter().map(|shelf| {
            let shelf = shelf.lock();
            (shelf.id(), shelf.revision())
        });
        Ok(heads.filter(|(id, _)| after.is_none_or(|after| *id > after)).take(limit).collect())
    }

    async fn changes(
        &self,
        id: DropId,
        since: Revision,
        limit: usize,
    ) -> Result<Vec<Arc<Change>>, StoreError> {
        let shelf = self.shelves.shelf(id);
        Ok(shelf.map_or_else(Vec::new, |shelf| shelf.lock().changes_after(since, limit)))
    }

    fn hints(&self) -> BoxStream<'static, DropId> {
        // Hints that a slow instance missed are what its poll is for.
        BroadcastStream::new(self.hints.subscribe()).filter_map(async |hint| hint.ok()).boxed()
    }

    async fn trim(&self, keep: u32) -> Result<u64, StoreError> {
        self.trim_now(keep)
    }

    async fn audit(&self, id: DropId) -> Result<Option<Audit>, StoreError> {
        Ok(self.shelves.audit(id))
    }
}
