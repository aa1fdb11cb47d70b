//! Why there is no database for a test.

use std::fmt;

use drop_core::StoreError;

/// Why there is no database for a test.
///
/// Its `Debug` is its message, so that a test which unwraps it says what to do.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The programs of the server are not on this machine.
    #[error(
        "PostgreSQL is needed to run this: `initdb` and `postgres` are neither in PATH nor in \
         /usr/lib/postgresql/*/bin. Install them (Debian: `apt-get install postgresql`; Fedora: \
         `dnf install postgresql-server`; macOS: `brew install postgresql`), or set \
         DATABASE_URL to a server on which databases may be created."
    )]
    NotInstalled,
    /// The server refuses to run as root, and there is nobody else to run it.
    #[error(
        "PostgreSQL does not run as root: a user `postgres` or `nobody`, and `setpriv` \
         (util-linux), are needed"
    )]
    OnlyRoot,
    /// A program failed.
    #[error("{program} failed: {output}")]
    Failed {
        /// Which.
        program: &'static str,
        /// What it wrote.
        output: String,
    },
    /// A server that belongs to somebody else is neither stopped nor started.
    #[error("the server of DATABASE_URL is not ours to stop or start")]
    NotOurs,
    /// An operation of the system failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The server answered with an error.
    #[error("{0}")]
    Sql(#[from] sqlx::Error),
    /// The schema could not be made, or the store not be opened.
    #[error("{0}: {source}", source = cause(.0))]
    Store(#[from] StoreError),
}

fn cause(error: &StoreError) -> String {
    std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
}

impl fmt::Debug for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
