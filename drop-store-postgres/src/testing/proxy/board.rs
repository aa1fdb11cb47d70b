//! What the connections of one proxy share.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot, watch};

use super::gate::{Gate, Held};
use super::step::Step;
use super::verdict::Verdict;

type Judge = Box<dyn FnMut(&Step) -> Verdict + Send>;

/// The judge, the gate, and what was seen.
#[derive(Debug)]
pub(super) struct Board {
    state: Mutex<State>,
    /// Counts what happens, for those who wait for something.
    happened: watch::Sender<u64>,
}

struct State {
    judge: Judge,
    gate: Option<mpsc::UnboundedSender<Held>>,
    steps: Vec<Step>,
    errors: Vec<String>,
    /// Every open connection.
    links: BTreeMap<u64, LinkState>,
    numbered: u64,
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LinkState {
    /// A step waits at the gate or for its answer.
    pub(super) busy: bool,
    /// A transaction is open, by the last answer.
    pub(super) open: bool,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("links", &self.links).finish_non_exhaustive()
    }
}

impl Default for Board {
    fn default() -> Self {
        let state = State {
            judge: Box::new(|_| Verdict::Pass),
            gate: None,
            steps: Vec::new(),
            errors: Vec::new(),
            links: BTreeMap::new(),
            numbered: 0,
        };
        Self { state: Mutex::new(state), happened: watch::Sender::new(0) }
    }
}

impl Board {
    pub(super) fn set_judge(&self, judge: Judge) {
        self.lock().judge = judge;
    }

    pub(super) fn open_gate(&self) -> Gate {
        let (sender, waiting) = mpsc::unbounded_channel();
        self.lock().gate = Some(sender);
        Gate::over(waiting)
    }

    pub(super) fn take_steps(&self) -> Vec<Step> {
        std::mem::take(&mut self.lock().steps)
    }

    pub(super) fn note_error(&self, sqlstate: String) {
        self.lock().errors.push(sqlstate);
    }

    pub(super) fn take_errors(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().errors)
    }

    /// Numbers a step, notes it and judges it. What is held comes with whom to wait for.
    pub(super) fn judge(&self, mut step: Step) -> (Verdict, Option<oneshot::Receiver<Verdict>>) {
        let mut state = self.lock();
        state.numbered += 1;
        step.number = state.numbered;
        state.steps.push(step.clone());
        let verdict = (state.judge)(&step);
        if verdict != Verdict::Hold {
            return (verdict, None);
        }
        let (release, released) = oneshot::channel();
        let held = Held::new(step, release);
        match state.gate.as_ref().map(|gate| gate.send(held)) {
            Some(Ok(())) => (verdict, Some(released)),
            _ => (Verdict::Pass, None),
        }
    }

    pub(super) fn set_link(&self, connection: u64, link: LinkState) {
        self.lock().links.insert(connection, link);
        self.happened.send_modify(|count| *count += 1);
    }

    pub(super) fn remove_link(&self, connection: u64) {
        self.lock().links.remove(&connection);
        self.happened.send_modify(|count| *count += 1);
    }

    /// Returns once no step is under way and no transaction open.
    pub(super) async fn quiet(&self) {
        let mut happened = self.happened.subscribe();
        let quiet = |_: &u64| !self.lock().links.values().any(|link| link.busy || link.open);
        // The board has the sender: it is not gone.
        let _ = happened.wait_for(quiet).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
