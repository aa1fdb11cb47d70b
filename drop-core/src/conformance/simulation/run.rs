//! Runs, one or many.

use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::play::{DataSet, Failure, Play, Summary};
use super::stage::Stage;

/// Plays one run on a new data set.
///
/// # Errors
/// [`Failure`] where something is not as it must be, with what happened before.
///
/// # Panics
/// Inside of a tokio runtime: a run has one of its own.
pub fn simulate<D: DataSet>(play: Play, data_set: impl Fn() -> D) -> Result<Summary, Failure> {
    once(play, &data_set(), false).map(|(summary, _)| summary).map_err(|failure| {
        // The same again, and this time every word is kept.
        once(play, &data_set(), true).err().unwrap_or(failure)
    })
}

/// Plays one run and gives what happened in it, too, line by line.
///
/// # Errors
/// As [`simulate`].
///
/// # Panics
/// Inside of a tokio runtime.
pub fn trace<D: DataSet>(
    play: Play,
    data_set: impl Fn() -> D,
) -> Result<(Summary, Vec<String>), Failure> {
    once(play, &data_set(), true)
}

/// Plays the runs of all `seeds`, on all cores.
///
/// # Errors
/// The [`Failure`] of the lowest seed that fails, of those that were played.
///
/// # Panics
/// Inside of a tokio runtime.
pub fn simulate_all<D: DataSet>(
    seeds: RangeInclusive<u64>,
    operations: u64,
    data_set: impl Fn() -> D + Sync,
) -> Result<Summary, Failure> {
    let next = AtomicU64::new(*seeds.start());
    let sum = Mutex::new((Summary::default(), None::<Failure>));
    let lock = || sum.lock().unwrap_or_else(PoisonError::into_inner);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut own = Summary::default();
                while lock().1.is_none() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > *seeds.end() {
                        break;
                    }
                    match simulate(Play { operations, ..Play::new(seed) }, &data_set) {
                        Ok(summary) => own.add(&summary),
                        Err(failure) => {
                            let first = &mut lock().1;
                            if first.as_ref().is_none_or(|first| first.play.seed > seed) {
                                *first = Some(failure);
                            }
                        }
                    }
                }
                lock().0.add(&own);
            });
        }
    });
    let (summary, failure) = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    failure.map_or(Ok(summary), Err)
}

fn once(play: Play, data: &dyn DataSet, in_words: bool) -> Result<(Summary, Vec<String>), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        // Whoever decides comes last, when nobody else can go on.
        .event_interval(u32::MAX)
        .build()
        .expect("a runtime");
    let _inside = runtime.enter();
    let mut stage = Stage::new(play, data, in_words);
    let played = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            stage.play().await;
            stage.end().await;
        });
    }));
    match played {
        Ok(()) => {
            stage.summary.trace_hash = stage.trace.hash();
            stage.summary.commits = stage.witness.commits();
            Ok((stage.summary, stage.trace.into_lines()))
        }
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let finding = text.unwrap_or_else(|| "a panic without words".to_owned());
            Err(Failure { play, finding, trace: stage.trace.into_lines() })
        }
    }
}
