//! An IO error at every operation of every kind of commit, of reopening too: what was
//! acknowledged survives, what was not converges when repeated, and the store sells on without
//! a restart once the fault is over.

mod disk;
mod restart;
mod resynced;
mod script;

use std::collections::BTreeMap;
use std::sync::Arc;

use drop_core::conformance::{Dice, Report, START, is_long};
use drop_core::model::{DropId, Revision};
use drop_core::{ManualClock, Store, StoreError};
use redb::Database;

use crate::MemoryStore;
use crate::journal::FileStore;
use crate::journal::load::Loaded;
use crate::journal::open::fill;
use crate::journal::pause::Pause;
use crate::journal::redb_log::RedbLog;

use disk::{Disk, Done, Plan};
use script::{STEPS, facts, prepare, refused};

/// Commits after the last fault until which the store must be well again.
const PATIENCE: u64 = 3;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(START))
}

/// A store on what the disk has, as a new process opens it.
fn open(disk: &Disk, context: &str) -> MemoryStore {
    let opened = RedbLog::open(Box::new(disk.clone()), Pause::none());
    let opened = opened.unwrap_or_else(|error| panic!("{context}: {error:?}"));
    let (log, Loaded { users, drops, .. }) = opened;
    MemoryStore::over(clock(), Box::new(log), users, drops)
}

/// A disk with a little in it.
fn prepared() -> Disk {
    let disk = Disk::new(Vec::new());
    let database = Database::builder().create_with_backend(disk.clone()).unwrap();
    fill(&database).unwrap();
    drop(database);
    prepare(&open(&disk, "prepared"));
    disk
}

/// What the script makes of a disk that does not fail.
fn reference(base: &Disk) -> String {
    let store = open(&base.after_power_loss(&mut Dice::new(0)), "reference");
    for (step, ask) in STEPS {
        ask(&store, &mut Acknowledged::default()).unwrap_or_else(|e| panic!("{step}: {e:?}"));
    }
    facts(&store)
}

/// Revisions that callers were told of.
#[derive(Debug, Default)]
struct Acknowledged(BTreeMap<DropId, Revision>);

impl Acknowledged {
    fn told(&mut self, id: DropId, revision: Revision) {
        let known = self.0.entry(id).or_insert(revision);
        *known = revision.max(*known);
    }

    /// Everything that was acknowledged is in `store`.
    fn assert_in(&self, store: &MemoryStore, context: &str) {
        for (id, revision) in &self.0 {
            let shelf = store.shelves().shelf(*id);
            let shelf = shelf.unwrap_or_else(|| panic!("{context}: drop {id} is lost"));
            let found = shelf.lock().revision();
            assert!(found >= *revision, "{context}: drop {id} at {found}, told {revision}");
        }
    }
}

/// Runs the script with one plan; returns whether anything failed.
fn run(base: &Disk, plan: Plan, expected: &str, seed: u64) -> bool {
    let mut dice = Dice::new(seed);
    let disk = base.after_power_loss(&mut dice);
    let store = open(&disk, "at first");
    let mut acknowledged = Acknowledged::default();
    disk.plan(Some(plan));
    let mut dark = None;
    for (step, ask) in STEPS {
        let context = format!("{plan:?}, {step}");
        let mut attempts = 0;
        while let Err(error) = ask(&store, &mut acknowledged) {
            assert!(error.is_retryable(), "{context}: {error:?}");
            assert!(disk.failed() > 0, "{context}: {error:?}");
            // Readers are served whatever the disk does, and see what they were told.
            acknowledged.assert_in(&store, &context);
            dark.get_or_insert_with(|| disk.after_power_loss(&mut dice));
            if store.recover_now().is_ok() {
                // Neither is ahead: what was in doubt is decided.
                let file = open(&disk.after_power_loss(&mut dice), &context);
                assert_same(&whole(&store), &whole(&file), &format!("{context}, recovered"));
            }
            attempts += 1;
            assert!(attempts <= plan.count + PATIENCE, "{context}: it does not recover: {error:?}");
        }
        store.shelves().ready().unwrap_or_else(|error| panic!("{context}: {error}"));
        if let Some(dark) = dark.take() {
            // Power lost at the first failure of the step: a step more or less, and whole.
            let after = open(&dark, &format!("{context}, power lost"));
            drop(after);
        }
    }
    let context = format!("{plan:?}");
    acknowledged.assert_in(&store, &context);
    assert_same(&facts(&store), expected, &context);
    // Nothing of what was acknowledged is only in the cache.
    let restarted = open(&disk.after_power_loss(&mut dice), &context);
    assert_same(&whole(&restarted), &whole(&store), &context);
    assert_same(&facts(&restarted), expected, &context);
    disk.failed() > 0
}

