//! How a store is opened.

use std::str::FromStr;
use std::time::Duration;

use drop_core::StoreError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};

use crate::fault::{Fault, Phase};
use crate::joint;
use crate::schema;
use crate::script::Statement;
use crate::server::{Patience, Server};
use crate::sql;
use crate::store::PostgresStore;
use crate::warm::Warm;

/// The ways to a store; here, because a builder knows the store and not the other way round.
impl PostgresStore {
    /// Brings the schema up to date and opens the store, with the defaults of
    /// [`PostgresBuilder`].
    ///
    /// Everything about the connection is said by `url`: `postgres://user@host:port/database`,
    /// with `?sslmode=` and `?options=-c...` where needed.
    ///
    /// # Errors
    /// [`StoreError`] when the server cannot be reached or refuses a migration.
    ///
    /// # Cancel safety
    /// As [`PostgresBuilder::connect`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::builder(url)?.connect().await
    }

    /// Settings for a store at `url`.
    ///
    /// # Errors
    /// [`StoreError::Backend`] when `url` is none.
    pub fn builder(url: &str) -> Result<PostgresBuilder, StoreError> {
        PostgresBuilder::from_url(url)
    }

    /// Settings for a store at an address that is put together by the host.
    pub fn builder_with(options: PgConnectOptions) -> PostgresBuilder {
        PostgresBuilder::from_options(options)
    }
}

/// Settings of a [`PostgresStore`] that is to be opened.
#[derive(Clone, Debug)]
#[must_use = "a builder opens nothing until `connect` is awaited"]
pub struct PostgresBuilder {
    options: PgConnectOptions,
    pool_size: u32,
    acquire_timeout: Duration,
    patience: Patience,
    statements: usize,
}

impl PostgresBuilder {
    /// How long a lock is waited for. Who queues behind a batch that waits in vain waits twice,
    /// and is to be told within 2 s.
    const LOCK: Duration = Duration::from_millis(800);

