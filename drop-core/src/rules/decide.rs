//! The one function that decides.

use std::sync::Arc;

use crate::model::Revision;
use crate::model::Timestamp;

use super::draft::Draft;
use super::{Applied, Batch, Change, Corruption, Ledger, Outcome};

/// Decides a batch: settles what has lapsed, then answers each command in order.
///
/// Holds every rule of selling: windows, variants, limits, repeats, ownership, expiry.
/// Pure: the same ledger and batch give the same decision.
///
/// # Errors
/// [`Corruption`] when rows and counters contradict each other. Nothing may be written then.
pub fn decide(ledger: Ledger, batch: &Batch) -> Result<Decision, Corruption> {
    let as_of = ledger.as_of;
    let before = ledger.revision;
    let mut draft = Draft::open(ledger, batch)?;
    draft.settle()?;
    let mut outcomes = Vec::with_capacity(batch.commands().len());
    for (index, command) in batch.commands().iter().enumerate() {
        outcomes.push(draft.answer(index, command)?);
    }
    let change = draft.close().map(Arc::new);
    let revision = change.as_ref().map_or(before, |change| change.revision);
    Ok(Decision { as_of, revision, outcomes, change })
}

/// What was decided and is not written yet.
#[derive(Debug)]
#[must_use = "a decision counts only once it is committed"]
pub struct Decision {
    as_of: Timestamp,
    revision: Revision,
    outcomes: Vec<Outcome>,
    change: Option<Arc<Change>>,
}

impl Decision {
    /// What the store has to write, if anything: refusals and repeats write nothing.
    #[must_use]
    pub const fn change(&self) -> Option<&Arc<Change>> {
        self.change.as_ref()
    }

    /// What will be answered. Nobody may be told before it is committed.
    #[must_use]
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// The answers, once the change is written and committed.
    #[must_use]
    pub fn committed(self) -> Applied {
        Applied::new(self.as_of, self.revision, self.outcomes, self.change)
    }
}
