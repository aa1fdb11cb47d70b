//! Telling other instances that drops have changed, and hearing it from them.
//!
//! Outside of the transactions: a NOTIFY takes a lock of the whole database at its commit, and
//! would put all drops in one line. So the ids of changed drops are gathered for a moment and
//! sent in one statement. All of it is a hint; the feed is the truth, and who polls it needs
//! neither.
//!
//! Where nothing is prepared by name there is a pooler in between, and there are no hints: a
//! LISTEN would stay on one of the connections that all share, and what it hears would come to
//! whoever has that connection, in the middle of a transaction.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use drop_core::StoreError;
use drop_core::model::DropId;
use futures::stream::{BoxStream, StreamExt};
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::runtime::Handle;
use tokio::sync::{Notify, broadcast};
use tokio::task::AbortHandle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_stream::wrappers::BroadcastStream;

use crate::fault::{Fault, Phase};
use crate::server::Server;

/// The channel on which drop ids are told, decimal and separated by commas.
const CHANNEL: &str = "drop_changed";

/// `$1` the channel, `$2` payloads.
const TELL: &str = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload";

/// What a listener asks where it has heard nothing for long.
const SIGN_OF_LIFE: &str = "SELECT 1";

/// The two tasks, and what is between them and the store. Both end with it.
#[derive(Debug)]
pub(crate) struct Hints {
    server: Server,
    runtime: Handle,
    outbox: Arc<Outbox>,
    heard: broadcast::Sender<DropId>,
    /// `None` where there are no hints.
    telling: Option<AbortHandle>,
    listening: OnceLock<AbortHandle>,
}

/// The drops whose change is not told yet.
#[derive(Debug, Default)]
struct Outbox {
    changed: Mutex<BTreeSet<DropId>>,
    filled: Notify,
}

impl Hints {
    /// How long ids are gathered.
    const GATHERING: Duration = Duration::from_millis(10);
    /// How long to wait before listening is tried again.
    const PAUSE: Duration = Duration::from_secs(1);
    /// After so many times the store's patience without a word a listener asks for one.
    const SILENCE: u32 = 3;
    /// Ids in one payload: 8 digits and a comma each, of at most 8,000 bytes.
    const IDS: usize = 800;
    /// Hints kept for a subscriber that is slow.
    const KEPT: usize = 4096;

    /// Starts telling; listening starts with the first subscriber.
    pub(crate) fn start(server: &Server) -> Self {
        let runtime = Handle::current();
        // Not the pool of the store: telling must neither wait for the hot transactions nor
        // delay them.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .idle_timeout(Duration::from_secs(60))
            .connect_lazy_with(server.pool.connect_options().as_ref().clone());
        let outbox = Arc::new(Outbox::default());
        let (heard, _) = broadcast::channel(Self::KEPT);
        let server = Server::new(pool, server.patience, server.prepared);
        let telling = server.prepared.then(|| {
            let telling = tell(server.clone(), outbox.clone());
            runtime.spawn(telling).abort_handle()
        });
        Self { server, runtime, outbox, heard, telling, listening: OnceLock::new() }
    }

    /// The drop has changed.
    pub(crate) fn changed(&self, id: DropId) {
        if self.telling.is_none() {
            return;
        }
        let mut changed = self.outbox.changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.insert(id);
        drop(changed);
        self.outbox.filled.notify_one();
    }

    /// Drops that may have changed, from now until the store ends.
    pub(crate) fn subscribe(&self) -> BoxStream<'static, DropId> {
        let heard = self.heard.subscribe();
        if self.telling.is_some() {
            self.listening.get_or_init(|| {
                let listening = listen(self.server.clone(), self.heard.clone());
                self.runtime.spawn(listening).abort_handle()
            });
        }
        // What a slow subscriber missed is what its poll is for.
        BroadcastStream::new(heard).filter_map(async |hint| hint.ok()).boxed()
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        for task in self.telling.iter().chain(self.listening.get()) {
            task.abort();
        }
    }
}

async fn tell(server: Server, outbox: Arc<Outbox>) {
    loop {
        outbox.filled.notified().await;
        tokio::time::sleep(Hints::GATHERING).await;
        let changed = {
            let mut changed = outbox.changed.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *changed)
        };
        let ids: Vec<String> = changed.iter().map(ToString::to_string).collect();
        let payloads: Vec<String> = ids.chunks(Hints::IDS).map(|ids| ids.join(",")).collect();
        if payloads.is_empty() {
            continue;
        }
        if let Err(fault) = tell_now(&server, payloads).await {
            let error = StoreError::from(fault);
            tracing::debug!(%error, "changed drops were not told to other instances");
        }
    }
}

async fn tell_now(server: &Server, payloads: Vec<String>) -> Result<(), Fault> {
    let mut connection = server.acquire().await?;
    let query = sqlx::query(TELL).bind(CHANNEL).bind(payloads).persistent(server.prepared);
    let told = timeout(server.patience.answer, query.execute(&mut *connection)).await;
    let fault = match told {
        // Back through the pool, which gives it up where nothing is told for long.
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => Fault::new(error, Phase::Working),
        Err(_) => Fault::silent(Phase::Working),
    };
    connection.give_up();
    Err(fault)
}

/// Listens for good: whatever ends one listener, another one follows after a pause.
async fn listen(server: Server, heard: broadcast::Sender<DropId>) {
    loop {
        let Err(error) = hear(&server, &heard).await;
        tracing::debug!(%error, "not listening for changed drops");
        tokio::time::sleep(Hints::PAUSE).await;
    }
}

/// A listener has nothing to send: where the network swallows its connection, neither it nor
/// the system would ever know. So after a silence it asks for a sign of life, and like every
/// other answer that must come within the store's patience.
async fn hear(
    server: &Server,
    heard: &broadcast::Sender<DropId>,
) -> Result<Infallible, sqlx::Error> {
    let patience = server.patience.answer;
    // A pool for each: a listener that ends takes its leave of the server, and may wait for the
    // answer to that in a place that the next one needs.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(patience)
        .connect_lazy_with(server.pool.connect_options().as_ref().clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    answered(timeout(patience, listener.listen(CHANNEL)).await)?;
    loop {
        let silence = patience.saturating_mul(Hints::SILENCE);
        let Ok(notification) = timeout(silence, listener.recv()).await else {
            let sign = sqlx::raw_sql(SIGN_OF_LIFE).execute(&mut listener);
            answered(timeout(patience, sign).await)?;
            continue;
        };
        for id in notification?.payload().split(',').filter_map(|id| id.parse().ok()) {
            // Without subscribers there is nobody to tell.
            let _ = heard.send(id);
        }
    }
}

fn answered<T>(answer: Result<Result<T, sqlx::Error>, Elapsed>) -> Result<T, sqlx::Error> {
    answer.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
}
