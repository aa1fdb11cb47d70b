//! The server as the store sees it: a pool, and how long to wait for what.

use std::sync::Arc;
use std::time::{Duration, Instant};

use drop_core::StoreError;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::fault::{Fault, Phase};
use crate::lease::Lease;
use crate::literal::{Literal, spell};
use crate::tries::Tries;
use crate::warm::Warm;

/// How long the store waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For a drop's lock.
    pub(crate) lock: Duration,
    /// For any answer of the server, its waiting for a lock included.
    pub(crate) answer: Duration,
    /// Until the server ends a transaction whose process says nothing more.
    pub(crate) idle: Duration,
}

/// The pool with its settings.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) pool: PgPool,
    pub(crate) patience: Patience,
    /// Whether statements are prepared by name and kept.
    pub(crate) prepared: bool,
    warm: Arc<Warm>,
}

impl Server {
    /// What administration may take: deleting a million rows is no sign of a dead server.
    const LONG: u32 = 60;

    pub(crate) fn new(pool: PgPool, patience: Patience, prepared: bool) -> Self {
        let warm = Arc::new(Warm::new(pool.options().get_max_connections(), patience.answer));
        Self { pool, patience, prepared, warm }
    }

    /// Closes every connection, after what is under way.
    ///
    /// # Cancel safety
    /// None is given any more; those that are there are closed behind the caller's back.
    pub(crate) async fn close(&self) {
        self.warm.close();
        self.pool.close().await;
    }

    /// Runs a script in a connection of its own and gives all its rows.
    ///
    /// # Cancel safety
    /// A script is one message: it runs whole or not at all.
    pub(crate) async fn run(
        &self,
        script: &str,
        values: &[Literal<'_>],
    ) -> Result<Vec<PgRow>, Fault> {
        self.run_within(self.patience.answer, spell(script, values)).await
    }

    /// [`Server::run`] for administration.
    pub(crate) async fn run_long(
        &self,
        script: &str,
        values: &[Literal<'_>],
    ) -> Result<Vec<PgRow>, Fault> {
        self.run_within(self.long(), spell(script, values)).await
    }

    /// [`Server::run`] for what may run twice: it tries again by itself.
    pub(crate) async fn read(
        &self,
        script: &str,
        values: &[Literal<'_>],
    ) -> Result<Vec<PgRow>, StoreError> {
        let mut tries = self.tries();
        loop {
            match self.run(script, values).await {
                Ok(rows) => return Ok(rows),
                Err(fault) => tries.again(fault).await?,
            }
        }
    }

    pub(crate) fn tries(&self) -> Tries {
        Tries::new(self.pool.options().get_max_connections())
    }

    pub(crate) const fn long(&self) -> Duration {
        self.patience.answer.saturating_mul(Self::LONG)
    }

    /// Whether a connection is free, and nobody waits for it.
    pub(crate) fn has_room(&self) -> bool {
        self.warm.has_turn()
    }

    /// Whether the next connection that is lent is there already.
    pub(crate) fn is_warm(&self) -> bool {
        self.warm.is_trusted()
    }

    async fn run_within(
        &self,
        patience: Duration,
        script: AssertSqlSafe<String>,
    ) -> Result<Vec<PgRow>, Fault> {
        let mut connection = self.acquire().await?;
        let answer = sqlx::raw_sql(script).fetch_all(&mut *connection);
        match timeout(patience, answer).await {
            Ok(Ok(rows)) => {
                connection.settle();
                Ok(rows)
            }
            Ok(Err(error)) => {
                let fault = Fault::new(error, Phase::Opening);
                if !fault.spares_connection() {
                    connection.give_up();
                }
                Err(fault)
            }
            Err(_) => {
                connection.give_up();
                Err(Fault::silent(Phase::Working))
            }
        }
    }

    /// A connection, in the order of asking.
    ///
    /// # Cancel safety
    /// Who leaves has taken nothing.
    pub(crate) async fn acquire(&self) -> Result<Lease, Fault> {
        let lease = timeout(self.connection_patience(), async {
            let turn = self.warm.turn().await?;
            self.lend(turn).await
        });
        let lease = lease.await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        // Whatever keeps a connection from being given, nothing was asked of one.
        lease.map_err(|error| Fault::new(error, Phase::Working))
    }

    /// How long a connection is waited for.
    pub(crate) fn connection_patience(&self) -> Duration {
        self.pool.options().get_acquire_timeout()
    }

    /// The right to one connection, in the order of asking, however long that takes.
    ///
    /// # Cancel safety
    /// Who leaves has taken nothing.
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit, sqlx::Error> {
        self.warm.turn().await
    }

    /// The connection of a turn.
    ///
    /// # Cancel safety
    /// Who leaves has taken nothing.
    pub(crate) async fn lend_in_time(
        &self,
        turn: OwnedSemaphorePermit,
    ) -> Result<Lease, sqlx::Error> {
        let lease = timeout(self.connection_patience(), self.lend(turn)).await;
        lease.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    async fn lend(&self, turn: OwnedSemaphorePermit) -> Result<Lease, sqlx::Error> {
        let mut lease = Lease::new(turn, self.warm.clone());
        while let Some(kept) = self.warm.last() {
            let trusted = kept.is_trusted();
            lease.fill(kept.connection, kept.lent);
            if trusted || lease.is_alive().await {
                return Ok(lease);
            }
        }
        lease.fill(self.pool.acquire().await?, Instant::now());
        Ok(lease)
    }
}

/// A span in whole milliseconds, at least one: zero would mean "for ever" to the server.
pub(crate) fn millis(span: Duration) -> i64 {
    i64::from(i32::try_from(span.as_millis()).unwrap_or(i32::MAX).max(1))
}
