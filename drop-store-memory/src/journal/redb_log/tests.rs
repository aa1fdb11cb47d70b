//! Failing, being refused, and opening again.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use drop_core::conformance::START;
use drop_core::model::{DropId, DropTerms, NewDrop, Revision, Units, User, UserId};
use drop_core::rules::{Batch, Change, Command};
use drop_core::{ManualClock, StoreError};
use redb::{Database, StorageBackend};

use super::reopened::left;
use super::{Entry, Log, RedbLog};
use crate::MemoryStore;
use crate::journal::medium::{File, Medium};
use crate::journal::open::place;
use crate::journal::pause::Pause;
use crate::log::{Head, Lead};

/// Whatever the engine says by then: what became of the last write has to be known first.
#[test]
fn nothing_is_written_after_a_failure_until_the_file_was_opened_again() {
    let left = left(|file| Box::new(file), Pause::default());
    left.fail(Vec::new());
    let refused = left.log.changed(&left.changes[2], Vec::new());
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    // Nothing is in the file that memory does not have.
    assert!(left.log.reopen(&left.memory).unwrap().is_empty());
    left.log.changed(&left.changes[2], Vec::new()).unwrap();
}

/// A person has to look: neither is it read once a second, nor does it come back by itself.
#[test]
fn a_file_that_is_damaged_when_it_is_opened_again_is_not_tried_again() {
    let damages: [fn(Vec<u8>) -> Vec<u8>; 4] = [
        |_| Vec::new(),
        |mut bytes| bytes.split_off(4096),
        |bytes| bytes[..bytes.len() / 2].to_vec(),
        |mut bytes| {
            bytes[4096..].fill(0x55);
            bytes
        },
    ];
    for (index, damage) in damages.into_iter().enumerate() {
        let left = left(|file| Box::new(file), Pause::none());
        left.fail(Vec::new());
        let path = left.close();
        std::fs::write(&path, damage(std::fs::read(&path).unwrap())).unwrap();
        let error = left.log.reopen(&left.memory).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)), "damage {index}: {error:?}");
        assert!(!left.log.wants_reopening(), "damage {index}");
    }
}

#[test]
fn a_file_that_is_out_of_reach_is_tried_again() {
    let left = left(|file| Box::new(file), Pause::none());
    left.fail(Vec::new());
    let path = left.close();
    let away = path.with_extension("away");
    std::fs::rename(&path, &away).unwrap();
    let error = left.log.reopen(&left.memory).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "not there: {error:?}");
    std::fs::rename(&away, &path).unwrap();
    let other = Database::open(&path).unwrap();
    let error = left.log.reopen(&left.memory).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "in use: {error:?}");
    drop(other);
    assert!(left.log.wants_reopening());
    assert!(left.log.reopen(&left.memory).unwrap().is_empty());
    left.log.changed(&left.changes[2], Vec::new()).unwrap();
}

/// A file that panics instead of being opened, if so told.
#[derive(Debug)]
struct Panicking(File, Arc<AtomicBool>);

impl Medium for Panicking {
    fn open(&self) -> Result<Box<dyn StorageBackend>, redb::Error> {
        assert!(!self.1.load(Ordering::Relaxed), "planned");
        self.0.open()
    }
}

#[test]
fn a_panic_of_opening_again_is_no_finding_about_the_file() {
    let panics = Arc::new(AtomicBool::new(false));
    let told = panics.clone();
    let left = left(|file| Box::new(Panicking(file, told)), Pause::none());
    left.fail(Vec::new());
    panics.store(true, Ordering::Relaxed);
    let error = left.log.reopen(&left.memory).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(matches!(left.log.check(), Err(StoreError::Unavailable(_))));
    assert!(left.log.wants_reopening());
    panics.store(false, Ordering::Relaxed);
    assert!(left.log.reopen(&left.memory).unwrap().is_empty());
    left.log.changed(&left.changes[2], Vec::new()).unwrap();
}

