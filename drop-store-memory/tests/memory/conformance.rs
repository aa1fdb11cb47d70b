//! The conformance suite of drop-core, on both stores of this crate.

use std::sync::Arc;

use async_trait::async_trait;
use drop_core::Store;
use drop_core::conformance::{Harness, Release, World};
use drop_core::model::{DropId, Timestamp};
use drop_store_memory::{FileStore, MemoryStore};
use tempfile::TempDir;

use crate::gate::GateClock;

mod memory {
    drop_core::conformance::suite!(super::InMemory);
}

mod file {
    drop_core::conformance::suite!(super::InFile);
}

struct InMemory;

#[async_trait(?Send)]
impl Harness for InMemory {
    async fn world(&self) -> Box<dyn World> {
        let clock = GateClock::new();
        Box::new(MemoryWorld { store: MemoryStore::with_clock(clock.clone()), clock })
    }
}

struct MemoryWorld {
    store: MemoryStore,
    clock: Arc<GateClock>,
}

#[async_trait(?Send)]
impl World for MemoryWorld {
    fn store(&self, _instance: usize) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn set_time(&self, at: Timestamp) {
        self.clock.set(at);
    }

    async fn reopen(&mut self) -> bool {
        false
    }

    async fn stall(&self, drop_id: DropId) -> Option<Release> {
        Some(self.clock.stall(self.store(1), drop_id))
    }
}

struct InFile;

#[async_trait(?Send)]
impl Harness for InFile {
    async fn world(&self) -> Box<dyn World> {
        let directory = TempDir::new().unwrap();
        let clock = GateClock::new();
        let store = FileStore::open_with_clock(directory.path(), clock.clone()).unwrap();
        Box::new(FileWorld { store: Some(store), directory, clock })
    }
}

struct FileWorld {
    /// `None` only while it is opened again.
    store: Option<FileStore>,
    directory: TempDir,
    clock: Arc<GateClock>,
}

#[async_trait(?Send)]
impl World for FileWorld {
    fn store(&self, _instance: usize) -> Arc<dyn Store> {
        Arc::new(self.store.clone().unwrap())
    }

    async fn set_time(&self, at: Timestamp) {
        self.clock.set(at);
    }

    async fn reopen(&mut self) -> bool {
        self.store = None;
        let opened = FileStore::open_with_clock(self.directory.path(), self.clock.clone());
        self.store = Some(opened.unwrap());
        true
    }

    async fn stall(&self, drop_id: DropId) -> Option<Release> {
        Some(self.clock.stall(self.store(1), drop_id))
    }
}
