//! [`Ticket`]: a batch that waits for a connection, and how it is told of its turn.

use std::sync::Arc;

use drop_core::StoreError;
use drop_core::rules::{Applied, Batch};
use tokio::sync::oneshot;

use crate::lease::Lease;

/// What becomes of a batch that asked for a connection.
#[derive(Debug)]
pub(crate) enum Turn {
    /// It goes by itself, on this connection if there is one. Nothing was written for it so far.
    Alone(Option<Lease>),
    /// It went with others, and this became of it.
    Taken(Result<Applied, StoreError>),
}

/// A batch that waits for a connection. Dropped, it is told to go by itself, or that nobody knows
/// where its transaction was about to be committed.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(super) number: u64,
    pub(super) batch: Batch,
    answer: Option<oneshot::Sender<Turn>>,
    in_doubt: bool,
}

impl Ticket {
    pub(super) fn new(number: u64, batch: Batch) -> (Self, oneshot::Receiver<Turn>) {
        let (answer, told) = oneshot::channel();
        (Self { number, batch, answer: Some(answer), in_doubt: false }, told)
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_given_up(&self) -> bool {
        self.answer.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// From now on it may be committed without anybody hearing of it.
    pub(super) const fn doubt(&mut self) {
        self.in_doubt = true;
    }

    /// It goes by itself.
    pub(super) fn alone(mut self, lease: Option<Lease>) {
        self.tell(Turn::Alone(lease));
    }

    pub(super) fn done(mut self, applied: Result<Applied, StoreError>) {
        self.tell(Turn::Taken(applied));
    }

    fn tell(&mut self, turn: Turn) {
        if let Some(answer) = self.answer.take() {
            // Who has left hears of a commit by the feed, and leaves his connection to others.
            let _ = answer.send(turn);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.tell(match self.in_doubt {
            true => Turn::Taken(Err(StoreError::Unknown(Arc::new(BrokenOff)))),
            false => Turn::Alone(None),
        });
    }
}

/// Whoever was to tell has ended before, as at the end of its runtime.
#[derive(Debug, thiserror::Error)]
#[error("the transaction was broken off")]
struct BrokenOff;
