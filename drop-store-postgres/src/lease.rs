//! A connection, for as long as somebody uses it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Instant;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use crate::warm::Warm;

/// A connection, for as long as this is kept. Then it is kept warm where it owes no answer, and
/// goes back to the pool otherwise, in bounded time.
#[derive(Debug)]
pub(crate) struct Lease {
    connection: Option<PoolConnection<Postgres>>,
    lent: Instant,
    // Given up behind the connection: by the next turn it is kept already, or its place is free.
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
    const TAKEN: &str = "only its end takes the connection";

    /// Of a connection that the pool gave at `lent`.
    pub(crate) const fn new(
        connection: PoolConnection<Postgres>,
        lent: Instant,
        turn: OwnedSemaphorePermit,
        warm: Arc<Warm>,
    ) -> Self {
        let connection = Some(connection);
        Self { connection, lent, turn: Some(turn), warm, state: State::Asked }
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
        match self.state {
            State::Settled => self.warm.keep(connection, self.lent),
            State::Broken if Handle::try_current().is_ok() => connection.close_on_drop(),
            State::Asked | State::Broken => self.warm.give_back(connection, self.turn.take()),
        }
    }
}
