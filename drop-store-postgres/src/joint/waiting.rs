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
/// Where there is one, nobody waits here. Else one task waits for all of them, and hands each
/// connection that it gets to the transaction of those who waited longest.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tickets: VecDeque<Ticket>,
    numbered: u64,
    /// Whether the task is there. It goes under the lock that shows it nobody.
    served: bool,
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
        let Some((number, mut told)) = self.ask(server, ledgers, batch) else { return Turn::Alone };
        match timeout(server.pool.options().get_acquire_timeout(), &mut told).await {
            Ok(told) => told.unwrap_or_else(|_| gone()),
            Err(_) if self.withdraw(number) => {
                let fault = Fault::new(sqlx::Error::PoolTimedOut, Phase::Working);
                Turn::Taken(Err(fault.into()))
            }
            // It is under way: each answer of the server is waited for, and no longer.
            Err(_) => told.await.unwrap_or_else(|_| gone()),
        }
    }

    /// Queues the batch; `None` where it has no need to.
    fn ask(
        self: &Arc<Self>,
        server: &Server,
        ledgers: &Arc<Ledgers>,
        batch: &Batch,
    ) -> Option<(u64, oneshot::Receiver<Turn>)> {
        // A server that is made of several keeps drops apart, and nothing is prepared there.
        if !server.prepared || !batch.commands().iter().all(joins) {
            return None;
        }
        // It would have to be loaded.
        if !ledgers.has(batch.drop_id()) {
            return None;
        }
        let runtime = Handle::try_current().ok()?;
        let mut state = self.state();
        if state.tickets.is_empty() && server.has_room() {
            return None;
        }
        state.numbered = state.numbered.wrapping_add(1);
        let number = state.numbered;
        let (ticket, told) = Ticket::new(number, batch.clone());
        state.tickets.push_back(ticket);
        if !state.served {
            state.served = true;
            let serving = Serving { waiting: self.clone(), is_over: false };
            runtime.spawn(serving.serve(server.clone(), ledgers.clone()));
        }
        Some((number, told))
    }

    /// Takes a ticket out again, if it is still there.
    fn withdraw(&self, number: u64) -> bool {
        let mut state = self.state();
        let before = state.tickets.len();
        state.tickets.retain(|ticket| ticket.number != number);
        state.tickets.len() < before
    }

    /// Takes those who waited longest and are not given up.
    fn take(&self) -> Vec<Ticket> {
        let mut state = self.state();
        let (mut taken, mut commands) = (Vec::new(), 0_usize);
        while taken.len() < Self::DROPS
            && let Some(ticket) = state.tickets.pop_front()
        {
            if ticket.is_given_up() {
                continue;
            }
            commands = commands.saturating_add(ticket.batch.commands().len());
            if commands > Self::COMMANDS && !taken.is_empty() {
                state.tickets.push_front(ticket);
                break;
            }
            taken.push(ticket);
        }
        taken
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Whoever was to tell has ended before, as at the end of its runtime.
fn gone() -> Turn {
    Turn::Taken(Err(StoreError::Unknown(Arc::new(Gone))))
}

#[derive(Debug, thiserror::Error)]
#[error("the transaction was broken off")]
struct Gone;

/// The task that waits for connections.
struct Serving {
    waiting: Arc<Waiting>,
    is_over: bool,
}

impl Serving {
    async fn serve(mut self, server: Server, ledgers: Arc<Ledgers>) {
        while self.is_needed() {
            match server.acquire_in_time().await {
                Ok(lease) => {
                    let tickets = self.waiting.take();
                    tokio::spawn(flow::run(server.clone(), ledgers.clone(), lease, tickets));
                }
                // Who has waited for so long knows it, and others have not.
                Err(sqlx::Error::PoolTimedOut) => {}
                Err(error) => {
                    let error = StoreError::from(Fault::new(error, Phase::Working));
                    for ticket in self.waiting.take() {
                        ticket.done(Err(error.clone()));
                    }
                }
            }
        }
    }

    fn is_needed(&mut self) -> bool {
        let mut state = self.waiting.state();
        state.served = !state.tickets.is_empty();
        self.is_over = !state.served;
        state.served
    }
}

impl Drop for Serving {
    /// Broken off, it leaves nobody waiting, and room for another.
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut state = self.waiting.state();
        state.served = false;
        let left = std::mem::take(&mut state.tickets);
        drop(state);
        left.into_iter().for_each(Ticket::alone);
    }
}
