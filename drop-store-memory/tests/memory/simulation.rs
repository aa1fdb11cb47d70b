//! The simulation of drop-core's suite, on the memory store.
//!
//! `DROP_SEED=7 cargo test -p drop-store-memory --test memory simulation` plays one seed again
//! and prints every step of it.

use std::sync::Arc;

use drop_core::conformance::simulation::{DataSet, Play, simulate, simulate_all};
use drop_core::conformance::{Report, START, is_long};
use drop_core::model::Timestamp;
use drop_core::{ManualClock, Store};
use drop_store_memory::MemoryStore;

struct InMemory {
    store: MemoryStore,
    clock: Arc<ManualClock>,
}

impl DataSet for InMemory {
    fn store(&self, _instance: usize) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    fn set_time(&self, at: Timestamp) {
        self.clock.jump(at);
    }
}

fn in_memory() -> InMemory {
    let clock = Arc::new(ManualClock::new(START));
    InMemory { store: MemoryStore::with_clock(clock.clone()), clock }
}

/// The seeds of this run: all of them in release, few where every check costs ten times more.
fn seeds() -> u64 {
    match (is_long(), cfg!(debug_assertions)) {
        (true, _) => 1_000_000,
        (false, false) => 20_000,
        (false, true) => 300,
    }
}

#[test]
fn a_simulated_shop_keeps_every_invariant() {
    let report = Report::begin("simulation", "memory", "x");
    let seeds = std::env::var("SEEDS").ok().map_or(seeds(), |s| s.parse().unwrap());
    match simulate_all(1..=seeds, Play::OPERATIONS, in_memory) {
        Ok(summary) => {
            println!("{}", summary.coverage.table());
            println!("empty {:?} of {}", summary.coverage.empty().len(), summary.coverage.reachable());
            for cell in summary.coverage.empty().iter().take(40) { println!("{cell:?}"); }
            println!("impossible {:?}", summary.coverage.impossible());
            let mut s = summary.clone(); s.coverage = Default::default();
            println!("{} ops {} steps {} commits {} faults {} updates", s.operations, s.steps, s.commits, s.faults, s.updates);
            report.save();
        }
        Err(failure) => panic!("{failure}"),
    }
}
#[test]
fn one() {
    let Some(seed) = std::env::var("DROP_SEED").ok() else { return };
    match simulate(Play::new(seed.parse().unwrap()), in_memory) { Ok(s) => println!("{}", s.trace_hash), Err(f) => panic!("{f}") }
}
