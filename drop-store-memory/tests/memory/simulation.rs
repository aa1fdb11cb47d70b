//! The simulation of drop-core's suite, on the memory store.
//!
//! `cargo test --release -p drop-store-memory --test memory simulation:: -- --nocapture` plays all
//! seeds; with `DROP_SEED=7` before it, only that one, and every step of it is printed; with
//! `DROP_PART=2/4` the second quarter of them.

use std::ops::RangeInclusive;
use std::sync::Arc;

use drop_core::conformance::simulation::{DataSet, Play, simulate, simulate_all, trace};
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
/// And what it is called: `DROP_PART=2/4` plays the second quarter.
fn seeds() -> (RangeInclusive<u64>, String) {
    let all = match (cfg!(debug_assertions), is_long()) {
        (true, _) => 300,
        (false, false) => 20_000,
        (false, true) => 1_000_000,
    };
    let Ok(part) = std::env::var("DROP_PART") else {
        return (1..=all, "memory store".to_owned());
    };
    let numbers = part
        .split_once('/')
        .and_then(|(part, of)| Some((part.parse::<u64>().ok()?, of.parse::<u64>().ok()?)));
    match numbers {
        Some((part, of)) if 0 < part && part <= of => {
            let seeds = (part - 1) * all / of + 1..=part * all / of;
            (seeds, format!("memory store, part {part} of {of}"))
        }
        _ => panic!("DROP_PART={part} is no part: 2/4 is the second quarter"),
    }
}

const REPLAY: &str =
    "cargo test --release -p drop-store-memory --test memory simulation:: -- --nocapture";

#[test]
fn a_simulated_shop_keeps_every_invariant() {
    if let Ok(seed) = std::env::var("DROP_SEED") {
        let play = Play::new(seed.parse().unwrap());
        match trace(play, in_memory) {
            Ok((summary, lines)) => {
                println!("{}\ntrace hash {:016x}", lines.join("\n"), summary.trace_hash);
            }
            Err(failure) => panic!("{failure}"),
        }
        return;
    }
    let (seeds, name) = seeds();
    let report = Report::begin("simulation", &name, &format!("DROP_SEED=7 {REPLAY}"));
    println!("seeds {seeds:?} of {} operations", Play::OPERATIONS);
    let summary = match simulate_all(seeds.clone(), Play::OPERATIONS, in_memory) {
        Ok(summary) => summary,
        Err(failure) => panic!("{failure}\nDROP_SEED={} {REPLAY}", failure.play.seed),
    };
    let coverage = &summary.coverage;
    assert_eq!(coverage.impossible(), [], "met, and said to be unreachable");
    println!("{}", coverage.table());
    // The few runs of a debug build do not come everywhere.
    if !cfg!(debug_assertions) {
        let empty = coverage.empty();
        assert_eq!(empty, [], "{} of {} never met", empty.len(), coverage.reachable());
    }
    report
        .figure("runs", &summary.runs)
        .figure("operations", &summary.operations)
        .figure("steps", &summary.steps)
        .figure("changes committed", &summary.commits)
        .figure("faults", &summary.faults)
        .figure("updates heard by watchers", &summary.updates)
        .figure("reachable cells of (state x command x fault)", &coverage.reachable())
        .figure("of these never met", &coverage.empty().len())
        .figure("fewest hits of one", &coverage.fewest())
        .figure("trace hash", &format!("{:016x}", summary.trace_hash))
        .seeds(&format!("{} to {}", seeds.start(), seeds.end()))
        .table(coverage.table())
        .save();
}

/// Runs that have found an error, if only one of those who judge them.
#[test]
fn what_was_found_before() {
    for seed in [309, 1_877, 721_072, 795_449, 972_275] {
        if let Err(failure) = simulate(Play::new(seed), in_memory) {
            panic!("{failure}\nDROP_SEED={seed} {REPLAY}");
        }
    }
}

#[test]
fn the_same_seed_is_the_same_run_on_any_thread() {
    let count = if cfg!(debug_assertions) { 20 } else { 500 };
    let play = |seeds: RangeInclusive<u64>| {
        let runs = seeds.map(|seed| simulate(Play::new(seed), in_memory).unwrap());
        runs.collect::<Vec<_>>()
    };
    let (once, again) = std::thread::scope(|scope| {
        let other = scope.spawn(|| play(1..=count));
        (play(1..=count), other.join().unwrap())
    });
    assert_eq!(once, again);
    let hashes: std::collections::BTreeSet<_> = once.iter().map(|run| run.trace_hash).collect();
    assert_eq!(hashes.len(), once.len(), "two seeds are two runs");
}
