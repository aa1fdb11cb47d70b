//! Files whose every page is whole and that contradict themselves: none is opened.

use std::path::Path;

use drop_core::Store;
use drop_core::model::{DropId, DropTerms, NewDrop, Reservation, ReservationId, Units, User};
use drop_core::rules::{Batch, Command};
use redb::{Database, ReadableTable, WriteTransaction};

use super::tables::{
    CHANGES, CHUNKS, CROWDS, FORMAT, FORMER_FORMAT, HEADS, HeadRecord, META, PRESENT_FORMAT,
    RESERVATIONS, TERMS, USERS, decode, encode,
};
use super::{FileStore, OpenError};

const DROP: i64 = 1;

type Tampering = fn(&WriteTransaction) -> Result<(), redb::Error>;

fn id(number: u32) -> i64 {
    ReservationId::new(DropId::new(DROP).unwrap(), number).unwrap().get()
}

fn reserve(who: &str) -> Command {
    let customer = who.parse().unwrap();
    Command::Reserve { customer, variant: None, quantity: Units::ONE }
}

/// A drop with three holds and two that were taken together: revision 5.
fn filled(directory: &Path) {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = FileStore::open(directory).unwrap();
        let terms = DropTerms::new("Air One", "149.99", Default::default()).unwrap();
        let new = NewDrop::plain(terms, Units::new(19).unwrap()).unwrap();
        let drop_id = store.create_drop(&new).await.unwrap().id;
        assert_eq!(drop_id.get(), DROP);
        for who in ["ann", "bob", "eve"] {
            let applied = store.apply(&Batch::one(drop_id, reserve(who)).unwrap()).await.unwrap();
            assert!(applied.change().is_some());
        }
        let together = vec![reserve("cat"), reserve("dan")];
        store.apply(&Batch::new(drop_id, together).unwrap()).await.unwrap();
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
        ("a row under another number", |transaction| moved(transaction, id(2), id(5) + 1)),
        ("a row of another drop", |transaction| {
            let other = ReservationId::new(DropId::new(DROP + 1).unwrap(), 1).unwrap();
            let mut table = transaction.open_table(RESERVATIONS)?;
            let row = table.get(id(1))?.unwrap().value().to_vec();
            table.insert(other.get(), row.as_slice())?;
            Ok(())
        }),
        ("a row beyond the numbers that were given", |transaction| {
            with_head(transaction, |head| head.next_number = 5)
        }),
        ("a change that is missing between two", |transaction| {
            transaction.open_table(CHANGES)?.remove((DROP, 2))?;
            Ok(())
        }),
        ("the newest change missing", |transaction| {
            transaction.open_table(CHANGES)?.remove((DROP, 5))?;
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

/// The same in the one entry of a batch.
#[test]
fn what_contradicts_itself_in_a_batch_is_not_opened() {
    let tamperings: [(&str, Tampering); 5] = [
        ("a row that is gone", |transaction| {
            with_batch(transaction, id(4), |rows| rows.truncate(1))
        }),
        ("rows in another order", |transaction| {
            with_batch(transaction, id(4), |rows| rows.reverse())
        }),
        ("a row twice", |transaction| with_batch(transaction, id(4), |rows| rows.push(rows[1]))),
        ("rows of another drop", |transaction| {
            let other = ReservationId::new(DropId::new(DROP + 1).unwrap(), 1).unwrap();
            let mut table = transaction.open_table(CHUNKS)?;
            let rows = table.remove(id(4))?.unwrap().value().to_vec();
            table.insert(other.get(), rows.as_slice())?;
            Ok(())
        }),
        ("users whom nobody knows", |transaction| {
            transaction.open_table(CROWDS)?.pop_first()?;
            Ok(())
        }),
    ];
    for (what, tampering) in tamperings {
        let opened = opened_after(tampering);
        assert!(matches!(opened, Err(OpenError::Damaged { .. })), "{what}: {opened:?}");
    }
}

fn with_batch(
    transaction: &WriteTransaction,
    first: i64,
    change: impl FnOnce(&mut Vec<Reservation>),
) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(CHUNKS)?;
    let mut rows = decode(table.remove(first)?.unwrap().value())?;
    change(&mut rows);
    table.insert(first, encode(&rows)?.as_slice())?;
    Ok(())
}

/// A file of the version before: rows and users one by one, no tables for batches. It is opened,
/// its number is raised, and what is written from then on is found beside what was there.
#[tokio::test]
async fn a_file_of_the_former_format_is_opened_and_written_on() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_owned();
    tokio::task::spawn_blocking(move || filled(&place)).await.unwrap();
    let path = directory.path().join("drop.redb");
    {
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        {
            let mut rows = transaction.open_table(RESERVATIONS).unwrap();
            let mut users = transaction.open_table(USERS).unwrap();
            for entry in transaction.open_table(CHUNKS).unwrap().iter().unwrap() {
                for row in decode::<Vec<Reservation>>(entry.unwrap().1.value()).unwrap() {
                    rows.insert(row.id().get(), encode(&row).unwrap().as_slice()).unwrap();
                }
            }
            for entry in transaction.open_table(CROWDS).unwrap().iter().unwrap() {
                for user in decode::<Vec<User>>(entry.unwrap().1.value()).unwrap() {
                    users.insert(user.id.get(), user.username.as_str()).unwrap();
                }
            }
            let mut meta = transaction.open_table(META).unwrap();
            meta.insert(FORMAT, FORMER_FORMAT).unwrap();
        }
        transaction.delete_table(CHUNKS).unwrap();
        transaction.delete_table(CROWDS).unwrap();
        transaction.commit().unwrap();
    }
    let drop_id = DropId::new(DROP).unwrap();
    for (round, expected) in [7, 9].into_iter().enumerate() {
        let store = FileStore::open(directory.path()).unwrap();
        let names = [format!("new_{round}"), format!("other_{round}")];
        let batch = names.map(|name| reserve(&name)).to_vec();
        store.apply(&Batch::new(drop_id, batch).unwrap()).await.unwrap();
        let audit = store.audit(drop_id).await.unwrap().unwrap();
        assert!(audit.is_sound(), "{:?}", audit.findings());
        assert_eq!(audit.variants[0].held, expected);
    }
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let format = transaction.open_table(META).unwrap().get(FORMAT).unwrap().unwrap().value();
    assert_eq!(format, PRESENT_FORMAT);
}

/// Who is deleted is in no list any more, and whoever else was in it still is.
#[tokio::test]
async fn who_came_in_a_batch_and_is_deleted_stays_away_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_owned();
    tokio::task::spawn_blocking(move || filled(&place)).await.unwrap();
    let drop_id = DropId::new(DROP).unwrap();
    let cat: drop_core::model::Username = "cat".parse().unwrap();
    {
        let store = FileStore::open(directory.path()).unwrap();
        let forget = Command::Forget { customer: cat.clone() };
        store.apply(&Batch::one(drop_id, forget).unwrap()).await.unwrap();
        let deleted = store.delete_user(&cat).await.unwrap();
        assert_eq!(deleted, drop_core::store::Deletion::Deleted);
    }
    let store = FileStore::open(directory.path()).unwrap();
    let again = store.delete_user(&cat).await.unwrap();
    assert_eq!(again, drop_core::store::Deletion::NotFound);
    let scope = drop_core::store::Scope::Customer("dan".parse().unwrap());
    let page = drop_core::store::Page { before: None, limit: 9 };
    assert_eq!(store.holds(&scope, page).await.unwrap().len(), 1, "dan came with cat");
    assert!(store.audit(drop_id).await.unwrap().unwrap().is_sound());
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
