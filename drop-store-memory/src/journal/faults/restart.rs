//! A process that ends at an IO error: the next one finds what the system's cache says, which
//! after a failed sync is not what the disk has, sells on top of it, and then the power goes.

use drop_core::conformance::{Dice, is_long};

use super::disk::{Disk, Done, Plan};
use super::script::{STEPS, facts};
use super::{Acknowledged, assert_same, clock, open, prepared, reference, whole};
use crate::MemoryStore;
use crate::journal::load::Loaded;
use crate::journal::pause::Pause;
use crate::journal::redb_log::RedbLog;

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// It puts its store away.
    InOrder,
    /// It does nothing any more.
    Killed,
}

/// A process on `disk`; `None` where the disk lets it not begin.
fn begin(disk: &Disk) -> Option<MemoryStore> {
    let opened = RedbLog::open(Box::new(disk.clone()), Pause::none());
    let (log, Loaded { users, drops, .. }) = opened.ok()?;
    Some(MemoryStore::over(clock(), Box::new(log), users, drops))
}

/// Ends a process; returns what the next one finds.
fn end(store: Option<MemoryStore>, disk: &Disk, exit: Exit) -> Disk {
    match exit {
        Exit::InOrder => {
            drop(store);
            disk.after_exit()
        }
        // What it would still write goes to a disk that nobody looks at.
        Exit::Killed => disk.after_exit(),
    }
}

/// Runs the script, with another process from the first failure on; returns whether there was
/// one.
fn run(base: &Disk, plan: Plan, exit: Exit, expected: &str) -> bool {
    let mut dice = Dice::new(plan.first);
    let mut disk = base.after_power_loss(&mut dice);
    let mut acknowledged = Acknowledged::default();
    disk.plan(Some(plan));
    let mut store = begin(&disk);
    let mut restarts = 0;
    for (step, ask) in STEPS {
        let context = format!("{plan:?}, {exit:?}, {step}");
        loop {
            let asked = store.as_ref().map(|store| ask(store, &mut acknowledged));
            if let Some(Ok(())) = asked {
                break;
            }
            assert_eq!(restarts, 0, "{context}: {asked:?}");
            restarts += 1;
            disk = end(store.take(), &disk, exit);
            store = Some(open(&disk, &context));
        }
        if restarts > 0 {
            let dark = open(&disk.after_power_loss(&mut dice), &format!("{context}, power lost"));
            acknowledged.assert_in(&dark, &context);
            let store = store.as_ref().expect("a process that runs");
            assert_same(&whole(&dark), &whole(store), &context);
        }
    }
    let context = format!("{plan:?}, {exit:?}");
    // Closing may be what fails, where nothing has failed before.
    let next = end(store.take(), &disk, Exit::InOrder);
    let failed = restarts > 0 || disk.failed() > 0;
    disk = next;
    let last = open(&disk, &context);
    assert_same(&facts(&last), expected, &context);
    let dark = open(&disk.after_power_loss(&mut dice), &context);
    assert_same(&facts(&dark), expected, &context);
    failed
}

#[test]
fn what_the_next_process_acknowledges_after_an_io_error_survives_a_loss_of_power() {
    let base = prepared();
    let expected = reference(&base);
    for exit in [Exit::InOrder, Exit::Killed] {
        for done in [Done::Nothing, Done::Half, Done::All, Done::Panic] {
            if exit == Exit::InOrder && matches!(done, Done::Half | Done::All) && !is_long() {
                continue;
            }
            let mut first = 0;
            while run(&base, Plan { first, count: 1, done }, exit, &expected) {
                first += 1;
            }
            assert!(first > 50, "a script of {first} operations does not show much");
        }
    }
}