/// Opening reads the whole file: at most once a second.
#[test]
fn a_second_lies_between_two_attempts() {
    let now = Arc::new(Mutex::new(Instant::now()));
    let clock = now.clone();
    let left = left(|file| Box::new(file), Pause::by(move || *clock.lock().unwrap()));
    assert!(!left.log.wants_reopening(), "nothing has failed");
    left.fail(Vec::new());
    assert!(left.log.wants_reopening(), "the first attempt waits for nothing");
    let path = left.close();
    let away = path.with_extension("away");
    std::fs::rename(&path, &away).unwrap();
    left.log.reopen(&left.memory).unwrap_err();
    let attempt = *now.lock().unwrap();
    for (after, wanted) in [(0, false), (999, false), (1000, true), (5000, true)] {
        *now.lock().unwrap() = attempt + Duration::from_millis(after);
        assert_eq!(left.log.wants_reopening(), wanted, "after {after} ms");
    }
}

/// A file of whose syncs so many pass.
#[derive(Debug)]
struct Failing(File, Arc<AtomicU32>);

/// What it is as long as it is open.
#[derive(Debug)]
struct Unsynced(Box<dyn StorageBackend>, Arc<AtomicU32>);

impl Medium for Failing {
    fn open(&self) -> Result<Box<dyn StorageBackend>, redb::Error> {
        Ok(Box::new(Unsynced(self.0.open()?, self.1.clone())))
    }
}

impl StorageBackend for Unsynced {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, length: u64) -> std::io::Result<()> {
        self.0.set_len(length)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        let passes = |left: u32| left.checked_sub(1);
        let passed = self.1.fetch_update(Ordering::Relaxed, Ordering::Relaxed, passes);
        passed.map_err(|_| std::io::ErrorKind::StorageFull)?;
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.0.write(offset, data)
    }
}

/// Both are told the same, whoever of them went, and memory follows both or neither.
#[test]
fn what_two_drops_wait_for_goes_by_one_commit_and_fails_as_one() {
    // Where the first sync fails nothing was committed yet.
    let told: Vec<_> = (0..3).map(two_by_one_commit).collect();
    assert!(told.contains(&"unknown") && told.contains(&"done"), "{told:?}");
}

/// What both are told whose commit has so many syncs that pass.
fn two_by_one_commit(passes: u32) -> &'static str {
    let syncs = Arc::new(AtomicU32::new(u32::MAX));
    let counted = syncs.clone();
    let left = left(|file| Box::new(Failing(file, counted)), Pause::none());
    let other = Change { drop_id: DropId::new(2).unwrap(), ..left.changes[0].as_ref().clone() };
    let [first, second] = [left.changes[2].clone(), Arc::new(other)];
    let log = &left.log;
    let told = thread::scope(|threads| {
        let mut waiting = Vec::new();
        let busy = Entry::Trimmed(first.drop_id, Revision::ZERO);
        let done = log.group.join(busy, |_| {
            for change in [&first, &second] {
                waiting.push(threads.spawn(move || log.changed(change, Vec::new())));
            }
            while log.group.gathered() < 2 {
                thread::yield_now();
            }
            syncs.store(passes, Ordering::Relaxed);
            Ok(())
        });
        done.unwrap().unwrap();
        let told = waiting.into_iter().map(|waiting| match waiting.join().unwrap() {
            Ok(()) => "done",
            Err(StoreError::Unavailable(_)) => "unavailable",
            Err(StoreError::Unknown(_)) => "unknown",
            Err(error) => panic!("{error:?}"),
        });
        told.collect::<Vec<_>>()
    });
    assert_eq!(told[0], told[1]);
    syncs.store(u32::MAX, Ordering::Relaxed);
    let leads = log.reopen(&left.memory).unwrap();
    // Nothing has failed: nothing is opened again.
    let possible: &[usize] = if told[0] == "unknown" { &[0, 2] } else { &[0] };
    assert!(possible.contains(&leads.len()), "{told:?}: {leads:?}");
    told[0]
}

