//! Failing, being refused, and opening again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use drop_core::StoreError;
use redb::{Database, StorageBackend};

use super::Log;
use super::reopened::left;
use crate::journal::medium::{File, Medium};
use crate::journal::pause::Pause;

/// Whatever the engine says by then: what became of the last write has to be known first.
#[test]
fn nothing_is_written_after_a_failure_until_the_file_was_opened_again() {
    let left = left(|file| Box::new(file), Pause::default());
    left.fail(None);
    let refused = left.log.changed(&left.changes[2], &[]);
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    // Nothing is in the file that memory does not have.
    assert!(left.log.reopen(&left.memory).unwrap().is_none());
    left.log.changed(&left.changes[2], &[]).unwrap();
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
        left.fail(None);
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
    left.fail(None);
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
    assert!(left.log.reopen(&left.memory).unwrap().is_none());
    left.log.changed(&left.changes[2], &[]).unwrap();
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
    left.fail(None);
    panics.store(true, Ordering::Relaxed);
    let error = left.log.reopen(&left.memory).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(matches!(left.log.check(), Err(StoreError::Unavailable(_))));
    assert!(left.log.wants_reopening());
    panics.store(false, Ordering::Relaxed);
    assert!(left.log.reopen(&left.memory).unwrap().is_none());
    left.log.changed(&left.changes[2], &[]).unwrap();
}

/// Opening reads the whole file: at most once a second.
#[test]
fn a_second_lies_between_two_attempts() {
    let now = Arc::new(Mutex::new(Instant::now()));
    let clock = now.clone();
    let left = left(|file| Box::new(file), Pause::by(move || *clock.lock().unwrap()));
    assert!(!left.log.wants_reopening(), "nothing has failed");
    left.fail(None);
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
