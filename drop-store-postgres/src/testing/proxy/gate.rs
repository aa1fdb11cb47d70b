//! [`Gate`]: steps that wait until a test lets them go.

use tokio::sync::{mpsc, oneshot};

use super::step::Step;
use super::verdict::Verdict;

/// Where the steps of a [`SqlProxy`](super::SqlProxy) wait that are judged
/// [`Verdict::Hold`]. Once it is gone, they pass.
#[derive(Debug)]
pub struct Gate {
    waiting: mpsc::UnboundedReceiver<Held>,
}

impl Gate {
    pub(super) fn over(waiting: mpsc::UnboundedReceiver<Held>) -> Self {
        Self { waiting }
    }

    /// The next step that waits; `None` once the proxy is gone.
    ///
    /// # Cancel safety
    /// No step is lost.
    pub async fn next(&mut self) -> Option<Held> {
        self.waiting.recv().await
    }
}

/// A step that waits. Dropped, it passes.
#[derive(Debug)]
pub struct Held {
    step: Step,
    release: Option<oneshot::Sender<Verdict>>,
}

impl Held {
    pub(super) fn new(step: Step, release: oneshot::Sender<Verdict>) -> Self {
        Self { step, release: Some(release) }
    }

    /// Which step.
    #[must_use]
    pub const fn step(&self) -> &Step {
        &self.step
    }

    /// Lets it go.
    pub fn release(self) {
        self.decide(Verdict::Pass);
    }

    /// Gives it this verdict.
    pub fn decide(mut self, verdict: Verdict) {
        if let Some(release) = self.release.take() {
            // A connection that has gone meanwhile needs no verdict.
            let _ = release.send(verdict);
        }
    }
}
