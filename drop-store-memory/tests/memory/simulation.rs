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
            println!(
                "empty {:?} of {}",
                summary.coverage.empty().len(),
                summary.coverage.reachable()
            );
            for cell in summary.coverage.empty().iter().take(40) {
                println!("{cell:?}");
            }
            println!("impossible {:?}", summary.coverage.impossible());
            let mut s = summary.clone();
            s.coverage = Default::default();
            println!(
                "{} ops {} steps {} commits {} faults {} updates",
                s.operations, s.steps, s.commits, s.faults, s.updates
            );
            report.save();
        }
        Err(failure) => panic!("{failure}"),
    }
}
#[test]
fn one() {
    let Some(seed) = std::env::var("DROP_SEED").ok() else { return };
    match simulate(Play::new(seed.parse().unwrap()), in_memory) {
        Ok(s) => println!("{}", s.trace_hash),
        Err(f) => panic!("{f}"),
    }
}

#[test]
fn many() {
    let Some(n) = std::env::var("MANY").ok() else { return };
    let n: u64 = n.parse().unwrap();
    std::panic::set_hook(Box::new(|_| {}));
    let t = std::time::Instant::now();
    let mut sum = drop_core::conformance::simulation::Summary::default();
    let mut found = std::collections::BTreeMap::<String, (u64, Vec<u64>, String)>::new();
    for seed in 1..=n {
        match simulate(Play::new(seed), in_memory) {
            Ok(s) => sum.add(&s),
            Err(f) => {
                let key: String =
                    f.finding.chars().filter(|c| !c.is_ascii_digit()).take(40).collect();
                let e = found.entry(key).or_default();
                e.0 += 1;
                e.1.push(seed);
                if e.2.is_empty() {
                    let n = f.trace.len();
                    e.2 = format!("{}\n{}", f.trace[n.saturating_sub(40)..].join("\n"), f.finding);
                }
            }
        }
    }
    for (k, (n, seeds, text)) in &found {
        println!("=== {k}: {n} {:?}\n{text}", &seeds[..seeds.len().min(5)]);
    }
    println!(
        "{:?} ok {} ops {} steps {} commits {} faults {} updates {} ",
        t.elapsed(),
        sum.runs,
        sum.operations,
        sum.steps,
        sum.commits,
        sum.faults,
        sum.updates
    );
    println!("{}", sum.coverage.table());
    let empty = sum.coverage.empty();
    println!(
        "empty {} of {}; impossible {:?}",
        empty.len(),
        sum.coverage.reachable(),
        sum.coverage.impossible()
    );
    for c in empty.iter().take(60) {
        println!("{c:?}");
    }
}
