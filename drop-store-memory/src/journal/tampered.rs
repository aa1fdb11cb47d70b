//! Files whose every page is whole and that contradict themselves: none is opened.

use std::path::Path;

use drop_core::Store;
use drop_core::model::{DropId, DropTerms, NewDrop, ReservationId, Units};
use drop_core::rules::{Batch, Command};
use redb::{Database, ReadableTable, WriteTransaction};

use super::tables::{
    CHANGES, FORMAT, HEADS, HeadRecord, META, PRESENT_FORMAT, RESERVATIONS, TERMS, USERS, decode,
    encode,
};
use super::{FileStore, OpenError};

const DROP: i64 = 1;

type Tampering = fn(&WriteTransaction) -> Result<(), redb::Error>;

fn id(number: u32) -> i64 {
    ReservationId::new(DropId::new(DROP).unwrap(), number).unwrap().get()
}

/// A drop with three holds: revision 4.
fn filled(directory: &Path) {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = FileStore::open(directory).unwrap();
        let terms = DropTerms::new("Air One", "149.99", Default::default()).unwrap();
        let new = NewDrop::plain(terms, Units::new(9).unwrap()).unwrap();
        let drop_id = store.create_drop(&new).await.unwrap().id;
        assert_eq!(drop_id.get(), DROP);
        for who in ["ann", "bob", "eve"] {
            let customer = who.parse().unwrap();
            let reserve = Command::Reserve { customer, variant: None, quantity: Units::ONE };
            let applied = store.apply(&Batch::one(drop_id, reserve).unwrap()).await.unwrap();
            assert!(applied.change().is_some());
        }
    });
}

fn opened_after(tampering: Tampering) -> Result<FileStore, OpenError> {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let database = Database::open(directory.path().join("drop.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    tampering(&transaction).unwrap();
    transaction.commit().unwrap();
    drop(database);
    FileStore::open(directory.path())
}

fn with_head(
    transaction: &WriteTransaction,
    change: impl FnOnce(&mut HeadRecord),
) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(HEADS)?;
    let mut head: HeadRecord = decode(table.remove(DROP)?.unwrap().value())?;
    change(&mut head);
    table.insert(DROP, encode(&head)?.as_slice())?;
    Ok(())
}

/// A reservation's row under another number.
fn moved(transaction: &WriteTransaction, from: i64, to: i64) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(RESERVATIONS)?;
    let row = table.remove(from)?.unwrap().value().to_vec();
    table.insert(to, row.as_slice())?;
    Ok(())
}

#[test]
fn what_contradicts_itself_is_not_opened() {
    let tamperings: [(&str, Tampering); 11] = [
        ("counters that say that nothing is held", |transaction| {
            with_head(transaction, |head| {
                let stock = &mut head.variants[0].stock;
                *stock = drop_core::model::Stock::new(stock.total());
            })
        }),
        ("a row that is gone", |transaction| {
            transaction.open_table(RESERVATIONS)?.remove(id(2))?;
            Ok(())
        }),
        ("a row under another number", |transaction| moved(transaction, id(2), id(3) + 1)),
        ("a row of another drop", |transaction| {
            let other = ReservationId::new(DropId::new(DROP + 1).unwrap(), 1).unwrap();
            let mut table = transaction.open_table(RESERVATIONS)?;
            let row = table.get(id(1))?.unwrap().value().to_vec();
            table.insert(other.get(), row.as_slice())?;
            Ok(())
        }),
        ("a row beyond the numbers that were given", |transaction| {
            with_head(transaction, |head| head.next_number = 3)
        }),
        ("a change that is missing between two", |transaction| {
            transaction.open_table(CHANGES)?.remove((DROP, 2))?;
            Ok(())
        }),
        ("the newest change missing", |transaction| {
            transaction.open_table(CHANGES)?.remove((DROP, 4))?;
            Ok(())
        }),
        ("a revision beyond the feed", |transaction| {
            with_head(transaction, |head| head.revision = head.revision.next())
        }),
        ("a user whom nobody knows", |transaction| {
            transaction.open_table(USERS)?.pop_first()?;
            Ok(())
        }),
        ("a drop without its head", |transaction| {
            transaction.open_table(HEADS)?.remove(DROP)?;
            Ok(())
        }),
        ("a value with something after it", |transaction| {
            let mut table = transaction.open_table(RESERVATIONS)?;
            let mut row = table.remove(id(1))?.unwrap().value().to_vec();
            row.push(0);
            table.insert(id(1), row.as_slice())?;
            Ok(())
        }),
    ];
    for (what, tampering) in tamperings {
        let opened = opened_after(tampering);
        assert!(matches!(opened, Err(OpenError::Damaged { .. })), "{what}: {opened:?}");
    }
    opened_after(|_| Ok(())).unwrap();
    // A feed that was trimmed lacks its oldest changes, which is no contradiction.
    opened_after(|transaction| {
        transaction.open_table(CHANGES)?.remove((DROP, 1))?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn another_format_is_told_by_its_number() {
    let opened = opened_after(|transaction| {
        transaction.open_table(META)?.insert(FORMAT, PRESENT_FORMAT + 1)?;
        Ok(())
    });
    match opened {
        Err(OpenError::Format { found, expected, .. }) => {
            assert_eq!((found, expected), (PRESENT_FORMAT + 1, PRESENT_FORMAT));
        }
        other => panic!("{other:?}"),
    }
}

/// A drop whose terms are gone leaves rows of no drop behind.
#[test]
fn rows_of_no_drop_are_not_passed_over() {
    let opened = opened_after(|transaction| {
        transaction.open_table(TERMS)?.remove(DROP)?;
        Ok(())
    });
    assert!(matches!(opened, Err(OpenError::Damaged { .. })), "{opened:?}");
}
