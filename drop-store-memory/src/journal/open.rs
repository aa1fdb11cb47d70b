//! Opening a data directory: all of it, checked, or none.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{Database, Error as EngineError};

use super::error::OpenError;
use super::load::LoadError;
use super::medium::Medium;
use super::resync::{Resync, Syncs};
use super::tables::{
    CHANGES, CHUNKS, CROWDS, FORMAT, HEADS, META, PRESENT_FORMAT, RESERVATIONS, TERMS, USERS,
};

/// The database's name in its directory.
const FILE: &str = "drop.redb";
/// Under this name a database is made, and renamed once it is one.
const NEW_FILE: &str = "drop.redb.new";
/// The engine's page cache. Everything is read once and then kept in the shelves, so that only
/// the pages that are written next are worth keeping: four times as much sold no faster.
const CACHE_BYTES: usize = 16 << 20;

/// Makes a database in `directory` if there is none; returns where it is.
pub(super) fn place(directory: &Path) -> Result<PathBuf, OpenError> {
    place_by(directory, |directory| std::fs::File::open(directory)?.sync_all())
}

/// As [`place`], with what makes the names in a directory durable.
fn place_by(
    directory: &Path,
    sync: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<PathBuf, OpenError> {
    let path = directory.join(FILE);
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    std::fs::create_dir_all(directory).map_err(at(directory))?;
    if !path.try_exists().map_err(at(&path))? {
        create(directory, &path)?;
    }
    // The file's name is durable once its directory is. Each time: who made the file may have
    // ended before it came to this.
    sync(directory).map_err(at(directory))?;
    Ok(path)
}

/// In an opener's words.
pub(super) fn open_error(path: &Path, error: LoadError) -> OpenError {
    let path = path.to_owned();
    let damaged = |finding| OpenError::Damaged { path: path.clone(), finding };
    match error {
        LoadError::Engine(error) => match *error {
            EngineError::DatabaseAlreadyOpen => OpenError::AlreadyOpen { path },
            EngineError::Io(source) => OpenError::Io { path, source },
            other => OpenError::Io { path, source: io::Error::other(other) },
        },
        LoadError::Contradiction(finding) => damaged(finding),
        LoadError::Format(found) => OpenError::Format { path, found, expected: PRESENT_FORMAT },
        LoadError::BrokeOff => damaged("it cannot be read".to_owned()),
    }
}

/// Opens the database of a medium, every page checked.
pub(super) fn open_engine(medium: &dyn Medium, syncs: &Syncs) -> Result<Database, EngineError> {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
    Ok(builder.create_with_backend(Resync::new(medium.open()?, syncs))?)
}

/// The engine promises to report damage when it checks on opening, and so does `load`; should
/// either panic all the same, that is an answer too.
pub(super) fn guarded<T>(open: impl FnOnce() -> Result<T, LoadError>) -> Result<T, LoadError> {
    catch_unwind(AssertUnwindSafe(open)).unwrap_or(Err(LoadError::BrokeOff))
}

/// Makes an empty database, whole or not at all.
fn create(directory: &Path, path: &Path) -> Result<(), OpenError> {
    let unfinished = directory.join(NEW_FILE);
    let io = |source| OpenError::Io { path: unfinished.clone(), source };
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let made = Database::create(&unfinished).map_err(EngineError::from);
    let made = made.and_then(|database| fill(&database));
    made.map_err(|error| open_error(path, error.into()))?;
    std::fs::rename(&unfinished, path).map_err(io)
}

/// Makes the tables of an empty database.
pub(super) fn fill(database: &Database) -> Result<(), EngineError> {
    let transaction = database.begin_write()?;
    transaction.open_table(META)?.insert(FORMAT, PRESENT_FORMAT)?;
    transaction.open_table(TERMS)?;
    transaction.open_table(HEADS)?;
    transaction.open_table(RESERVATIONS)?;
    transaction.open_table(CHANGES)?;
    transaction.open_table(USERS)?;
    transaction.open_table(CHUNKS)?;
    transaction.open_table(CROWDS)?;
    Ok(transaction.commit()?)
}

/// Makes a database of the former format one of this format. An older version refuses it from
/// then on, as it must: it would not find the rows of batches.
pub(super) fn upgrade(database: &Database) -> Result<(), EngineError> {
    let transaction = database.begin_write()?;
    transaction.open_table(META)?.insert(FORMAT, PRESENT_FORMAT)?;
    transaction.open_table(CHUNKS)?;
    transaction.open_table(CROWDS)?;
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{FILE, NEW_FILE, OpenError, place, place_by};
    use crate::journal::medium::File;
    use crate::journal::pause::Pause;
    use crate::journal::redb_log::RedbLog;

    #[test]
    fn what_an_unfinished_creation_has_left_is_in_nobodys_way() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(NEW_FILE), "half of a database").unwrap();
        let path = place(directory.path()).unwrap();
        assert_eq!(path, directory.path().join(FILE));
        assert!(!directory.path().join(NEW_FILE).exists());
        RedbLog::open(Box::new(File(path)), Pause::default()).unwrap();
    }

    /// A creation that breaks off leaves no file that would be taken for a database.
    #[test]
    fn a_database_is_made_under_another_name() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(NEW_FILE)).unwrap();
        let refused = place(directory.path());
        assert!(matches!(refused, Err(OpenError::Io { .. })), "{refused:?}");
        assert!(!directory.path().join(FILE).exists());
    }

    /// Whoever made the file may have been killed before its name was synced.
    #[test]
    fn the_name_of_the_file_is_synced_at_each_opening() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(FILE);
        for _ in 0..2 {
            let mut synced = Vec::new();
            let sync = |at: &std::path::Path| {
                assert!(file.exists(), "the name is there before it is synced");
                synced.push(at.to_owned());
                Ok(())
            };
            place_by(directory.path(), sync).unwrap();
            assert_eq!(synced, [directory.path()]);
        }
        let failing = place_by(directory.path(), |_| Err(io::ErrorKind::StorageFull.into()));
        assert!(matches!(failing, Err(OpenError::Io { .. })), "{failing:?}");
    }
}
