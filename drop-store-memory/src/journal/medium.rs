//! Where the database's bytes are.

use std::fmt::Debug;
use std::fs::OpenOptions;
use std::path::PathBuf;

use redb::StorageBackend;
use redb::backends::FileBackend;

/// A place that is opened again after a failure.
pub(super) trait Medium: Debug + Send + Sync {
    /// Opens what is there. Making an empty one is not its business.
    ///
    /// # Errors
    /// What the place says.
    fn open(&self) -> Result<Box<dyn StorageBackend>, redb::Error>;
}

/// A file.
#[derive(Debug)]
pub(super) struct File(pub(super) PathBuf);

impl Medium for File {
    fn open(&self) -> Result<Box<dyn StorageBackend>, redb::Error> {
        let file = OpenOptions::new().read(true).write(true).open(&self.0)?;
        Ok(Box::new(FileBackend::new(file)?))
    }
}
