//! What a run is, and what comes of it.

use std::fmt;
use std::sync::Arc;

use crate::model::Timestamp;
use crate::store::Store;

use super::coverage::Coverage;

/// One new, empty data set, for one run.
///
/// A simulated store does its work when it is called and waits for nobody but itself: the
/// scheduler lets one call go at a time and waits for its end.
pub trait DataSet {
    /// The store, as the process `instance` holds it, numbered from 0. A process that was killed
    /// and started again holds it anew.
    fn store(&self, instance: usize) -> Arc<dyn Store>;

    /// Sets the store's time, forwards or back. It stands still from then on.
    fn set_time(&self, at: Timestamp);
}

/// How one run is played. The same seed, operations and instances are the same run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Play {
    /// What all dice of the run fall by.
    pub seed: u64,
    /// How many calls clients make, repeats included. What workers do comes on top.
    pub operations: u64,
    /// How many instances there are; 2 to 4 as the seed says where there is no number.
    pub instances: Option<usize>,
}

impl Play {
    /// The operations of one run, where nothing else is asked for.
    pub const OPERATIONS: u64 = 500;

    /// A run of [`Play::OPERATIONS`] operations.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, operations: Self::OPERATIONS, instances: None }
    }
}

/// What came of one run, or of several together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many runs.
    pub runs: u64,
    /// A number that is the same for the same run, and for nothing else that was seen: every
    /// decision of the scheduler, every call, answer and change is in it. Of several runs the
    /// numbers are added up, so that their order does not matter.
    pub trace_hash: u64,
    /// Calls made by clients.
    pub operations: u64,
    /// Steps of the scheduler.
    pub steps: u64,
    /// Changes committed.
    pub commits: u64,
    /// Faults made.
    pub faults: u64,
    /// Updates heard by watchers.
    pub updates: u64,
    /// Which faults met which commands in which states.
    pub coverage: Coverage,
}

impl Summary {
    /// Adds another's figures.
    pub fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.trace_hash = self.trace_hash.wrapping_add(other.trace_hash);
        self.operations += other.operations;
        self.steps += other.steps;
        self.commits += other.commits;
        self.faults += other.faults;
        self.updates += other.updates;
        self.coverage.add(&other.coverage);
    }
}

/// A run in which something was not as it must be.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which run.
    pub play: Play,
    /// What was wrong.
    pub finding: String,
    /// What happened until then, the newest last.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        let Play { seed, operations, .. } = self.play;
        writeln!(f, "seed {seed}, {operations} operations: {}", self.finding)
    }
}

impl std::error::Error for Failure {}
