//! The schema, and the migrations that make it.

use std::sync::Arc;
use std::time::Duration;

use drop_core::StoreError;
use drop_core::model::Timestamp;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use crate::decode::{self, get, sound};
use crate::fault::{Fault, Phase};
use crate::server::Server;

/// Where the migrations that ran are noted: a name of its own, because a host may keep its
/// own migrations in the same database.
const NOTES: &str = "drop_migrations";

/// The server's time, and which migrations ran.
const READY: &str = "\
SELECT clock_timestamp() AS as_of;
SELECT version FROM drop_migrations WHERE success ORDER BY version;";

/// What ran, and what it was.
const APPLIED: &str = "SELECT version, checksum FROM drop_migrations WHERE success";

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!();
    migrator.dangerous_set_table_name(NOTES);
    migrator
}

/// Brings the schema up to date.
///
/// On a connection of its own, which is closed afterwards: the lock that keeps a second
/// instance waiting belongs to the session, and is not given back when a migration fails.
/// Whatever the server is asked is to be answered within `patience`, but not the migrations:
/// they take as long as the tables are large, or another instance is at them.
pub(crate) async fn migrate(
    options: &PgConnectOptions,
    patience: Duration,
) -> Result<(), StoreError> {
    let connected = timeout(patience, PgConnection::connect_with(options)).await;
    let connected = connected.map_err(|_| Fault::silent(Phase::Working))?;
    let mut connection = connected.map_err(|error| Fault::new(error, Phase::Working))?;
    let is_current = timeout(patience, is_current(&mut connection)).await;
    // A connection that says nothing is given up, without a farewell.
    let migrated = match is_current.map_err(|_| Fault::silent(Phase::Working))? {
        true => Ok(()),
        false => migrator().run_direct(None, &mut connection, false).await,
    };
    // The schema is what it is now, whether or not the server hears the farewell.
    let _ = timeout(patience, connection.close()).await;
    migrated.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            Fault::new(error, Phase::Working).into()
        }
        other => StoreError::Backend(Arc::new(other)),
    })
}

/// Whether every migration ran as it is here: then there is nothing to lock and nothing to
/// prepare, and a pooler in transaction mode, through which neither works, may be in between.
async fn is_current(connection: &mut PgConnection) -> bool {
    // Where this fails, the migrator finds out why.
    let Ok(rows) = sqlx::raw_sql(APPLIED).fetch_all(connection).await else { return false };
    let applied =
        |row| Some((get::<i64, _>(row, "version").ok()?, get::<Vec<u8>, _>(row, "checksum").ok()?));
    let applied: Vec<_> = rows.iter().filter_map(applied).collect();
    migrator().iter().all(|needed| {
        applied
            .iter()
            .any(|(version, checksum)| *version == needed.version && *checksum == *needed.checksum)
    })
}

/// The server's time, if it has every migration that this version of the store needs.
pub(crate) async fn ready(server: &Server) -> Result<Timestamp, StoreError> {
    let rows = server.read(READY, &[]).await?;
    let (times, notes): (Vec<_>, Vec<_>) = rows.iter().partition(|row| decode::has(row, "as_of"));
    let mut versions = Vec::new();
    for row in notes {
        versions.push(get::<i64, _>(row, "version")?);
    }
    if let Some(missing) = migrator().iter().find(|needed| !versions.contains(&needed.version)) {
        return Err(StoreError::Backend(Arc::new(NotMigrated(missing.version))));
    }
    let as_of = times.first().map(|row| decode::time(row, "as_of")).transpose()?;
    sound(as_of.ok_or(NoTime))
}

/// A migration has not run.
#[derive(Debug, thiserror::Error)]
#[error("the database lacks migration {0}")]
struct NotMigrated(i64);

/// The server told no time.
#[derive(Debug, thiserror::Error)]
#[error("the server told no time")]
struct NoTime;
