//! Every order of threads that matters, or very many of them.
//!
//! A model is a function of the number of its threads. Built with `--cfg drop_loom` it is run
//! in every order: two threads without bound, three with at most three preemptions. Built with
//! `--cfg drop_shuttle` it is run with more threads in orders that are drawn at random, and by
//! PCT, which finds bugs of small depth with a known probability (Burckhardt et al., 2010).
//! Parts that models run take their locks from a module that the same flags switch.
//!
//! ```text
//! RUSTFLAGS="--cfg drop_loom" cargo test --release -p drop-core --lib models
//! RUSTFLAGS="--cfg drop_shuttle" cargo test --release -p drop-core --lib models
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::report::Report;

#[cfg(drop_loom)]
pub use loom::sync::atomic;
#[cfg(drop_shuttle)]
pub use shuttle::sync::atomic;

#[cfg(drop_loom)]
use loom::thread;
#[cfg(drop_shuttle)]
use shuttle::thread;

/// A model: what so many threads do.
pub type ThreadModel = fn(usize);

/// Runs `work` in so many threads at once, each with its number; the caller is number 0.
///
/// # Panics
/// Where one of them does.
pub fn together(threads: usize, work: impl Fn(usize) + Send + Sync + 'static) {
    let work = Arc::new(work);
    let others: Vec<_> = (1..threads)
        .map(|number| {
            let work = work.clone();
            thread::spawn(move || work(number))
        })
        .collect();
    work(0);
    for other in others {
        other.join().expect("a thread that ends");
    }
}

/// Runs a model and keeps a report of it.
///
/// # Panics
/// Where the model does, in any order of its threads, and where orders are left out.
pub fn explore(name: &str, model: ThreadModel) {
    let mut report = Report::begin(runs::TOPIC, name, runs::REPLAY);
    report.seeds = runs::seed().map(|seed| seed.to_string());
    for (what, figure) in runs::all(model) {
        println!("{name}: {what}: {figure}");
        report = report.figure(&what, &figure);
    }
    report.save();
}

/// Runs a model that is broken on purpose: some order of two or three threads must show it.
///
/// # Panics
/// Where no order panics with `expected`.
pub fn convicts(expected: &str, model: ThreadModel) {
    let outcome = catch_unwind(AssertUnwindSafe(|| runs::all(model)));
    let Err(panic) = outcome else { panic!("no order of threads shows: {expected}") };
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("another panic");
    assert!(text.contains(expected), "{expected} was expected, not {text}");
}

/// In every order.
#[cfg(drop_loom)]
mod runs {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::ThreadModel;

    pub(super) const TOPIC: &str = "loom";
    pub(super) const REPLAY: &str = "RUSTFLAGS=\"--cfg drop_loom\" CARGO_TARGET_DIR=target/loom \
        cargo test --release -p drop-core -p drop-store-memory --lib models";

    /// All orders need no dice.
    pub(super) const fn seed() -> Option<u64> {
        None
    }

    pub(super) fn all(model: ThreadModel) -> Vec<(String, usize)> {
        let two = ("orders of 2 threads, all".to_owned(), orders(model, 2, None));
        let three =
            ("orders of 3 threads, 3 preemptions at most".to_owned(), orders(model, 3, Some(3)));
        vec![two, three]
    }

    /// How many orders there were; loom ends only when it has run all of them.
    fn orders(model: ThreadModel, threads: usize, preemptions: Option<usize>) -> usize {
        let mut builder = loom::model::Builder::new();
        // Said here, so that no variable of the environment cuts it short: with neither a
        // limit of orders nor of time, loom panics where it cannot run all of one.
        builder.preemption_bound = preemptions;
        builder.max_permutations = None;
        builder.max_duration = None;
        builder.checkpoint_file = None;
        builder.max_branches = 100_000;
        let orders = Arc::new(AtomicUsize::new(0));
        let counted = orders.clone();
        builder.check(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            model(threads);
        });
        orders.load(Ordering::Relaxed)
    }
}

/// In orders drawn at random.
#[cfg(drop_shuttle)]
mod runs {
    use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
    use shuttle::{Config, Runner};

    use super::ThreadModel;
    use crate::conformance::report::is_long;

    pub(super) const TOPIC: &str = "shuttle";
    pub(super) const REPLAY: &str = "DROP_SEED=<seed> RUSTFLAGS=\"--cfg drop_shuttle\" \
        CARGO_TARGET_DIR=target/shuttle \
        cargo test --release -p drop-core -p drop-store-memory --lib models";

    const THREADS: [usize; 3] = [2, 3, 5];
    /// Preemptions that PCT places.
    const DEPTH: usize = 3;

    /// The seed of this run: 1, or what `DROP_SEED` says.
    pub(super) fn seed() -> Option<u64> {
        let wanted = std::env::var("DROP_SEED").ok().and_then(|text| text.parse().ok());
        wanted.or(Some(1))
    }

    pub(super) fn all(model: ThreadModel) -> Vec<(String, usize)> {
        let seed = seed().unwrap_or_default();
        let orders = if is_long() { 1_000_000 } else { 10_000 };
        println!("seed {seed}, once more: DROP_SEED={seed} and the same command");
        let mut done = Vec::new();
        for threads in THREADS {
            run(RandomScheduler::new_from_seed(seed, orders), model, threads);
            run(PctScheduler::new_from_seed(seed, DEPTH, orders), model, threads);
            let what = format!("orders of {threads} threads, at random and by PCT each");
            done.push((what, orders));
        }
        done
    }

    fn run(scheduler: impl Scheduler + 'static, model: ThreadModel, threads: usize) {
        Runner::new(scheduler, Config::new()).run(move || model(threads));
    }
}
