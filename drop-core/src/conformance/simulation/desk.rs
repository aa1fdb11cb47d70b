//! Where calls of the stores wait until the scheduler lets them go.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use crate::conformance::Dice;
use crate::error::StoreError;
use crate::model::{DropId, DropSnapshot, NewDrop, Revision, Username};
use crate::rules::{Applied, Batch, Change, Command};
use crate::store::Deletion;

use super::request::{Request, Told};
use super::states::Incarnation;
use super::watcher::Watcher;

/// What becomes of a call that waits.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It goes on.
    Go,
    /// It goes on, and waits again once it is done.
    GoAndWait,
    /// It fails here.
    Fail(StoreError),
    /// It panics here.
    Panic,
}

/// What a call wants of the store.
#[derive(Clone, Debug)]
pub(super) enum What {
    Apply(Arc<Batch>),
    Create(Arc<NewDrop>),
    Delete(DropId),
    DeleteUser(Username),
    Read,
}

impl What {
    /// Whether it is what such a request comes to, as a call of its own and not in a batch.
    pub(super) fn serves(&self, request: &Request) -> bool {
        match (self, request) {
            (Self::Create(made), Request::Create { new }) => **made == *new,
            (Self::Delete(id), Request::Delete { drop_id, .. }) => id == drop_id,
            (Self::DeleteUser(name), Request::DeleteUser { who, .. }) => name == who,
            _ => false,
        }
    }
}

/// A call that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) number: u64,
    pub(super) incarnation: Incarnation,
    pub(super) what: What,
    /// The store has done it already.
    pub(super) done: bool,
    /// Troubles that it has seen, as bits.
    pub(super) troubles: u32,
    /// Its commands whose caller has gone, as bits.
    pub(super) gone: u64,
    /// Not before this step.
    pub(super) held_until: u64,
    go: oneshot::Sender<Verdict>,
}

impl Waiting {
    pub(super) fn let_go(self, verdict: Verdict) {
        // Nobody waits any more where the caller has gone.
        let _ = self.go.send(verdict);
    }

    /// Whether it is a write that is not done yet.
    pub(super) fn is_to_be_done(&self) -> bool {
        !self.done && !matches!(self.what, What::Read)
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_over(&self) -> bool {
        self.go.is_closed()
    }

    /// Whoever asked for this command has gone.
    pub(super) fn caller_gone(&mut self, command: Option<&Command>) {
        if let (What::Apply(batch), Some(command)) = (&self.what, command) {
            let index = batch.commands().iter().position(|other| other == command);
            self.gone |= index.filter(|index| *index < 64).map_or(0, |index| 1 << index);
        }
    }
}

/// What a store did, in the order in which it was done.
#[derive(Debug)]
pub(super) enum Event {
    Applied(Incarnation, Arc<Batch>, Result<Applied, StoreError>),
    Created(Incarnation, NewDrop, Result<DropSnapshot, StoreError>),
    Deleted(Incarnation, DropId, bool, Result<Deletion, StoreError>),
    UserDeleted(Incarnation, Username, Result<Deletion, StoreError>),
    Snapshot(DropId, Option<DropSnapshot>),
    Changes(DropId, Revision, usize, Vec<Arc<Change>>),
    Snapshots(Vec<DropSnapshot>),
    Trimmed(u32),
    /// Somebody has come to watch, or has not been let in.
    Watching(Incarnation, Option<Watcher>),
    /// A caller was answered.
    Answered(u64, Told),
}

/// Shared by the scheduler and all stores of a run.
#[derive(Debug)]
pub(super) struct Desk {
    state: Mutex<State>,
    running: AtomicUsize,
    idle: Notify,
}

#[derive(Debug)]
struct State {
    next: u64,
    waiting: Vec<Waiting>,
    events: Vec<Event>,
    dice: Dice,
    /// One read in so many waits; 0 for none.
    slow_reads: u64,
    /// One hint in so many is lost; 0 for none.
    lost_hints: u64,
}

impl Desk {
    pub(super) fn new(dice: Dice, slow_reads: u64, lost_hints: u64) -> Self {
        let (waiting, events) = (Vec::new(), Vec::new());
        let state = State { next: 0, waiting, events, dice, slow_reads, lost_hints };
        Self { state: Mutex::new(state), running: AtomicUsize::new(0), idle: Notify::new() }
    }

    /// From now on no read waits and no hint is lost.
    pub(super) fn calm(&self) {
        let mut state = self.lock();
        (state.slow_reads, state.lost_hints) = (0, 0);
    }

    /// Waits for the scheduler. What is killed meanwhile waits for ever.
    pub(super) async fn wait(&self, incarnation: Incarnation, what: What, done: bool) -> Verdict {
        let (go, gone) = oneshot::channel();
        {
            let mut state = self.lock();
            let number = state.next;
            state.next += 1;
            let (troubles, held_until) = (0, 0);
            let waiting =
                Waiting { number, incarnation, what, done, troubles, gone: 0, held_until, go };
            state.waiting.push(waiting);
        }
        match gone.await {
            Ok(verdict) => verdict,
            Err(_killed) => std::future::pending().await,
        }
    }

    /// Whether a read waits before and after.
    pub(super) fn slows(&self) -> (bool, bool) {
        let mut state = self.lock();
        if state.slow_reads == 0 {
            return (false, false);
        }
        let sides = state.slow_reads;
        (state.dice.one_in(sides), state.dice.one_in(sides))
    }

    /// Whether a hint arrives.
    pub(super) fn hears(&self) -> bool {
        let mut state = self.lock();
        let sides = state.lost_hints;
        sides == 0 || !state.dice.one_in(sides)
    }

    pub(super) fn note(&self, event: Event) {
        self.lock().events.push(event);
    }

    pub(super) fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut self.lock().events)
    }

    /// Looks at the calls that wait, in the order of their coming.
    pub(super) fn waiting<T>(&self, look: impl FnOnce(&mut Vec<Waiting>) -> T) -> T {
        look(&mut self.lock().waiting)
    }

    /// A call of the store within has begun; it ends with what this returns.
    pub(super) fn run(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::SeqCst);
        Running(self.clone())
    }

    /// Waits until no call of a store within is running.
    pub(super) async fn idle(&self) {
        while self.running.load(Ordering::SeqCst) > 0 {
            self.idle.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call of the store within.
#[derive(Debug)]
pub(super) struct Running(Arc<Desk>);

impl std::ops::Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        self.0.idle.notify_one();
    }
}
