//! [`FileStore`]: the memory store with a log under it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use drop_core::model::{
    DropId, DropSnapshot, NewDrop, ReservationId, Revision, Timestamp, Username,
};
use drop_core::rules::{Applied, Audit, Batch, Change};
use drop_core::store::{Deletion, DropPage, Due, Held, Page, Reading, Sale, Scope};
use drop_core::{Clock, Store, StoreError, SystemClock};
use futures::stream::BoxStream;

use crate::MemoryStore;

use super::error::OpenError;
use super::load::Loaded;
use super::medium::File;
use super::open::{open_error, place};
use super::pause::Pause;
use super::redb_log::RedbLog;

/// Drops in memory, each commit durable in an embedded database file before its answer: one
/// disk transaction for the batches of all drops that wait for one. One process at a time; clones
/// share the data set.
///
/// Reads are answered from memory. Opening reads everything back, checks every page's checksum,
/// recounts every drop, and takes all of it or nothing.
///
/// # When the disk fails
/// After a write that fails - a full disk, an error of the device - nothing more is written
/// through the engine's state of that moment. Writes are refused at once, reads go on, and
/// [`ready`](Store::ready) says why. Whoever comes next has the file opened again, at most once a
/// second: every page is checked, and what became of the commit that failed is what the file
/// says; memory takes it over before anything else is written. After a failed sync everything
/// is written again and synced before the file is believed. So the store sells on once the disk
/// does, without a restart, and nothing that was not synced is ever acknowledged. A file that is
/// damaged then, or that says something else than memory, is not tried again: every write is
/// refused as [`StoreError::Corrupt`] until a person has looked and started the store anew.
///
/// That holds over restarts too. A file that was not closed in order - its process was killed,
/// crashed, or ended with a write that had failed - is written again before it is believed,
/// because what it reads as may be in the system's cache only. Closing in order is dropping all
/// clones of the store. It ends where the system lies in another way: a copy of the file that
/// was made after a failed sync, or a disk that says that it has written what it has not.
///
/// ```
/// # let directory = tempfile::tempdir().unwrap();
/// # let directory = directory.path();
/// use drop_store_memory::{FileStore, OpenError};
///
/// let store = FileStore::open(directory)?;
/// assert!(matches!(FileStore::open(directory), Err(OpenError::AlreadyOpen { .. })));
/// # drop(store);
/// # Ok::<(), OpenError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileStore {
    memory: MemoryStore,
    directory: PathBuf,
}

impl FileStore {
    /// Opens the data in `directory`, or begins there; goes by the machine's clock.
    ///
    /// Blocks for as long as reading takes.
    ///
    /// # Errors
    /// [`OpenError`] when another process has it open, when it cannot be read, or when it is
    /// damaged; nothing of it is used then.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with_clock(directory, Arc::new(SystemClock))
    }

    /// As [`FileStore::open`], by another clock.
    ///
    /// # Errors
    /// As [`FileStore::open`].
    pub fn open_with_clock(
        directory: impl AsRef<Path>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let directory = directory.as_ref().to_owned();
        let path = place(&directory)?;
        let opened = RedbLog::open(Box::new(File(path.clone())), Pause::default());
        let (log, Loaded { users, drops, .. }) =
            opened.map_err(|error| open_error(&path, error))?;
        let memory = MemoryStore::over(clock, Box::new(log), users, drops);
        Ok(Self { memory, directory })
    }

    /// A store on another medium.
    #[cfg(test)]
    pub(super) fn over(memory: MemoryStore) -> Self {
        Self { memory, directory: PathBuf::new() }
    }

    /// Runs what waits for the disk where it keeps nobody else waiting.
    ///
    /// Once begun it runs to its end, whether or not the caller stays.
    async fn on_disk<T: Send + 'static>(
        &self,
        write: impl FnOnce(&MemoryStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let memory = self.memory.clone();
        let written = tokio::task::spawn_blocking(move || write(&memory)).await;
        written.unwrap_or_else(|broken| Err(StoreError::Unknown(Arc::new(broken))))
    }
}

#[async_trait]
impl Store for FileStore {
    fn describe(&self) -> String {
        format!("file:{}", self.directory.display())
    }

    fn is_durable(&self) -> bool {
        true
    }

    async fn ready(&self) -> Result<Timestamp, StoreError> {
        if self.memory.wants_recovery() {
            // A probe may be the only one who still asks.
            self.on_disk(MemoryStore::recover_now).await?;
        }
        self.memory.ready().await
    }

    async fn create_drop(&self, new: &NewDrop) -> Result<DropSnapshot, StoreError> {
        let new = new.clone();
        self.on_disk(move |memory| memory.create_now(&new)).await
    }

    async fn apply(&self, batch: &Batch) -> Result<Applied, StoreError> {
        let batch = batch.clone();
        self.on_disk(move |memory| memory.apply_now(&batch)).await
    }

    async fn delete_drop(&self, id: DropId, force: bool) -> Result<Deletion, StoreError> {
        self.on_disk(move |memory| memory.delete_drop_now(id, force)).await
    }

    async fn delete_user(&self, username: &Username) -> Result<Deletion, StoreError> {
        let username = username.clone();
        self.on_disk(move |memory| memory.delete_user_now(&username)).await
    }

    async fn drops_of(&self, username: &Username) -> Result<Vec<DropId>, StoreError> {
        self.memory.drops_of(username).await
    }

    async fn snapshot(&self, id: DropId) -> Result<Option<DropSnapshot>, StoreError> {
        self.memory.snapshot(id).await
    }

    async fn snapshots(&self, page: &DropPage) -> Result<Vec<DropSnapshot>, StoreError> {
        self.memory.snapshots(page).await
    }

    async fn reservation(&self, id: ReservationId) -> Result<Option<Reading>, StoreError> {
        self.memory.reservation(id).await
    }

    async fn holds(&self, scope: &Scope, page: Page) -> Result<Vec<Held>, StoreError> {
        self.memory.holds(scope, page).await
    }

    async fn purchases(&self, scope: &Scope, page: Page) -> Result<Vec<Sale>, StoreError> {
        self.memory.purchases(scope, page).await
    }

    async fn due(&self, limit: usize) -> Result<Due, StoreError> {
        self.memory.due(limit).await
    }

    async fn heads(
        &self,
        after: Option<DropId>,
        limit: usize,
    ) -> Result<Vec<(DropId, Revision)>, StoreError> {
        self.memory.heads(after, limit).await
    }

    async fn changes(
        &self,
        id: DropId,
        since: Revision,
        limit: usize,
    ) -> Result<Vec<Arc<Change>>, StoreError> {
        self.memory.changes(id, since, limit).await
    }

    fn hints(&self) -> BoxStream<'static, DropId> {
        self.memory.hints()
    }

    async fn trim(&self, keep: u32) -> Result<u64, StoreError> {
        self.on_disk(move |memory| memory.trim_now(keep)).await
    }

    async fn audit(&self, id: DropId) -> Result<Option<Audit>, StoreError> {
        self.memory.audit(id).await
    }
}
