//! Why a directory could not be opened.

use std::path::PathBuf;

/// A data directory could not be opened. Nothing of it was used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another store in this one, has it open.
    #[error("{} is already open in another process", path.display())]
    AlreadyOpen {
        /// The database file.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("{} cannot be opened", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is torn, damaged, or not a database of this kind.
    #[error("{} is damaged: {finding}", path.display())]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// What was found.
        finding: String,
    },
    /// The file was written by another version of this crate.
    #[error("{} has format {found}, this version reads {expected}", path.display())]
    Format {
        /// The database file.
        path: PathBuf,
        /// What the file says.
        found: u64,
        /// What this version reads and writes.
        expected: u64,
    },
}