/// A log that the test keeps a hand on.
impl Log for Arc<RedbLog> {
    fn check(&self) -> Result<(), StoreError> {
        self.as_ref().check()
    }

    fn wants_reopening(&self) -> bool {
        self.as_ref().wants_reopening()
    }

    fn reopen(&self, memory: &[Head]) -> Result<Vec<Lead>, StoreError> {
        self.as_ref().reopen(memory)
    }

    fn keeps(&self) -> bool {
        self.as_ref().keeps()
    }

    fn changed(&self, change: &Arc<Change>, users: Vec<User>) -> Result<(), StoreError> {
        self.as_ref().changed(change, users)
    }

    fn drop_deleted(&self, id: DropId) -> Result<(), StoreError> {
        self.as_ref().drop_deleted(id)
    }

    fn user_deleted(&self, id: UserId) -> Result<(), StoreError> {
        self.as_ref().user_deleted(id)
    }

    fn trimmed(&self, id: DropId, upto: Revision) -> Result<(), StoreError> {
        self.as_ref().trimmed(id, upto)
    }
}

/// Everybody who went by a commit that is in the file after all is followed, and sold on from.
#[test]
fn memory_follows_every_drop_of_a_commit_that_was_unknown() {
    let found: Vec<_> = (0..3).map(after_a_failing_commit).collect();
    assert!(found.iter().all(|(_, [first, second])| first == second), "{found:?}");
    let followed =
        |(unknown, revisions): &(bool, _)| *unknown && *revisions == [Revision::new(2); 2];
    assert!(found.iter().any(followed), "{found:?}");
}

/// Whether the outcome of a commit of two drops was unknown, whose syncs failed after so many, and
/// where the two stand in memory afterwards.
fn after_a_failing_commit(passes: u32) -> (bool, [Revision; 2]) {
    let directory = tempfile::tempdir().unwrap();
    let syncs = Arc::new(AtomicU32::new(u32::MAX));
    let medium = Failing(File(place(directory.path()).unwrap()), syncs.clone());
    let (log, loaded) = RedbLog::open(Box::new(medium), Pause::none()).unwrap();
    let log = Arc::new(log);
    let clock = Arc::new(ManualClock::new(START));
    let store = MemoryStore::over(clock, Box::new(log.clone()), loaded.users, loaded.drops);
    let terms = DropTerms::new("Air One", "149.99", Default::default()).unwrap();
    let new = NewDrop::plain(terms, Units::new(9).unwrap()).unwrap();
    let ids = [(); 2].map(|()| store.create_now(&new).unwrap().id);
    let reserve = |id| {
        let customer = "ann".parse().unwrap();
        let reserve = Command::Reserve { customer, variant: None, quantity: Units::ONE };
        store.apply_now(&Batch::one(id, reserve).unwrap())
    };
    let unknown = thread::scope(|threads| {
        let mut waiting = Vec::new();
        let busy = Entry::Trimmed(ids[0], Revision::ZERO);
        let done = log.group.join(busy, |_| {
            for id in ids {
                waiting.push(threads.spawn(move || reserve(id)));
            }
            while log.group.gathered() < 2 {
                thread::yield_now();
            }
            syncs.store(passes, Ordering::Relaxed);
            Ok(())
        });
        done.unwrap().unwrap();
        let mut answers = waiting.into_iter().map(|waiting| waiting.join().unwrap());
        answers.all(|answer| matches!(answer, Err(StoreError::Unknown(_))))
    });
    syncs.store(u32::MAX, Ordering::Relaxed);
    store.recover_now().unwrap();
    let stand = |id| store.shelves().shelf(id).unwrap().lock().revision();
    let found = ids.map(stand);
    for id in ids {
        // A repeat of what came about, or what did not.
        reserve(id).unwrap();
        assert!(store.shelves().audit(id).unwrap().is_sound());
    }
    (unknown, found)
}
