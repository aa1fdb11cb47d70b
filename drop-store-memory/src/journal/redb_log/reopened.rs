//! What a file says that is opened again, and somebody else was at it meanwhile.

use std::sync::Arc;

use drop_core::conformance::START;
use drop_core::model::{DropId, DropTerms, NewDrop, Stock, Timestamp, Units, User};
use drop_core::rules::{Batch, Change, Command};
use drop_core::{ManualClock, StoreError};
use redb::{Database, ReadableTable, WriteTransaction};
use tempfile::TempDir;

use super::{Log, RedbLog, Trouble};
use crate::MemoryStore;
use crate::journal::compare::Doubt;
use crate::journal::entry::write_change;
use crate::journal::medium::{File, Medium};
use crate::journal::open::place;
use crate::journal::pause::Pause;
use crate::journal::tables::{CHANGES, HEADS, HeadRecord, decode, encode};
use crate::log::{Head, Lead};

const DROP: i64 = 1;

type InDoubt = fn(&Left) -> Vec<Doubt>;
type Tampering = fn(&WriteTransaction, &[Arc<Change>]) -> Result<(), redb::Error>;

/// A log that has the first two of three changes of a drop, and what memory has of them.
pub(super) struct Left {
    pub(super) directory: TempDir,
    pub(super) log: RedbLog,
    pub(super) changes: Vec<Arc<Change>>,
    pub(super) memory: Vec<Head>,
}

fn id(id: i64) -> DropId {
    DropId::new(id).unwrap()
}

/// The log on a medium that is made of its file.
pub(super) fn left(medium: impl FnOnce(File) -> Box<dyn Medium>, pause: Pause) -> Left {
    let store = MemoryStore::with_clock(Arc::new(ManualClock::new(START)));
    let terms = DropTerms::new("Air One", "149.99", Default::default()).unwrap();
    store.create_now(&NewDrop::plain(terms, Units::new(9).unwrap()).unwrap()).unwrap();
    let mut memory = Vec::new();
    for who in ["ann", "bob"] {
        let customer = who.parse().unwrap();
        let reserve = Command::Reserve { customer, variant: None, quantity: Units::ONE };
        store.apply_now(&Batch::one(id(DROP), reserve).unwrap()).unwrap();
        if memory.is_empty() {
            memory.push(store.shelves().shelf(id(DROP)).unwrap().lock().head());
        }
    }
    let shelf = store.shelves().shelf(id(DROP)).unwrap();
    let changes = shelf.lock().changes_after(drop_core::model::Revision::ZERO, 10);
    let directory = tempfile::tempdir().unwrap();
    let file = File(place(directory.path()).unwrap());
    let (log, _) = RedbLog::open(medium(file), pause).unwrap();
    let ann: User = store.shelves().user(&"ann".parse().unwrap()).unwrap();
    log.changed(&changes[0], Vec::new()).unwrap();
    log.changed(&changes[1], vec![ann]).unwrap();
    Left { directory, log, changes, memory }
}

impl Left {
    /// A write has failed.
    pub(super) fn fail(&self, doubts: Vec<Doubt>) {
        let cause = StoreError::unavailable("a disk that hangs");
        self.log.state().trouble = Some(Trouble { cause, doubts });
    }

    /// The file is closed, and nobody has it.
    pub(super) fn close(&self) -> std::path::PathBuf {
        *self.log.database.lock().unwrap() = None;
        self.directory.path().join("drop.redb")
    }

    /// Opens the file again after something was done to it.
    fn reopened(&self, doubts: Vec<Doubt>, tampering: Tampering) -> Result<Vec<Lead>, StoreError> {
        self.fail(doubts);
        let database = Database::open(self.close()).unwrap();
        let transaction = database.begin_write().unwrap();
        tampering(&transaction, &self.changes).unwrap();
        transaction.commit().unwrap();
        drop(database);
        self.log.reopen(&self.memory)
    }
}

fn plain() -> Left {
    left(|file| Box::new(file), Pause::none())
}

fn with_head(
    transaction: &WriteTransaction,
    change: impl FnOnce(&mut HeadRecord),
) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(HEADS)?;
    let mut head: HeadRecord = decode(table.get(DROP)?.unwrap().value())?;
    change(&mut head);
    table.insert(DROP, encode(&head)?.as_slice())?;
    Ok(())
}

fn gone(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(HEADS)?.remove(DROP)?;
    Ok(())
}

fn third(left: &Left) -> Vec<Doubt> {
    vec![Doubt::Change(left.changes[2].clone())]
}