    fn from_url(url: &str) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| StoreError::from(Fault::new(error, Phase::Working)))?;
        Ok(Self::from_options(options))
    }

    fn from_options(options: PgConnectOptions) -> Self {
        Self {
            statements: statements(&options),
            options,
            pool_size: 10,
            acquire_timeout: Duration::from_secs(2),
            patience: Patience {
                lock: Self::LOCK,
                answer: Duration::from_secs(10),
                idle: Duration::from_secs(5),
            },
        }
    }

    /// At most so many connections: 10 unless set. It bounds how many transactions there are at
    /// once; where more drops change, several share one. Two more carry the hints.
    pub const fn pool_size(mut self, connections: u32) -> Self {
        self.pool_size = connections;
        self
    }

    /// How long to wait for a free connection: 2 s unless set. Then the call is
    /// [`StoreError::Unavailable`]. What was to go with other drops and could not waits once more,
    /// by itself.
    pub const fn acquire_timeout(mut self, timeout: Duration) -> Self {
        self.acquire_timeout = timeout;
        self
    }

    /// How long to wait for a lock: 800 ms unless set. Then the call is
    /// [`StoreError::Unavailable`].
    ///
    /// A caller whose drop has a batch in flight already waits for that one's lock and then for
    /// its own: for twice as long, at most. Where several instances wait for one row, PostgreSQL
    /// has them wait for each other first, and counts that as a wait of its own.
    pub const fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.patience.lock = timeout;
        self
    }

    /// How long to wait for any one answer of the server, except to a migration: 10 s unless
    /// set. It should be
    /// longer than the lock timeout. Then the connection is given up, and the call is
    /// [`StoreError::Unavailable`], or [`StoreError::Unknown`] if it was a commit.
    pub const fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.patience.answer = timeout;
        self
    }

    /// How long a process may stop in the middle of a transaction before the server takes its
    /// locks away, 5 s unless set.
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.patience.idle = timeout;
        self
    }

    /// How many prepared statements a connection keeps: 100 unless set here or in the URL
    /// (`?statement-cache-capacity=`), beside the few that it prepares when it is opened.
    ///
    /// 0 is for Citus, which plans for the values at hand and keeps drops apart, and for a pooler
    /// in transaction mode (pgbouncer, also one that keeps track of prepared statements): nothing is
    /// prepared by name then, each drop has a transaction of its own, and nobody listens, so that
    /// there are no hints and other instances' changes are known by polling. The schema is made past
    /// the pooler once; where it is up to date, [`PostgresBuilder::connect`] works through it too.
    /// pgbouncer needs `ignore_startup_parameters = extra_float_digits`.
    pub const fn statement_cache_capacity(mut self, statements: usize) -> Self {
        self.statements = statements;
        self
    }

    /// Brings the schema up to date, as [`PostgresBuilder::migrate`] does, and opens the store.
    ///
    /// # Errors
    /// [`StoreError`] when the server cannot be reached or refuses a migration.
    ///
    /// # Cancel safety
    /// As [`PostgresBuilder::migrate`]; nothing stays open.
    pub async fn connect(self) -> Result<PostgresStore, StoreError> {
        self.migrate().await?;
        self.connect_unmigrated().await
    }

    /// Opens the store over a schema that is brought up to date elsewhere;
    /// [`ready`](drop_core::Store::ready) says whether it is.
    ///
    /// # Errors
    /// [`StoreError`] when the server cannot be reached.
    ///
    /// # Cancel safety
    /// Nothing stays open.
    pub async fn connect_unmigrated(self) -> Result<PostgresStore, StoreError> {
        let prepared = self.statements > 0;
        let pool = PgPoolOptions::new()
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if prepared {
                        prepare(connection).await?;
                    }
                    Ok(())
                })
            })
            .max_connections(self.pool_size)
            .acquire_timeout(self.acquire_timeout)
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > Warm::TRUSTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_with(self.options.statement_cache_capacity(self.statements))
            .await
            .map_err(|error| StoreError::from(Fault::new(error, Phase::Working)))?;
        Ok(PostgresStore::over(Server::new(pool, self.patience, prepared)))
    }

    /// Brings the schema up to date, and opens nothing.
    ///
    /// Two instances that do so at once wait for each other. Reaching the server, and seeing
    /// what there is to do, take no longer than the answer timeout each; the migrations take
    /// what they take, on large tables long.
    ///
    /// # Errors
    /// [`StoreError`] when the server cannot be reached or refuses a migration.
    ///
    /// # Cancel safety
    /// The server may finish the migration that it is at, or undo it; it does no other. To
    /// repeat this does the rest.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        schema::migrate(&self.options, self.patience.answer).await
    }
}

/// Prepares what every connection runs.
///
/// Where the schema is not there yet, or is being changed, nothing can be prepared, and the
/// connection is as good as any for what needs nothing prepared. Who runs what is not prepared gets
/// another connection.
async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    // To look a table up waits for who changes it. A caller who is gone by then would leave a
    // session behind that waits on, and each that comes after him another one.
    let mut script = "SET LOCAL lock_timeout = 100;\n".to_owned();
    script.extend(sql::PREPARED.iter().chain(&joint::sql::PREPARED).map(Statement::prepare));
    match connection.execute(AssertSqlSafe(script)).await {
        Err(sqlx::Error::Database(error))
            if error.code().is_some_and(|code| NOT_NOW.contains(&code.as_ref())) =>
        {
            Ok(())
        }
        done => done.map(|_| ()),
    }
}

/// No such table, column or schema, or no look at it.
const NOT_NOW: [&str; 4] = ["42P01", "42703", "3F000", "55P03"];

/// The statements that a connection keeps, by its address: the options tell it in no other way.
fn statements(options: &PgConnectOptions) -> usize {
    let url = options.to_url_lossy();
    let mut pairs = url.query_pairs();
    let capacity = pairs.find(|(name, _)| name == "statement-cache-capacity");
    capacity.and_then(|(_, capacity)| capacity.parse().ok()).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::store::PostgresStore;

    #[test]
    fn who_waits_for_a_lock_twice_is_told_within_two_seconds() {
        let builder = PostgresStore::builder("postgres://shop@localhost/shop").unwrap();
        assert!(builder.patience.lock * 2 < Duration::from_secs(2));
        assert!(builder.patience.lock < builder.patience.answer);
    }
}
