//! [`Warm`]: the connections that were used last, in front of the pool.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The connections that were used last: who came back last goes out first.
///
/// sqlx's pool hands its connections out in turn, and sends each a message on its way back
/// (sqlx 0.9.0, `Floating::return_to_pool`). A process of the server that did the same a moment
/// ago does it faster: its plans are made and its caches full. So a drop that sells has one such
/// process, or two, and nothing is sent between one batch and the next.
///
/// Only what owes no answer is kept. All else goes back through the pool, and so does what has been
/// away from it for a minute, which is where connections that are old are replaced.
#[derive(Debug)]
pub(crate) struct Warm {
    /// One for each connection that the pool may have: who has a turn finds a connection here,
    /// or the pool has room for one. Nobody waits at the pool for what is kept here.
    turns: Arc<Semaphore>,
    stack: Mutex<Vec<Kept>>,
    patience: Duration,
}

/// A connection that owes no answer.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) connection: PoolConnection<Postgres>,
    /// When the pool gave it.
    pub(crate) lent: Instant,
    since: Instant,
}

impl Kept {
    /// Whether it was used so lately that it is taken to be alive.
    pub(crate) fn is_trusted(&self) -> bool {
        self.since.elapsed() < Warm::TRUSTED
    }
}

impl Warm {
    /// A connection that was idle for so long is tried before it is used. One that dies
    /// earlier is noticed by its first message, which is sent again on another.
    pub(crate) const TRUSTED: Duration = Duration::from_secs(1);
    /// How long a connection stays away from the pool, in use or not.
    const STAYS: Duration = Duration::from_secs(60);

    /// In front of a pool of so many `connections`; what goes back there has `patience` to show a
    /// sign of life.
    pub(crate) fn new(connections: u32, patience: Duration) -> Self {
        let turns = usize::try_from(connections).unwrap_or(Semaphore::MAX_PERMITS);
        let turns = Arc::new(Semaphore::new(turns.min(Semaphore::MAX_PERMITS)));
        Self { turns, stack: Mutex::default(), patience }
    }

    /// The right to one connection, in the order of asking.
    ///
    /// # Errors
    /// [`sqlx::Error::PoolClosed`].
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit, sqlx::Error> {
        let turn = self.turns.clone().acquire_owned().await;
        turn.map_err(|_| sqlx::Error::PoolClosed)
    }

    /// Whether a turn is free.
    pub(crate) fn has_turn(&self) -> bool {
        self.turns.available_permits() > 0
    }

    /// Whether the one that came back last is taken to be alive.
    pub(crate) fn is_trusted(&self) -> bool {
        self.stack().last().is_some_and(Kept::is_trusted)
    }

    /// The one that came back last.
    pub(crate) fn last(&self) -> Option<Kept> {
        self.stack().pop()
    }

    /// Keeps a connection that owes no answer, unless it is time that the pool sees it; and then
    /// gives its turn to the next.
    pub(crate) fn keep(
        &self,
        connection: PoolConnection<Postgres>,
        lent: Instant,
        turn: Option<OwnedSemaphorePermit>,
    ) {
        let mut stack = self.stack();
        if self.turns.is_closed() || lent.elapsed() >= Self::STAYS {
            drop(stack);
            return self.give_back(connection, turn);
        }
        stack.push(Kept { connection, lent, since: Instant::now() });
        // By its next turn it is here.
        drop(turn);
        // Where fewer are needed than before, those at the bottom are not used any more. What goes
        // back takes a turn along, or somebody would wait for its place.
        let unused = stack.first().is_some_and(|first| first.since.elapsed() >= Self::STAYS);
        let turn = unused.then(|| self.turns.clone().try_acquire_owned().ok()).flatten();
        let unused = turn.is_some().then(|| stack.remove(0));
        drop(stack);
        if let Some(unused) = unused {
            self.give_back(unused.connection, turn);
        }
    }

    /// Gives a connection back to the pool, and then its turn to the next.
    ///
    /// The pool asks for a sign of life and waits for that without end. Where the network swallows
    /// it, the connection's place would be lost until the system gives the socket up, which takes
    /// a quarter of an hour or never comes; a few such and the pool has no room for anybody. So
    /// the sign must come within the store's patience, or the connection is closed.
    pub(crate) fn give_back(
        &self,
        mut connection: PoolConnection<Postgres>,
        turn: Option<OwnedSemaphorePermit>,
    ) {
        let Ok(runtime) = Handle::try_current() else {
            // Without a runtime nothing can be sent: closing the socket rolls back as well. This
            // is where that is seen to, also for what gives up a lease to have it so.
            drop(connection.detach());
            return;
        };
        let back = timeout(self.patience, connection.return_to_pool());
        runtime.spawn(async move {
            // Dropped at its end, it closes the socket and gives the place back.
            let _ = back.await;
            drop(turn);
        });
    }

    /// Keeps nothing any more, and has no more turns.
    pub(crate) fn close(&self) {
        // Whoever keeps one afterwards sees it.
        self.turns.close();
        let kept = std::mem::take(&mut *self.stack());
        for Kept { connection, .. } in kept {
            self.give_back(connection, None);
        }
    }

    fn stack(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.stack.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        self.close();
    }
}