/// The first change of another drop.
fn of_another(changes: &[Arc<Change>]) -> Arc<Change> {
    Arc::new(Change { drop_id: id(2), ..changes[0].as_ref().clone() })
}

/// Two that went by one commit.
fn both(left: &Left) -> Vec<Doubt> {
    let mut doubts = third(left);
    doubts.push(Doubt::Change(of_another(&left.changes)));
    doubts
}

#[test]
fn only_the_commit_in_doubt_may_be_what_memory_lacks() {
    let none: InDoubt = |_| Vec::new();
    let cases: [(&str, InDoubt, Tampering); 12] = [
        ("was changed by somebody else", none, |transaction, _| {
            with_head(transaction, |head| head.as_of = Timestamp::MAX)
        }),
        ("was changed by somebody else", none, |transaction, _| {
            with_head(transaction, |head| head.variants[0].stock = Stock::new(Units::ONE))
        }),
        ("was changed by somebody else", none, |transaction, _| {
            with_head(transaction, |head| head.next_number += 1)
        }),
        ("was changed by somebody else", none, |transaction, changes| {
            write_change(transaction, &changes[2], &[])
        }),
        (
            "was changed by somebody else",
            |_| vec![Doubt::Deletion(id(2))],
            |transaction, changes| write_change(transaction, &changes[2], &[]),
        ),
        // One change further than the one in doubt, which is there too.
        ("is not where it was left", third, |transaction, changes| {
            write_change(transaction, &changes[2], &[])?;
            with_head(transaction, |head| head.revision = head.revision.next())
        }),
        // Another drop, made by nobody here.
        ("was changed by somebody else", third, |transaction, changes| {
            write_change(transaction, &of_another(changes), &[])
        }),
        // Of two that went by one commit only one.
        ("drop 2 is not as far as others", both, |transaction, changes| {
            write_change(transaction, &changes[2], &[])
        }),
        ("drop 1 is not as far as others", both, |transaction, changes| {
            write_change(transaction, &of_another(changes), &[])
        }),
        ("has another change than was written", third, |transaction, changes| {
            let other = Change { sold_out: true, ..changes[2].as_ref().clone() };
            write_change(transaction, &other, &[])
        }),
        ("lacks its newest change", third, |transaction, changes| {
            write_change(transaction, &changes[2], &[])?;
            transaction.open_table(CHANGES)?.remove((DROP, changes[2].revision.get()))?;
            Ok(())
        }),
        (
            "is not in the file any more",
            |_| vec![Doubt::Deletion(id(2))],
            |transaction, _| gone(transaction),
        ),
    ];
    for (finding, doubt, tampering) in cases {
        let left = plain();
        let error = left.reopened(doubt(&left), tampering).unwrap_err();
        let StoreError::Corrupt(found) = &error else { panic!("{finding}: {error:?}") };
        assert!(found.to_string().contains(finding), "{finding}: {found}");
        // It stays that way: a person has to look.
        assert!(!left.log.wants_reopening(), "{finding}");
        assert!(matches!(left.log.check(), Err(StoreError::Corrupt(_))), "{finding}");
        let refused = left.log.changed(&left.changes[2], Vec::new());
        assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{finding}: {refused:?}");
    }
}

#[test]
fn the_commit_in_doubt_is_there_or_not() {
    let left = plain();
    assert!(left.reopened(third(&left), |_, _| Ok(())).unwrap().is_empty());
    let leads = left
        .reopened(third(&left), |transaction, changes| write_change(transaction, &changes[2], &[]));
    assert!(matches!(&leads.unwrap()[..], [Lead::Change(change)] if *change == left.changes[2]));
    let left = plain();
    let deletion = || vec![Doubt::Deletion(id(DROP))];
    assert!(left.reopened(deletion(), |_, _| Ok(())).unwrap().is_empty());
    let leads = left.reopened(deletion(), |transaction, _| gone(transaction)).unwrap();
    assert!(matches!(&leads[..], [Lead::Deletion(deleted)] if *deleted == id(DROP)));
}

#[test]
fn what_went_by_one_commit_is_there_together_or_not() {
    let left = plain();
    assert!(left.reopened(both(&left), |_, _| Ok(())).unwrap().is_empty());
    let leads = left.reopened(both(&left), |transaction, changes| {
        write_change(transaction, &changes[2], &[])?;
        write_change(transaction, &of_another(changes), &[])
    });
    let ids: Vec<DropId> = leads.unwrap().iter().map(Lead::drop_id).collect();
    assert_eq!(ids, [id(DROP), id(2)]);
}
