//! The log: one disk transaction per commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use drop_core::StoreError;
use drop_core::model::{DropId, Reservation, ReservationId, Revision, User, UserId};
use drop_core::rules::Change;
use redb::{Database, ReadableTable, WriteTransaction};
use serde::de::DeserializeOwned;

use crate::log::{Head, Lead, Log};

use super::compare::{Doubt, compare};
use super::load::{LoadError, Loaded, load};
use super::medium::Medium;
use super::open::{guarded, open_engine, upgrade};
use super::pause::Pause;
use super::resync::Syncs;
use super::tables::{
    CHANGES, CHUNKS, CROWDS, HEADS, HeadRecord, LAST_DROP, LAST_USER, META, RESERVATIONS, TERMS,
    TermsRecord, USERS, decode, encode,
};

/// Writes each commit to the database file, synced before it returns.
///
/// After a failure of whatever kind nothing more is written until the file was opened again
/// and has said what became of the commit that failed.
#[derive(Debug)]
pub(super) struct RedbLog {
    medium: Box<dyn Medium>,
    /// What lies between one attempt to open it again and the next.
    pause: Pause,
    syncs: Syncs,
    /// Taken for as long as a transaction takes; `None` while it cannot be opened.
    database: Mutex<Option<Database>>,
    /// Taken for a moment only.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    trouble: Option<Trouble>,
    last_attempt: Option<Instant>,
}

/// Why nothing is written.
#[derive(Debug)]
struct Trouble {
    cause: StoreError,
    /// The commit that may or may not be in the file.
    doubt: Option<Doubt>,
}

impl RedbLog {
    /// Opens what the medium has, and reads everything.
    ///
    /// # Errors
    /// What is wrong with it; nothing of it is used then.
    pub(super) fn open(medium: Box<dyn Medium>, pause: Pause) -> Result<(Self, Loaded), LoadError> {
        let syncs = Syncs::default();
        let (database, loaded) = guarded(|| {
            let database = open_engine(medium.as_ref(), &syncs)?;
            let loaded = load(&database)?;
            if loaded.is_former {
                upgrade(&database)?;
            }
            Ok((database, loaded))
        })?;
        let database = Mutex::new(Some(database));
        Ok((Self { medium, pause, syncs, database, state: Mutex::default() }, loaded))
    }

