//! The stores that are measured, each new and empty.

use std::sync::Arc;

use drop_core::model::Timestamp;
use drop_core::{ManualClock, Store};
use drop_store_memory::{FileStore, MemoryStore};
use drop_store_postgres::testing::{Cluster, Database, ManualTime};

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

/// The time that a store goes by, in a bench's hand.
#[derive(Clone, Debug)]
pub enum Time {
    /// Of a store in this process.
    Here(Arc<ManualClock>),
    /// Of a database.
    There(Box<ManualTime>),
}

impl Time {
    /// Sets it.
    ///
    /// # Panics
    /// Where the database does not take it.
    pub async fn set(&self, at: Timestamp) {
        match self {
            Self::Here(clock) => clock.jump(at),
            Self::There(time) => time.set_time(at).await.expect("the time is set"),
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
                let store = FileStore::open(self.directory());
                Arc::new(store.expect("a file store"))
            }
            Kind::Postgres => {
                let store = self.database().await.connect().await;
                Arc::new(store.expect("a store"))
            }
        }
    }

    /// A new, empty store whose time stands still until it is set.
    ///
    /// # Panics
    /// As [`Stores::open`].
    pub async fn open_at(&mut self, kind: Kind, at: Timestamp) -> (Arc<dyn Store>, Time) {
        let clock = Arc::new(ManualClock::new(at));
        match kind {
            Kind::Memory => (Arc::new(MemoryStore::with_clock(clock.clone())), Time::Here(clock)),
            Kind::File => {
                let store = FileStore::open_with_clock(self.directory(), clock.clone());
                (Arc::new(store.expect("a file store")), Time::Here(clock))
            }
            Kind::Postgres => {
                let time = self.database().await.with_manual_time(at).await.expect("a time");
                let store = time.connect().await.expect("a store");
                (Arc::new(store), Time::There(Box::new(time)))
            }
        }
    }

    /// A new directory, which goes with this value.
    ///
    /// # Panics
    /// Where there is no room.
    pub fn directory(&mut self) -> &std::path::Path {
        self.directories.push(tempfile::tempdir().expect("a directory"));
        self.directories.last().expect("just pushed").path()
    }

    /// A new database of this process's server, which goes with this value.
    ///
    /// # Panics
    /// Where there is no PostgreSQL.
    pub async fn database(&mut self) -> &Database {
        let cluster = Cluster::shared().await.expect("PostgreSQL");
        self.databases.push(cluster.database().await.expect("a database"));
        self.databases.last().expect("just pushed")
    }
}
