//! [`Ticket`]: a batch that waits for a connection, and how it is told of its turn.

use drop_core::StoreError;
use drop_core::rules::{Applied, Batch};
use tokio::sync::oneshot;

/// What becomes of a batch that asked for a connection.
#[derive(Debug)]
pub(crate) enum Turn {
    /// It goes by itself. Nothing was written for it so far.
    Alone,
    /// It went with others, and this became of it.
    Taken(Result<Applied, StoreError>),
}

/// A batch that waits for a connection.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(super) number: u64,
    pub(super) batch: Batch,
    answer: oneshot::Sender<Turn>,
}

impl Ticket {
    pub(super) fn new(number: u64, batch: Batch) -> (Self, oneshot::Receiver<Turn>) {
        let (answer, answered) = oneshot::channel();
        (Self { number, batch, answer }, answered)
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_given_up(&self) -> bool {
        self.answer.is_closed()
    }

    pub(super) fn alone(self) {
        self.tell(Turn::Alone);
    }

    pub(super) fn done(self, applied: Result<Applied, StoreError>) {
        self.tell(Turn::Taken(applied));
    }

    fn tell(self, turn: Turn) {
        // Who has left hears of a commit by the feed.
        let _ = self.answer.send(turn);
    }
}