/// Says where two long texts differ, and not all of them.
fn assert_same(found: &str, expected: &str, context: &str) {
    let mut lines = found.lines().zip(expected.lines());
    if let Some((found, expected)) = lines.find(|(found, expected)| found != expected) {
        let same = found.bytes().zip(expected.bytes()).take_while(|(a, b)| a == b).count();
        let part = |text: &str| text.chars().skip(same).take(200).collect::<String>();
        panic!("{context}: found ...{}, expected ...{}", part(found), part(expected));
    }
    assert_eq!(found.len(), expected.len(), "{context}");
}

/// Everything about every drop, but for what the feed has trimmed.
fn whole(store: &MemoryStore) -> String {
    let mut text = String::new();
    for shelf in store.shelves().all() {
        let shelf = shelf.lock();
        let rows: Vec<_> = shelf.rows().collect();
        let newest = shelf.changes_after(Revision::ZERO, usize::MAX).pop();
        text += &format!("{:?}\n{rows:?}\n{newest:?}\n", shelf.head());
    }
    text
}

#[test]
fn an_io_error_at_any_operation_loses_nothing_and_is_recovered_from_without_a_restart() {
    let report = Report::begin(
        "injected errors",
        "the file store, an IO error at every operation",
        "cargo test -p drop-store-memory --features journal --lib faults",
    );
    let base = prepared();
    let expected = reference(&base);
    let mut runs = 0;
    for done in [Done::Nothing, Done::Half, Done::All, Done::Panic] {
        let counts: &[u64] = match done {
            _ if is_long() => &[1, 2, 3, 5, 8, 13, 21],
            Done::Nothing => &[1, 4],
            Done::Half | Done::All | Done::Panic => &[1],
        };
        for &count in counts {
            let mut first = 0;
            while run(&base, Plan { first, count, done }, &expected, first) {
                first += 1;
                runs += 1;
            }
            assert!(first > 50, "a script of {first} operations does not show much");
        }
    }
    report.figure("faults injected, each at another place", &runs).save();
}

/// A full disk refuses for as long as it is full; whoever asks meanwhile hears so at once and
/// reads go on.
#[test]
fn a_full_disk_is_sold_on_from_once_there_is_room() {
    let disk = prepared();
    let store = open(&disk, "prepared");
    let before = whole(&store);
    let forever = Plan { first: 0, count: u64::MAX, done: Done::Nothing };
    disk.plan(Some(forever));
    for _ in 0..20 {
        let error = STEPS[0].1(&store, &mut Acknowledged::default()).unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_) | StoreError::Unknown(_)), "{error:?}");
        assert!(store.shelves().ready().is_err());
        assert_eq!(whole(&store), before);
    }
    disk.plan(None);
    for (step, ask) in STEPS {
        ask(&store, &mut Acknowledged::default()).unwrap_or_else(|e| panic!("{step}: {e:?}"));
    }
    store.shelves().ready().unwrap();
}

/// Where a red probe keeps all callers away, the probe is the only one who still asks.
#[tokio::test]
async fn a_probe_alone_brings_the_store_back() {
    let disk = prepared();
    let memory = open(&disk, "prepared");
    let store = FileStore::over(memory.clone());
    disk.plan(Some(Plan { first: 0, count: 1, done: Done::Nothing }));
    STEPS[0].1(&memory, &mut Acknowledged::default()).unwrap_err();
    memory.shelves().ready().unwrap_err();
    store.ready().await.unwrap();
    memory.shelves().ready().unwrap();
}

/// Who is refused leaves nothing on the disk: no page is written and nothing synced.
#[test]
fn a_batch_of_refusals_leaves_the_disk_alone() {
    let disk = prepared();
    let store = open(&disk, "prepared");
    disk.plan(None);
    refused(&store);
    assert_eq!(disk.operations(), 0);
    STEPS[0].1(&store, &mut Acknowledged::default()).unwrap();
    assert!(disk.operations() > 0, "a hold is written");
}
