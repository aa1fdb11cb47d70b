//! A transaction that never stays open behind a caller who has gone.

use std::time::Duration;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::fault::{Fault, Phase};
use crate::lease::Lease;
use crate::server::Server;

/// An open transaction on a connection of the pool.
///
/// Not sqlx's own: that one counts a transaction as open only once the answer to its BEGIN has
/// come (sqlx 0.9.0, `PgTransactionManager::begin`), so a caller who is gone before, or a lock
/// that is refused in the same message, would leave it open in the pool, with its locks.
/// This one is taken for open from before the first message on. Dropped without
/// [`Transaction::commit`], it rolls back behind the caller's back, within `patience`, and
/// closes the connection where that fails.
#[derive(Debug)]
pub(crate) struct Transaction {
    connection: Option<Lease>,
    patience: Duration,
    prepared: bool,
    phase: Phase,
    broken: bool,
}

impl Transaction {
    /// Sends `script`, which begins the transaction, and gives its rows.
    pub(crate) async fn begin(
        server: &Server,
        script: AssertSqlSafe<String>,
    ) -> Result<(Self, Vec<PgRow>), Fault> {
        Self::begin_with(server, server.acquire().await?, script).await
    }

    /// [`Transaction::begin`] on a connection that is there already.
    pub(crate) async fn begin_with(
        server: &Server,
        mut connection: Lease,
        script: AssertSqlSafe<String>,
    ) -> Result<(Self, Vec<PgRow>), Fault> {
        connection.ask();
        let mut transaction = Self {
            connection: Some(connection),
            patience: server.patience.answer,
            prepared: server.prepared,
            phase: Phase::Opening,
            broken: false,
        };
        let rows = transaction.script(script).await?;
        transaction.phase = Phase::Working;
        Ok((transaction, rows))
    }

    /// Waits longer from now on: administration takes its time.
    pub(crate) const fn wait(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Runs one prepared statement.
    pub(crate) async fn run(
        &mut self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, Fault> {
        let Some(connection) = &mut self.connection else {
            return Err(Fault::silent(self.phase));
        };
        let query = query.persistent(self.prepared);
        let answer = timeout(self.patience, query.fetch_all(&mut **connection)).await;
        self.check(answer)
    }

    /// Runs one prepared statement and counts the rows it wrote.
    pub(crate) async fn execute(
        &mut self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<u64, Fault> {
        let Some(connection) = &mut self.connection else {
            return Err(Fault::silent(self.phase));
        };
        let query = query.persistent(self.prepared);
        let answer = timeout(self.patience, query.execute(&mut **connection)).await;
        self.check(answer).map(|done| done.rows_affected())
    }

    /// Runs several statements in one message.
    pub(crate) async fn script(
        &mut self,
        script: AssertSqlSafe<String>,
    ) -> Result<Vec<PgRow>, Fault> {
        let Some(connection) = &mut self.connection else {
            return Err(Fault::silent(self.phase));
        };
        let answer = sqlx::raw_sql(script).fetch_all(&mut **connection);
        let answer = timeout(self.patience, answer).await;
        self.check(answer)
    }

    /// Commits. From the moment that COMMIT is sent, a fault that is no refusal by the server
    /// leaves the outcome unknown.
    pub(crate) async fn commit(mut self) -> Result<(), Fault> {
        self.phase = Phase::Committing;
        self.script(AssertSqlSafe("COMMIT".to_owned())).await?;
        // Nothing to roll back: the next may have the connection at once.
        if let Some(mut connection) = self.connection.take() {
            connection.settle();
        }
        Ok(())
    }

    fn check<T>(
        &mut self,
        answer: Result<Result<T, sqlx::Error>, tokio::time::error::Elapsed>,
    ) -> Result<T, Fault> {
        let fault = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Fault::new(error, self.phase),
            Err(_) => Fault::silent(self.phase),
        };
        self.broken = !fault.spares_connection();
        Err(fault)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        if self.broken {
            connection.give_up();
            return;
        }
        // Without a runtime no ROLLBACK can be sent; the [`Lease`] that is dropped here closes its
        // connection then, which rolls back too.
        let Ok(runtime) = Handle::try_current() else { return };
        let patience = self.patience;
        // The pool's own connections come back in the same way, in a task of their own.
        runtime.spawn(async move {
            let undone = sqlx::raw_sql("ROLLBACK").execute(&mut *connection);
            match timeout(patience, undone).await {
                Ok(Ok(_)) => connection.settle(),
                _ => connection.give_up(),
            }
        });
    }
}
