//! The stores that are measured, each new and empty.

use std::sync::Arc;

use drop_core::Store;
use drop_store_memory::{FileStore, MemoryStore};
use drop_store_postgres::testing::{Cluster, Database};

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In memory.
    Memory,
    /// In an embedded database file.
    File,
    /// In PostgreSQL, on this machine, with fsync.
    Postgres,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Memory, Self::File, Self::Postgres];

    /// Its name in a table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::File => "file",
            Self::Postgres => "postgres",
        }
    }
}

/// Keeps what the opened stores stand on.
#[derive(Debug, Default)]
pub struct Stores {
    directories: Vec<tempfile::TempDir>,
    databases: Vec<Database>,
}

impl Stores {
    /// A new, empty store.
    ///
    /// # Panics
    /// Where there is no PostgreSQL or no room: a bench has nothing to measure then.
    pub async fn open(&mut self, kind: Kind) -> Arc<dyn Store> {
        match kind {
            Kind::Memory => Arc::new(MemoryStore::new()),
            Kind::File => {
                let directory = tempfile::tempdir().expect("a directory");
                let store = FileStore::open(directory.path()).expect("a file store");
                self.directories.push(directory);
                Arc::new(store)
            }
            Kind::Postgres => {
                let cluster = Cluster::shared().await.expect("PostgreSQL");
                let database = cluster.database().await.expect("a database");
                let store = database.connect().await.expect("a store");
                self.databases.push(database);
                Arc::new(store)
            }
        }
    }
}
