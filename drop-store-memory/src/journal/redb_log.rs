//! The log: one disk transaction for all who wait for one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use drop_core::StoreError;
use drop_core::model::{DropId, Revision, User, UserId};
use drop_core::rules::Change;
use redb::{Database, WriteTransaction};

use crate::group::Group;
use crate::log::{Head, Lead, Log};

use super::compare::{Doubt, compare};
use super::entry::Entry;
use super::load::{LoadError, Loaded, load};
use super::medium::Medium;
use super::open::{guarded, open_engine, upgrade};
use super::pause::Pause;
use super::resync::Syncs;

/// Writes each commit to the database file, synced before it returns: what waits of several drops
/// in one transaction, because the file has one writer and a sync takes as long for all as for one.
///
/// After a failure of whatever kind nothing more is written until the file was opened again
/// and has said what became of the commit that failed.
#[derive(Debug)]
pub(super) struct RedbLog {
    medium: Box<dyn Medium>,
    /// What lies between one attempt to open it again and the next.
    pause: Pause,
    syncs: Syncs,
    group: Group<Entry, Result<(), StoreError>>,
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
    /// What may or may not be in the file: all of it or nothing, as it went by one commit.
    doubts: Vec<Doubt>,
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
        let (group, state) = (Group::default(), Mutex::default());
        Ok((Self { medium, pause, syncs, group, database, state }, loaded))
    }

    /// Keeps what one caller brings, and what others bring meanwhile.
    fn keep(&self, entry: Entry) -> Result<(), StoreError> {
        let done = self.group.join(entry, |entries| {
            let doubts = entries.iter().filter_map(Entry::doubt).collect();
            self.transact(doubts, |transaction| {
                entries.iter().try_for_each(|entry| entry.write(transaction))
            })
        });
        let broke_off = || Err(StoreError::Unknown(Arc::new(broke_off())));
        done.unwrap_or_else(broke_off)
    }

    /// One transaction. What fails before its commit has not happened; where the commit itself
    /// fails the file may have it, which `doubts` keep in mind.
    fn transact(
        &self,
        mut doubts: Vec<Doubt>,
        write: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), StoreError> {
        let database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        // Behind the database: whoever was in it before has left word.
        self.check()?;
        let database = database.as_ref().ok_or_else(closed)?;
        let done = catch_unwind(AssertUnwindSafe(|| begin_and_commit(database, write)));
        let done = done.unwrap_or_else(|_| Err(StoreError::Unknown(Arc::new(broke_off()))));
        if let Err(cause) = &done {
            if !matches!(cause, StoreError::Unknown(_)) {
                doubts.clear();
            }
            self.state().trouble = Some(Trouble { cause: cause.clone(), doubts });
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

fn broke_off() -> redb::Error {
    redb::Error::Corrupted("the engine broke off".to_owned())
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

    fn reopen(&self, memory: &[Head]) -> Result<Vec<Lead>, StoreError> {
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let doubts = match &self.state().trouble {
            Some(trouble) => trouble.doubts.clone(),
            None => return Ok(Vec::new()),
        };
        // Closed first, which takes the file's lock away. An engine that has failed writes
        // nothing as it goes.
        close(database.take());
        let opened = guarded(|| {
            let opened = open_engine(self.medium.as_ref(), &self.syncs)?;
            let leads = compare(&opened, memory, &doubts)?;
            Ok((opened, leads))
        });
        let mut state = self.state();
        state.last_attempt = Some(self.pause.now());
        match opened {
            Ok((opened, leads)) => {
                *database = Some(opened);
                state.trouble = None;
                tracing::info!(?leads, "the file is open again");
                Ok(leads)
            }
            Err(error) => {
                let cause = store_error(error);
                let source: &(dyn std::error::Error + 'static) = &cause;
                tracing::warn!(error = source, "the file cannot be opened again");
                state.trouble = Some(Trouble { cause: cause.clone(), doubts });
                Err(cause)
            }
        }
    }

    fn keeps(&self) -> bool {
        true
    }

    fn changed(&self, change: &Arc<Change>, users: Vec<User>) -> Result<(), StoreError> {
        self.keep(Entry::Change(change.clone(), users))
    }

    fn drop_deleted(&self, id: DropId) -> Result<(), StoreError> {
        self.keep(Entry::DropDeleted(id))
    }

    fn user_deleted(&self, id: UserId) -> Result<(), StoreError> {
        self.keep(Entry::UserDeleted(id))
    }

    fn trimmed(&self, id: DropId, upto: Revision) -> Result<(), StoreError> {
        self.keep(Entry::Trimmed(id, upto))
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

#[cfg(test)]
mod reopened;
#[cfg(test)]
mod tests;
