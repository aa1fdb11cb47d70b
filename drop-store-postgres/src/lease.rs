//! A connection, for as long as somebody uses it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Instant;

use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, Postgres};
use tokio::sync::OwnedSemaphorePermit;

use crate::warm::Warm;

/// A connection, for as long as this is kept, and the turn that it goes with. Then it is kept warm
/// where it owes no answer, and goes back to the pool otherwise, in bounded time.
#[derive(Debug)]
pub(crate) struct Lease {
    connection: Option<PoolConnection<Postgres>>,
    lent: Instant,
    turn: Option<OwnedSemaphorePermit>,
    warm: Arc<Warm>,
    state: State,
}

/// What the server still has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Maybe something: somebody may have left in the middle of it.
    Asked,
    /// Nothing.
    Settled,
    /// The connection is no good any more.
    Broken,
}

impl Lease {
    const TAKEN: &str = "nobody has a lease before it is filled, and only its end empties it";

    /// Of no connection yet.
    pub(crate) fn new(turn: OwnedSemaphorePermit, warm: Arc<Warm>) -> Self {
        let (lent, turn) = (Instant::now(), Some(turn));
        Self { connection: None, lent, turn, warm, state: State::Asked }
    }

    /// Of this connection, which the pool gave at `lent`.
    pub(crate) fn fill(&mut self, connection: PoolConnection<Postgres>, lent: Instant) {
        (self.connection, self.lent, self.state) = (Some(connection), lent, State::Asked);
    }

    /// Whether the server answers; else the lease is of no connection any more.
    ///
    /// Until it has answered the connection is taken for dead, also where nobody waits any longer.
    pub(crate) async fn is_alive(&mut self) -> bool {
        self.state = State::Broken;
        let alive = self.ping().await.is_ok();
        if alive {
            self.state = State::Asked;
        } else {
            self.end();
        }
        alive
    }

    /// Something is asked: until it is [settled](Lease::settle), it may owe an answer.
    pub(crate) const fn ask(&mut self) {
        self.state = State::Asked;
    }

    /// Everything that was asked is answered, and no transaction is open: it may be used again as
    /// it is.
    pub(crate) const fn settle(&mut self) {
        self.state = State::Settled;
    }

    /// The connection is no good any more: it does not go back.
    pub(crate) const fn give_up(&mut self) {
        self.state = State::Broken;
    }

    /// The connection goes where it belongs, and the turn after it.
    fn end(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        match self.state {
            State::Settled => self.warm.keep(connection, self.lent, self.turn.take()),
            // Without a farewell: its socket is closed and its place in the pool free at once.
            State::Broken => drop(connection.detach()),
            State::Asked => self.warm.give_back(connection, self.turn.take()),
        }
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
        self.end();
    }
}
