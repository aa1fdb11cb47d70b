//! [`Waiting`]: the batches that wait for a connection.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drop_core::StoreError;
use drop_core::rules::{Batch, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::flow;
use super::ticket::Ticket;
use crate::fault::{Fault, Phase};
use crate::ledgers::Ledgers;
use crate::server::Server;

pub(crate) use super::ticket::Turn;

/// The batches that wait for a connection, in the order of asking.
///
/// Where one is free, nobody waits here. Else there is a [`Place`] among those who wait for a
/// connection for each [`Waiting::DROPS`] of them, and the connection that comes takes as many as
/// may go together of those who have waited longest.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By rising number.
    tickets: VecDeque<Ticket>,
    numbered: u64,
    /// The places among those who wait for a connection.
    places: usize,
}

impl Waiting {
    /// The most drops in one transaction.
    const DROPS: usize = 64;
    /// So many commands are enough: a batch that makes them more waits for the next transaction.
    const COMMANDS: usize = 256;

    /// Waits for a connection, where none is free, and says what became of the batch meanwhile.
    ///
    /// # Cancel safety
    /// It is committed whole or not at all.
    pub(crate) async fn turn(
        self: &Arc<Self>,
        server: &Server,
        ledgers: &Arc<Ledgers>,
        batch: &Batch,
    ) -> Turn {
        // A server that is made of several keeps drops apart, and nothing is prepared there.
        if !server.prepared || !batch.commands().iter().all(joins) {
            return Turn::Alone(None);
        }
        let Some((number, mut told)) = self.ask(server, ledgers, batch) else {
            return Turn::Alone(None);
        };
        let told = match timeout(server.connection_patience(), &mut told).await {
            Ok(told) => told,
            Err(_) if self.withdraw(number) => {
                let fault = Fault::new(sqlx::Error::PoolTimedOut, Phase::Working);
                return Turn::Taken(Err(fault.into()));
            }
            // It is under way: each answer of the server is waited for, and no longer.
            Err(_) => told.await,
        };
        // Nobody drops a ticket without a word.
        told.unwrap_or(Turn::Alone(None))
    }

    /// Queues the batch; `None` where it has no need to.
    fn ask(
        self: &Arc<Self>,
        server: &Server,
        ledgers: &Arc<Ledgers>,
        batch: &Batch,
    ) -> Option<(u64, oneshot::Receiver<Turn>)> {
        let runtime = Handle::try_current().ok()?;
        let mut state = self.state();
        if state.tickets.is_empty() && server.has_room() {
            return None;
        }
        state.numbered = state.numbered.wrapping_add(1);
        let number = state.numbered;
        let (ticket, told) = Ticket::new(number, batch.clone());
        state.tickets.push_back(ticket);
        let places = state.fill();
        drop(state);
        // Not under the lock: a runtime that ends drops the place here, which takes it.
        for _ in 0..places {
            runtime.spawn(Place::new(self, server, ledgers).wait());
        }
        Some((number, told))
    }

    /// Takes a ticket out again, if it is still there.
    fn withdraw(&self, number: u64) -> bool {
        let mut state = self.state();
        let found = state.tickets.binary_search_by_key(&number, |ticket| ticket.number);
        found.is_ok_and(|index| state.tickets.remove(index).is_some())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Has a place for all who wait, and says how many of them are new.
    fn fill(&mut self) -> usize {
        let needed = self.tickets.len().div_ceil(Waiting::DROPS);
        let new = needed.saturating_sub(self.places);
        self.places = self.places.saturating_add(new);
        new
    }

    /// Takes those who waited longest and are not given up.
    fn take(&mut self) -> Vec<Ticket> {
        let (mut taken, mut commands) = (Vec::new(), 0_usize);
        while taken.len() < Waiting::DROPS
            && let Some(ticket) = self.tickets.pop_front()
        {
            if ticket.is_given_up() {
                continue;
            }
            commands = commands.saturating_add(ticket.batch.commands().len());
            if commands > Waiting::COMMANDS && !taken.is_empty() {
                self.tickets.push_front(ticket);
                break;
            }
            taken.push(ticket);
        }
        taken
    }
}

/// Whether a command may be decided beside other drops': new terms, and who is forgotten, take
/// statements and time of their own.
const fn joins(command: &Command) -> bool {
    match command {
        Command::Reserve { .. }
        | Command::Release { .. }
        | Command::Purchase { .. }
        | Command::Expire => true,
        Command::Amend(_) | Command::Forget { .. } => false,
    }
}

/// A place among those who wait for a connection, for whoever will have waited longest by then.
struct Place {
    waiting: Arc<Waiting>,
    server: Server,
    ledgers: Arc<Ledgers>,
    is_waiting: bool,
    is_over: bool,
}

impl Place {
    fn new(waiting: &Arc<Waiting>, server: &Server, ledgers: &Arc<Ledgers>) -> Self {
        let (waiting, server, ledgers) = (waiting.clone(), server.clone(), ledgers.clone());
        Self { waiting, server, ledgers, is_waiting: true, is_over: false }
    }

    async fn wait(mut self) {
        let lease = match self.server.turn().await {
            Ok(turn) => {
                if !self.server.is_warm() {
                    // Reaching the server may take long: whoever else gets a turn goes first.
                    self.leave(|_| ());
                }
                self.server.lend_in_time(turn).await
            }
            Err(error) => Err(error),
        };
        match lease {
            Ok(lease) => {
                let tickets = self.leave(State::take);
                self.is_over = true;
                flow::run(&self.server, &self.ledgers, lease, tickets).await;
            }
            Err(error) => self.fail(error),
        }
    }

    /// There is no connection: who has waited longest is told, as he would be by himself, and all
    /// of them where there will be none.
    fn fail(&mut self, error: sqlx::Error) {
        let most = if matches!(error, sqlx::Error::PoolClosed) { usize::MAX } else { 1 };
        let tickets = self.leave(|state| {
            let count = state.tickets.len().min(most);
            state.tickets.drain(..count).collect::<Vec<_>>()
        });
        self.is_over = true;
        let error = StoreError::from(Fault::new(error, Phase::Working));
        tickets.into_iter().for_each(|ticket| ticket.done(Err(error.clone())));
    }

    /// Leaves the place with what `take` takes, and has others for those who still wait.
    fn leave<T>(&mut self, take: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.waiting.state();
        if std::mem::take(&mut self.is_waiting) {
            state.places = state.places.saturating_sub(1);
        }
        let taken = take(&mut state);
        let places = state.fill();
        drop(state);
        for _ in 0..places {
            tokio::spawn(Self::new(&self.waiting, &self.server, &self.ledgers).wait());
        }
        taken
    }
}

impl Drop for Place {
    /// Broken off, it leaves nobody waiting.
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut state = self.waiting.state();
        if self.is_waiting {
            state.places = state.places.saturating_sub(1);
        }
        let left = std::mem::take(&mut state.tickets);
        drop(state);
        // Each goes by itself.
        drop(left);
    }
}
