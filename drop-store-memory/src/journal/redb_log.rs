//! The log: one disk transaction per commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use drop_core::StoreError;
use drop_core::model::{DropId, Reservation, ReservationId, Revision, User, UserId};
use drop_core::rules::Change;
use redb::{Database, ReadableTable, WriteTransaction};

use crate::log::Log;

use super::tables::{
    CHANGES, HEADS, HeadRecord, LAST_DROP, LAST_USER, META, RESERVATIONS, TERMS, TermsRecord,
    USERS, decode, encode,
};

/// Writes each commit to the database file, synced before it returns.
#[derive(Debug)]
pub(super) struct RedbLog {
    database: Database,
    /// The last transaction failed: after an IO error the engine refuses all others.
    failed: AtomicBool,
}

impl RedbLog {
    pub(super) const fn new(database: Database) -> Self {
        Self { database, failed: AtomicBool::new(false) }
    }

    /// One transaction. What fails before its commit has not happened; where the commit itself
    /// fails the file may have it, and the engine refuses everything until it is reopened.
    fn transact(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), StoreError> {
        let done = self.begin_and_commit(write);
        self.failed.store(done.is_err(), Ordering::Relaxed);
        done
    }

    fn begin_and_commit(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), StoreError> {
        let unavailable = |error: redb::Error| StoreError::Unavailable(Arc::new(error));
        let transaction = self.database.begin_write().map_err(|error| unavailable(error.into()))?;
        write(&transaction).map_err(unavailable)?;
        transaction.commit().map_err(|error| StoreError::Unknown(Arc::new(error)))
    }
}

impl Log for RedbLog {
    fn check(&self) -> Result<(), StoreError> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(StoreError::unavailable("the last write to the file failed"));
        }
        Ok(())
    }

    fn changed(&self, change: &Change, users: &[User]) -> Result<(), StoreError> {
        self.transact(|transaction| write_change(transaction, change, users))
    }

    fn drop_deleted(&self, id: DropId) -> Result<(), StoreError> {
        self.transact(|transaction| {
            transaction.open_table(TERMS)?.remove(id.get())?;
            transaction.open_table(HEADS)?.remove(id.get())?;
            transaction.open_table(RESERVATIONS)?.retain_in(numbers(id), |_, _| false)?;
            let revisions = (id.get(), 0)..=(id.get(), u64::MAX);
            transaction.open_table(CHANGES)?.retain_in(revisions, |_, _| false)?;
            Ok(())
        })
    }

    fn user_deleted(&self, id: UserId) -> Result<(), StoreError> {
        self.transact(|transaction| {
            transaction.open_table(USERS)?.remove(id.get())?;
            Ok(())
        })
    }

    fn trimmed(&self, id: DropId, upto: Revision) -> Result<(), StoreError> {
        self.transact(|transaction| {
            let revisions = (id.get(), 0)..=(id.get(), upto.get());
            transaction.open_table(CHANGES)?.retain_in(revisions, |_, _| false)?;
            Ok(())
        })
    }
}

fn write_change(
    transaction: &WriteTransaction,
    change: &Change,
    users: &[User],
) -> Result<(), redb::Error> {
    let id = change.drop_id;
    if let Some(terms) = &change.terms {
        let mut table = transaction.open_table(TERMS)?;
        let created_at = match table.get(id.get())? {
            Some(record) => decode::<TermsRecord>(record.value())?.created_at,
            None => change.as_of,
        };
        let record = TermsRecord { created_at, terms: terms.as_ref().clone() };
        table.insert(id.get(), encode(&record)?.as_slice())?;
        raise(transaction, LAST_DROP, id.get())?;
    }
    if !change.forgotten.is_empty() {
        forget(transaction, id, &change.forgotten)?;
    }
    if !users.is_empty() {
        let mut table = transaction.open_table(USERS)?;
        for user in users {
            table.insert(user.id.get(), user.username.as_str())?;
        }
        let last = users.iter().map(|user| user.id.get()).max().unwrap_or(0);
        raise(transaction, LAST_USER, last)?;
    }
    let mut table = transaction.open_table(RESERVATIONS)?;
    for row in change.reservations() {
        table.insert(row.id().get(), encode(row)?.as_slice())?;
    }
    let head = HeadRecord {
        revision: change.revision,
        as_of: change.as_of,
        variants: change.variants.clone(),
        next_number: change.next_number,
        recent: change.recent.clone(),
    };
    transaction.open_table(HEADS)?.insert(id.get(), encode(&head)?.as_slice())?;
    let revision = (id.get(), change.revision.get());
    transaction.open_table(CHANGES)?.insert(revision, encode(change)?.as_slice())?;
    Ok(())
}

fn forget(transaction: &WriteTransaction, id: DropId, users: &[UserId]) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(RESERVATIONS)?;
    let mut unreadable = None;
    table.retain_in(numbers(id), |_, bytes| match decode::<Reservation>(bytes) {
        Ok(row) => !users.contains(&row.claim().user_id),
        Err(error) => {
            unreadable = Some(error);
            true
        }
    })?;
    unreadable.map_or(Ok(()), Err)
}

fn raise(transaction: &WriteTransaction, key: &str, value: i64) -> Result<(), redb::Error> {
    let value = u64::try_from(value).unwrap_or(0);
    let mut table = transaction.open_table(META)?;
    let known = table.get(key)?.map_or(0, |known| known.value());
    if value > known {
        table.insert(key, value)?;
    }
    Ok(())
}

/// All reservation ids that a drop can have.
fn numbers(id: DropId) -> std::ops::RangeInclusive<i64> {
    let number = |number| ReservationId::new(id, number).map_or(0, ReservationId::get);
    number(1)..=number(ReservationId::MAX_NUMBER)
}
