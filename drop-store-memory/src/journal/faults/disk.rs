//! A disk that fails on demand, and may lose what it has not synced.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use drop_core::conformance::Dice;
use redb::StorageBackend;

use crate::journal::medium::Medium;

const PAGE: usize = 4096;

/// Which operations fail. Writes, changes of length and syncs are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The first that fails.
    pub(super) first: u64,
    /// How many fail.
    pub(super) count: u64,
    /// What of a failed one is done all the same.
    pub(super) done: Done,
}

/// What of a failed operation is done all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    Nothing,
    Half,
    All,
    /// Nothing, and instead of saying so it panics, as an engine with a bug does.
    Panic,
}

/// The disk under a page cache, as it is after a failed sync: what could not be written reads
/// as if it were, and no later sync tries it again.
#[derive(Clone, Debug)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What is read.
    cache: Vec<u8>,
    /// What a loss of power leaves.
    kept: Vec<u8>,
    /// Pages that the next sync writes.
    dirty: BTreeSet<usize>,
    operations: u64,
    failed: u64,
    plan: Option<Plan>,
    is_open: bool,
}

impl Disk {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let state = State { cache: bytes.clone(), kept: bytes, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Counts operations from here on, and has some of them fail.
    pub(super) fn plan(&self, plan: Option<Plan>) {
        let mut state = self.state();
        state.operations = 0;
        state.failed = 0;
        state.plan = plan;
    }

    /// Operations that have failed.
    pub(super) fn failed(&self) -> u64 {
        self.state().failed
    }

    /// Operations since the last plan.
    pub(super) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// What no loss of power takes away.
    pub(super) fn kept(&self, range: std::ops::Range<usize>) -> Vec<u8> {
        self.state().kept[range].to_vec()
    }

    /// What is there after a loss of power: pages that were not synced may be, or not.
    pub(super) fn after_power_loss(&self, dice: &mut Dice) -> Self {
        let state = self.state();
        let mut kept = state.kept.clone();
        if dice.below(2) == 0 {
            kept.resize(state.cache.len(), 0);
        }
        for page in &state.dirty {
            if dice.below(2) == 0 {
                copy_page(&state.cache, &mut kept, *page);
            }
        }
        Self::new(kept)
    }

    /// What the next process finds when this one is gone: all of the cache, and what a failed
    /// sync has lost is lost.
    pub(super) fn after_exit(&self) -> Self {
        let state = self.state();
        let State { cache, kept, dirty, .. } = &*state;
        let left = State {
            cache: cache.clone(),
            kept: kept.clone(),
            dirty: dirty.clone(),
            ..State::default()
        };
        Self(Arc::new(Mutex::new(left)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    /// What is to be done of this operation, and whether that is called a success.
    fn next(&mut self) -> (Done, io::Result<()>) {
        let operation = self.operations;
        self.operations += 1;
        match self.plan {
            Some(Plan { first, count, done })
                if (first..first.saturating_add(count)).contains(&operation) =>
            {
                self.failed += 1;
                (done, Err(io::Error::from(io::ErrorKind::StorageFull)))
            }
            _ => (Done::All, Ok(())),
        }
    }
}

/// Panics where that is planned; past the hook, which would print all of the stack.
fn panic_if_planned(state: MutexGuard<'_, State>, done: Done) -> MutexGuard<'_, State> {
    if done == Done::Panic {
        // The disk goes on: it is not the one with the bug.
        drop(state);
        std::panic::resume_unwind(Box::new("planned"));
    }
    state
}

fn copy_page(from: &[u8], to: &mut [u8], page: usize) {
    let start = page * PAGE;
    let end = (start + PAGE).min(from.len()).min(to.len());
    if start < end {
        to[start..end].copy_from_slice(&from[start..end]);
    }
}

impl Medium for Disk {
    fn open(&self) -> Result<Box<dyn StorageBackend>, redb::Error> {
        let mut state = self.state();
        assert!(!state.is_open, "the engine before this one still has it");
        state.is_open = true;
        Ok(Box::new(self.clone()))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        u64::try_from(self.state().cache.len()).map_err(io::Error::other)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let start = usize::try_from(offset).unwrap();
        let bytes = state.cache.get(start..start + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.state();
        let (done, result) = state.next();
        let mut state = panic_if_planned(state, done);
        if done == Done::All {
            state.cache.resize(usize::try_from(length).unwrap(), 0);
        }
        result
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        let (done, result) = state.next();
        let mut state = panic_if_planned(state, done);
        let length = state.cache.len();
        let dirty = std::mem::take(&mut state.dirty);
        if done != Done::Nothing {
            state.kept.resize(length, 0);
        }
        let State { cache, kept, .. } = &mut *state;
        for (index, page) in dirty.into_iter().enumerate() {
            if done == Done::All || (done == Done::Half && index % 2 == 0) {
                copy_page(cache, kept, page);
            }
        }
        result
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let (done, result) = state.next();
        let mut state = panic_if_planned(state, done);
        let length = match done {
            Done::Nothing | Done::Panic => 0,
            Done::Half => data.len() / 2,
            Done::All => data.len(),
        };
        let start = usize::try_from(offset).unwrap();
        let end = start + length;
        if state.cache.len() < end {
            state.cache.resize(end, 0);
        }
        state.cache[start..end].copy_from_slice(&data[..length]);
        state.dirty.extend(start / PAGE..end.div_ceil(PAGE));
        result
    }

    fn close(&self) -> io::Result<()> {
        self.state().is_open = false;
        Ok(())
    }
}
