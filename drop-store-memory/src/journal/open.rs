//! Opening a data directory: all of it, checked, or none.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{Database, Error as EngineError};

use super::error::OpenError;
use super::load::LoadError;
use super::medium::Medium;
use super::resync::{Resync, Syncs};
use super::tables::{CHANGES, FORMAT, HEADS, META, PRESENT_FORMAT, RESERVATIONS, TERMS, USERS};

/// The database's name in its directory.
const FILE: &str = "drop.redb";
/// Under this name a database is made, and renamed once it is one.
const NEW_FILE: &str = "drop.redb.new";
/// The engine's page cache. Everything is read once and then kept in the shelves.
const CACHE_BYTES: usize = 64 << 20;

/// Makes a database in `directory` if there is none; returns where it is.
pub(super) fn place(directory: &Path) -> Result<PathBuf, OpenError> {
    let path = directory.join(FILE);
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    std::fs::create_dir_all(directory).map_err(at(directory))?;
    if !path.try_exists().map_err(at(&path))? {
        create(directory, &path)?;
    }
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
    std::fs::rename(&unfinished, path).map_err(io)?;
    // The name is durable once its directory is.
    std::fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(io)
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
    Ok(transaction.commit()?)
}
