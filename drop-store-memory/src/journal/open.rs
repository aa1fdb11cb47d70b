//! Opening a data directory: all of it, checked, or none.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::{Database, Error as EngineError};

use super::error::OpenError;
use super::load::{LoadError, Loaded, load};
use super::tables::{CHANGES, FORMAT, HEADS, META, PRESENT_FORMAT, RESERVATIONS, TERMS, USERS};

/// The database's name in its directory.
const FILE: &str = "drop.redb";
/// Under this name a database is made, and renamed once it is one.
const NEW_FILE: &str = "drop.redb.new";
/// The engine's page cache. Everything is read once and then kept in the shelves.
const CACHE_BYTES: usize = 64 << 20;

/// Opens the database in `directory`, or makes one, and reads everything.
pub(super) fn open(directory: &Path) -> Result<(Database, Loaded), OpenError> {
    let path = directory.join(FILE);
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    std::fs::create_dir_all(directory).map_err(at(directory))?;
    if !path.try_exists().map_err(at(&path))? {
        create(directory, &path)?;
    }
    if std::fs::metadata(&path).map_err(at(&path))?.len() == 0 {
        // The engine would take an empty file for a new database.
        return Err(OpenError::Damaged { path, finding: "the file is empty".to_owned() });
    }
    // The engine promises to report damage when it checks on opening, and so does `load`;
    // should either panic all the same, that is a finding too.
    match catch_unwind(AssertUnwindSafe(|| open_existing(&path))) {
        Ok(opened) => opened,
        Err(_) => Err(OpenError::Damaged { path, finding: "it cannot be read".to_owned() }),
    }
}

/// Makes an empty database, whole or not at all.
fn create(directory: &Path, path: &Path) -> Result<(), OpenError> {
    let unfinished = directory.join(NEW_FILE);
    let io = |source| OpenError::Io { path: unfinished.clone(), source };
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let made = (|| -> Result<(), EngineError> {
        let database = Database::create(&unfinished)?;
        let transaction = database.begin_write()?;
        transaction.open_table(META)?.insert(FORMAT, PRESENT_FORMAT)?;
        transaction.open_table(TERMS)?;
        transaction.open_table(HEADS)?;
        transaction.open_table(RESERVATIONS)?;
        transaction.open_table(CHANGES)?;
        transaction.open_table(USERS)?;
        transaction.commit()?;
        Ok(())
    })();
    made.map_err(|error| explain(path, error))?;
    std::fs::rename(&unfinished, path).map_err(io)?;
    // The name is durable once its directory is.
    std::fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(io)
}

fn open_existing(path: &Path) -> Result<(Database, Loaded), OpenError> {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
    let database = builder.open(path).map_err(|error| explain(path, error.into()))?;
    let loaded = load(&database).map_err(|error| match error {
        LoadError::Engine(error) => explain(path, *error),
        LoadError::Contradiction(finding) => OpenError::Damaged { path: path.to_owned(), finding },
        LoadError::Format(found) => {
            OpenError::Format { path: path.to_owned(), found, expected: PRESENT_FORMAT }
        }
    })?;
    Ok((database, loaded))
}

fn explain(path: &Path, error: EngineError) -> OpenError {
    let path = path.to_owned();
    match error {
        EngineError::DatabaseAlreadyOpen => OpenError::AlreadyOpen { path },
        EngineError::Io(source)
            if source.kind() != std::io::ErrorKind::UnexpectedEof
                && source.kind() != std::io::ErrorKind::InvalidData =>
        {
            OpenError::Io { path, source }
        }
        other => OpenError::Damaged { path, finding: other.to_string() },
    }
}
