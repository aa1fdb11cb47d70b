//! [`PostgresStore`]: the contract over one database.

use std::sync::Arc;

use async_trait::async_trait;
use drop_core::model::{
    DropId, DropSnapshot, NewDrop, ReservationId, Revision, Timestamp, Username,
};
use drop_core::rules::{Applied, Audit, Batch, Change};
use drop_core::store::{Deletion, DropPage, Due, Held, Page, Reading, Sale, Scope};
use drop_core::{Store, StoreError};
use futures::stream::BoxStream;

use crate::hints::Hints;
use crate::joint::waiting::{Turn, Waiting};
use crate::ledgers::Ledgers;
use crate::server::Server;
use crate::{apply, audit, feed, reader, schema, seller};

/// Drops in PostgreSQL. Clones share one pool; any number of instances, in any number of
/// processes, share one database.
///
/// See the [crate] for the transaction and its rules.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    server: Server,
    ledgers: Arc<Ledgers>,
    waiting: Arc<Waiting>,
    hints: Hints,
}

impl PostgresStore {
    /// Brings the schema up to date, as [`PostgresBuilder::migrate`](crate::PostgresBuilder)
    /// does. [`PostgresStore::connect`] does so as well.
    ///
    /// # Errors
    /// [`StoreError`] when the server cannot be reached or refuses a migration.
    ///
    /// # Cancel safety
    /// The server may finish the migration that it is at, or undo it; it does no other. To
    /// repeat this does the rest.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let Server { pool, patience, .. } = self.server();
        schema::migrate(&pool.connect_options(), patience.answer).await
    }

    /// Closes the pool, after what is under way: every call from now on is
    /// [`StoreError::Unavailable`]. The two connections that carry hints go with the last
    /// clone of the store, and so does the pool of one that is only dropped, without waiting.
    ///
    /// # Cancel safety
    /// The pool gives no connection any more; those it has are closed behind the caller's back.
    pub async fn close(&self) {
        self.server().close().await;
    }

    pub(crate) fn over(server: Server) -> Self {
        let hints = Hints::start(&server);
        let (ledgers, waiting) = Default::default();
        Self { inner: Arc::new(Inner { server, ledgers, waiting, hints }) }
    }

    fn server(&self) -> &Server {
        &self.inner.server
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn describe(&self) -> String {
        let options = self.server().pool.connect_options();
        let database = options.get_database().unwrap_or_else(|| options.get_username());
        format!("postgres {}:{}/{database}", options.get_host(), options.get_port())
    }

    fn is_durable(&self) -> bool {
        true
    }

    async fn ready(&self) -> Result<Timestamp, StoreError> {
        schema::ready(self.server()).await
    }

    async fn create_drop(&self, new: &NewDrop) -> Result<DropSnapshot, StoreError> {
        // Nobody is told of one whose outcome is unknown, as its id is: the poll finds it.
        let snapshot = seller::create(self.server(), new).await?;
        self.inner.hints.changed(snapshot.id);
        Ok(snapshot)
    }

    async fn apply(&self, batch: &Batch) -> Result<Applied, StoreError> {
        let Inner { server, ledgers, waiting, .. } = &*self.inner;
        let applied = match waiting.turn(server, ledgers, batch).await {
            Turn::Alone(lease) => apply::apply(server, ledgers, batch, lease).await,
            Turn::Taken(applied) => applied,
        };
        // A commit whose answer was lost may have happened: then others should hear of it.
        let changed = match &applied {
            Ok(applied) => applied.change().is_some(),
            Err(error) => matches!(error, StoreError::Unknown(_)),
        };
        if changed {
            self.inner.hints.changed(batch.drop_id());
        }
        applied
    }

    async fn delete_drop(&self, id: DropId, force: bool) -> Result<Deletion, StoreError> {
        let deletion = seller::delete_drop(self.server(), id, force).await;
        // True or not by now: it is loaded where it is still there.
        self.inner.ledgers.take(id);
        if matches!(deletion, Ok(Deletion::Deleted) | Err(StoreError::Unknown(_))) {
            self.inner.hints.changed(id);
        }
        deletion
    }

    async fn delete_user(&self, username: &Username) -> Result<Deletion, StoreError> {
        seller::delete_user(self.server(), username).await
    }

    async fn drops_of(&self, username: &Username) -> Result<Vec<DropId>, StoreError> {
        reader::drops_of(self.server(), username).await
    }

    async fn snapshot(&self, id: DropId) -> Result<Option<DropSnapshot>, StoreError> {
        reader::snapshot(self.server(), id).await
    }

    async fn snapshots(&self, page: &DropPage) -> Result<Vec<DropSnapshot>, StoreError> {
        reader::snapshots(self.server(), page).await
    }

    async fn reservation(&self, id: ReservationId) -> Result<Option<Reading>, StoreError> {
        reader::reservation(self.server(), id).await
    }

    async fn holds(&self, scope: &Scope, page: Page) -> Result<Vec<Held>, StoreError> {
        reader::holds(self.server(), scope, page).await
    }

    async fn purchases(&self, scope: &Scope, page: Page) -> Result<Vec<Sale>, StoreError> {
        reader::purchases(self.server(), scope, page).await
    }

    async fn due(&self, limit: usize) -> Result<Due, StoreError> {
        feed::due(self.server(), limit).await
    }

    async fn heads(
        &self,
        after: Option<DropId>,
        limit: usize,
    ) -> Result<Vec<(DropId, Revision)>, StoreError> {
        feed::heads(self.server(), after, limit).await
    }

    async fn changes(
        &self,
        id: DropId,
        since: Revision,
        limit: usize,
    ) -> Result<Vec<Arc<Change>>, StoreError> {
        feed::changes(self.server(), id, since, limit).await
    }

    fn hints(&self) -> BoxStream<'static, DropId> {
        self.inner.hints.subscribe()
    }

    async fn trim(&self, keep: u32) -> Result<u64, StoreError> {
        feed::trim(self.server(), keep).await
    }

    async fn audit(&self, id: DropId) -> Result<Option<Audit>, StoreError> {
        audit::audit(self.server(), id).await
    }
}