    /// One transaction. What fails before its commit has not happened; where the commit itself
    /// fails the file may have it, which `doubt` keeps in mind.
    fn transact(
        &self,
        doubt: impl FnOnce() -> Doubt,
        write: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), StoreError> {
        let database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        // Behind the database: whoever was in it before has left word.
        self.check()?;
        let database = database.as_ref().ok_or_else(closed)?;
        let done = catch_unwind(AssertUnwindSafe(|| begin_and_commit(database, write)));
        let done = done.unwrap_or_else(|_| {
            let broke_off = redb::Error::Corrupted("the engine broke off".to_owned());
            Err(StoreError::Unknown(Arc::new(broke_off)))
        });
        if let Err(cause) = &done {
            let doubt = matches!(cause, StoreError::Unknown(_)).then(doubt);
            self.state().trouble = Some(Trouble { cause: cause.clone(), doubt });
        }
        done
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RedbLog {
    fn drop(&mut self) {
        close(self.database.get_mut().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// An engine that has panicked does so again when it is closed; by then the file is free.
fn close(database: Option<Database>) {
    if catch_unwind(AssertUnwindSafe(|| drop(database))).is_err() {
        tracing::warn!("the engine panicked while it was closed");
    }
}

fn begin_and_commit(
    database: &Database,
    write: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
) -> Result<(), StoreError> {
    let unavailable = |error: redb::Error| StoreError::Unavailable(Arc::new(error));
    let transaction = database.begin_write().map_err(|error| unavailable(error.into()))?;
    write(&transaction).map_err(unavailable)?;
    transaction.commit().map_err(|error| StoreError::Unknown(Arc::new(error)))
}

fn closed() -> StoreError {
    StoreError::unavailable("the file could not be opened again")
}

impl Log for RedbLog {
    fn check(&self) -> Result<(), StoreError> {
        match &self.state().trouble {
            None => Ok(()),
            Some(Trouble { cause: StoreError::Corrupt(finding), .. }) => {
                Err(StoreError::Corrupt(finding.clone()))
            }
            // The commit that failed may have happened; what is refused because of it has not.
            Some(Trouble { cause, .. }) => Err(StoreError::Unavailable(Arc::new(cause.clone()))),
        }
    }

    fn wants_reopening(&self) -> bool {
        let state = self.state();
        // What contradicts itself reads the same every time.
        let worth = |trouble: &Trouble| !matches!(trouble.cause, StoreError::Corrupt(_));
        let waited = |attempt: Instant| self.pause.is_over(attempt);
        state.trouble.as_ref().is_some_and(worth) && state.last_attempt.is_none_or(waited)
    }

    fn reopen(&self, memory: &[Head]) -> Result<Option<Lead>, StoreError> {
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let doubt = match &self.state().trouble {
            Some(trouble) => trouble.doubt.clone(),
            None => return Ok(None),
        };
        // Closed first, which takes the file's lock away. An engine that has failed writes
        // nothing as it goes.
        close(database.take());
        let opened = guarded(|| {
            let opened = open_engine(self.medium.as_ref(), &self.syncs)?;
            let lead = compare(&opened, memory, doubt.as_ref())?;
            Ok((opened, lead))
        });
        let mut state = self.state();
        state.last_attempt = Some(self.pause.now());
        match opened {
            Ok((opened, lead)) => {
                *database = Some(opened);
                state.trouble = None;
                tracing::info!(?lead, "the file is open again");
                Ok(lead)
            }
            Err(error) => {
                let cause = store_error(error);
                let source: &(dyn std::error::Error + 'static) = &cause;
                tracing::warn!(error = source, "the file cannot be opened again");
                state.trouble = Some(Trouble { cause: cause.clone(), doubt });
                Err(cause)
            }
        }
    }

    fn keeps(&self) -> bool {
        true
    }

    fn changed(&self, change: &Change, users: &[User]) -> Result<(), StoreError> {
        let doubt = || Doubt::Change(Box::new(change.clone()));
        self.transact(doubt, |transaction| write_change(transaction, change, users))
    }

    fn drop_deleted(&self, id: DropId) -> Result<(), StoreError> {
        self.transact(
            || Doubt::Deletion(id),
            |transaction| {
                transaction.open_table(TERMS)?.remove(id.get())?;
                transaction.open_table(HEADS)?.remove(id.get())?;
                transaction.open_table(RESERVATIONS)?.retain_in(numbers(id), |_, _| false)?;
                transaction.open_table(CHUNKS)?.retain_in(numbers(id), |_, _| false)?;
                let revisions = (id.get(), 0)..=(id.get(), u64::MAX);
                transaction.open_table(CHANGES)?.retain_in(revisions, |_, _| false)?;
                Ok(())
            },
        )
    }

    fn user_deleted(&self, id: UserId) -> Result<(), StoreError> {
        self.transact(|| Doubt::Harmless, |transaction| forget_user(transaction, id))
    }

    fn trimmed(&self, id: DropId, upto: Revision) -> Result<(), StoreError> {
        self.transact(
            || Doubt::Harmless,
            |transaction| {
                let revisions = (id.get(), 0)..=(id.get(), upto.get());
                transaction.open_table(CHANGES)?.retain_in(revisions, |_, _| false)?;
                Ok(())
            },
        )
    }
}

/// A file that cannot be read may be readable in a moment, and an engine that broke off may get
/// further; what is damaged, or says something else than memory, is for a person to look at.
fn store_error(error: LoadError) -> StoreError {
    match error {
        LoadError::Engine(error) => StoreError::Unavailable(Arc::new(*error)),
        LoadError::BrokeOff => StoreError::unavailable("opening the file again broke off"),
        LoadError::Contradiction(finding) => StoreError::corrupt(finding),
        LoadError::Format(found) => StoreError::corrupt(format!("the file has format {found}")),
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
        if let [user] = users {
            transaction.open_table(USERS)?.insert(user.id.get(), user.username.as_str())?;
        } else {
            let revision = (id.get(), change.revision.get());
            transaction.open_table(CROWDS)?.insert(revision, encode(&users)?.as_slice())?;
        }
        let last = users.iter().map(|user| user.id.get()).max().unwrap_or(0);
        raise(transaction, LAST_USER, last)?;
    }
    let mut table = transaction.open_table(RESERVATIONS)?;
    let (together, alone) = match change.inserted.as_slice() {
        [only] => (None, Some(only)),
        rows => (rows.first(), None),
    };
    for row in change.updated.iter().chain(alone) {
        table.insert(row.id().get(), encode(row)?.as_slice())?;
    }
    if let Some(first) = together {
        let rows = encode(&change.inserted)?;
        transaction.open_table(CHUNKS)?.insert(first.id().get(), rows.as_slice())?;
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
    unreadable.map_or(Ok(()), Err)?;
    let mut chunks = transaction.open_table(CHUNKS)?;
    let mut thinner = Vec::new();
    for entry in chunks.range(numbers(id))? {
        let (key, rows) = entry?;
        let stays = |row: &Reservation| !users.contains(&row.claim().user_id);
        if let Some(rows) = thinned(rows.value(), stays)? {
            thinner.push((key.value(), rows));
        }
    }
    for (key, rows) in thinner {
        if rows.is_empty() {
            chunks.remove(key)?;
        } else {
            chunks.insert(key, encode(&rows)?.as_slice())?;
        }
    }
    Ok(())
}

fn forget_user(transaction: &WriteTransaction, id: UserId) -> Result<(), redb::Error> {
    transaction.open_table(USERS)?.remove(id.get())?;
    let mut crowds = transaction.open_table(CROWDS)?;
    let mut thinner = Vec::new();
    for entry in crowds.iter()? {
        let (key, users) = entry?;
        if let Some(users) = thinned(users.value(), |user: &User| user.id != id)? {
            thinner.push((key.value(), users));
        }
    }
    for (key, users) in thinner {
        if users.is_empty() {
            crowds.remove(key)?;
        } else {
            crowds.insert(key, encode(&users)?.as_slice())?;
        }
    }
    Ok(())
}

/// What is left of a list, where something has to go.
fn thinned<T: DeserializeOwned>(
    list: &[u8],
    stays: impl Fn(&T) -> bool,
) -> Result<Option<Vec<T>>, redb::Error> {
    let mut items: Vec<T> = decode(list)?;
    let before = items.len();
    items.retain(stays);
    Ok((items.len() < before).then_some(items))
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

#[cfg(test)]
mod reopened;
#[cfg(test)]
mod tests;
