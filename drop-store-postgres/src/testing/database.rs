//! [`Database`]: one test's own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use drop_core::model::Timestamp;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::ClusterError;
use super::address::url;
use super::manual_time::{self, ManualTime};
use crate::builder::PostgresBuilder;
use crate::store::PostgresStore;

/// What new databases are copied from.
#[derive(Debug)]
pub(super) struct Template {
    name: String,
}

impl Template {
    /// The server's own, with nothing in it.
    pub(super) fn empty() -> Self {
        Self { name: "template1".to_owned() }
    }

    /// Makes the template with the store's schema, or finds the one that another process has
    /// made of the same migrations.
    pub(super) async fn make(options: PgConnectOptions) -> Result<Self, ClusterError> {
        let name = format!("drop_template_{:016x}", fingerprint(&sqlx::migrate!()));
        let mut connection = PgConnection::connect_with(&options).await?;
        // One process at a time; the lock goes with the connection.
        sqlx::query("SELECT pg_advisory_lock(7240236)").execute(&mut connection).await?;
        let found = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1")
            .bind(&name)
            .fetch_optional(&mut connection)
            .await?;
        if found.is_none() {
            // Under another name until it is complete, so that no half of it is ever used.
            let draft = format!("{name}_draft");
            execute(&mut connection, format!("DROP DATABASE IF EXISTS {draft}")).await?;
            execute(&mut connection, format!("CREATE DATABASE {draft}")).await?;
            let inside = options.clone().database(&draft);
            PostgresStore::builder_with(inside.clone()).migrate().await?;
            let mut filling = PgConnection::connect_with(&inside).await?;
            filling.execute(manual_time::SCHEMA).await?;
            filling.close().await?;
            execute(&mut connection, format!("ALTER DATABASE {draft} RENAME TO {name}")).await?;
        }
        connection.close().await?;
        Ok(Self { name })
    }
}

/// A database of one test, with the store's schema. It goes with this value or, where a whole
/// server was made for this process on a disk, with that.
#[derive(Debug)]
pub struct Database {
    server: PgConnectOptions,
    options: PgConnectOptions,
    name: String,
    /// Whether it stays until its whole server goes.
    stays: bool,
    /// Whether its server goes with this process.
    private: bool,
}

impl Database {
    pub(super) async fn create(
        server: PgConnectOptions,
        template: &Template,
        [stays, private]: [bool; 2],
    ) -> Result<Self, ClusterError> {
        static CREATED: AtomicU64 = AtomicU64::new(0);
        let count = CREATED.fetch_add(1, Ordering::Relaxed);
        let salt = fastrand::u32(..);
        let name = format!("drop_test_{}_{count}_{salt:08x}", std::process::id());
        let mut connection = PgConnection::connect_with(&server).await?;
        let statement = format!("CREATE DATABASE {name} TEMPLATE {}", template.name);
        execute(&mut connection, statement).await?;
        connection.close().await?;
        let options = server.clone().database(&name);
        Ok(Self { server, options, name, stays, private })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        url(&self.options)
    }

    /// Its address, to be changed.
    #[must_use]
    pub fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// Settings for a store on it.
    pub fn builder(&self) -> PostgresBuilder {
        PostgresStore::builder_with(self.options())
    }

    /// A store on it, another instance each time.
    ///
    /// # Errors
    /// [`ClusterError::Store`].
    pub async fn connect(&self) -> Result<PostgresStore, ClusterError> {
        Ok(self.builder().connect().await?)
    }

    /// A connection past the store, to look at what it did or to stand in its way.
    ///
    /// # Errors
    /// [`ClusterError::Sql`].
    pub async fn connection(&self) -> Result<PgConnection, ClusterError> {
        Ok(PgConnection::connect_with(&self.options).await?)
    }

    /// Changes a setting of the database, for the sessions that begin afterwards: what its
    /// owner may have set before the store came.
    ///
    /// # Errors
    /// [`ClusterError::Sql`].
    pub async fn set(&self, setting: &str, value: &str) -> Result<(), ClusterError> {
        let mut connection = self.connection().await?;
        let statement = format!("ALTER DATABASE {} SET {setting} = '{value}'", self.name);
        execute(&mut connection, statement).await?;
        connection.close().await?;
        Ok(())
    }

    /// A time that stands still at `start` until it is set: for stores that are opened at
    /// [`ManualTime::url`], and for nobody else.
    ///
    /// # Errors
    /// [`ClusterError::Sql`].
    pub async fn with_manual_time(&self, start: Timestamp) -> Result<ManualTime, ClusterError> {
        let time = ManualTime::over(self.options());
        time.set_time(start).await?;
        Ok(time)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        let server = self.server.clone();
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A thread with a runtime of its own: this one may be ending.
        let removing = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(async {
                    // Nobody is left to be told that somebody else's server is down.
                    if let Ok(mut connection) = PgConnection::connect_with(&server).await {
                        let _ = execute(&mut connection, statement).await;
                        let _ = connection.close().await;
                    }
                });
            }
        });
        if !self.private {
            // On somebody else's server nothing may be left behind.
            let _ = removing.join();
        }
    }
}

async fn execute(connection: &mut PgConnection, statement: String) -> Result<(), sqlx::Error> {
    connection.execute(AssertSqlSafe(statement)).await.map(|_| ())
}

/// FNV-1a over the migrations: another schema, another template.
fn fingerprint(migrations: &Migrator) -> u64 {
    let bytes = migrations.iter().flat_map(|migration| migration.checksum.iter());
    let clock = manual_time::SCHEMA.as_bytes();
    bytes.chain(clock).fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
