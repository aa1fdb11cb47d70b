//! A connection of the pool that goes back to it in bounded time.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// A connection of the pool, for as long as this is kept.
///
/// sqlx asks a connection for a sign of life before it takes it back, and waits for that
/// without end (sqlx 0.9.0, `Floating::return_to_pool`). Where the network swallows it, the
/// connection's place in the pool would be lost until the system gives the socket up, which
/// takes a quarter of an hour or never comes; a few such and the pool has no room for anybody.
/// Here the sign must come within `patience`, or the connection is closed and its place free.
#[derive(Debug)]
pub(crate) struct Lease {
    connection: Option<PoolConnection<Postgres>>,
    patience: Duration,
    broken: bool,
}

impl Lease {
    const TAKEN: &str = "only its end takes the connection";

    pub(crate) const fn new(connection: PoolConnection<Postgres>, patience: Duration) -> Self {
        Self { connection: Some(connection), patience, broken: false }
    }

    /// The connection is no good any more: it does not go back.
    pub(crate) const fn give_up(&mut self) {
        self.broken = true;
    }
}

impl Deref for Lease {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect(Self::TAKEN)
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect(Self::TAKEN)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let Ok(runtime) = Handle::try_current() else {
            // Without a runtime nothing can be sent: closing the socket rolls back as well. This
            // is where that is seen to, also for what gives up a lease to have it so.
            drop(connection.detach());
            return;
        };
        if self.broken {
            connection.close_on_drop();
            return;
        }
        // Dropped at its end, it closes the socket and gives the place back.
        runtime.spawn(timeout(self.patience, connection.return_to_pool()));
    }
}
