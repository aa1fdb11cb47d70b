//! What makes a failed sync good.

use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{BackendError, StorageBackend};

/// Whether a sync has failed and nothing has made it good.
#[derive(Clone, Debug, Default)]
pub(super) struct Unsynced(Arc<AtomicBool>);

/// A backend that writes everything again, and syncs it, before it serves what a failed sync
/// has left.
///
/// After a failed sync the system may take the pages for written that it could not write: they
/// read as they should, a later sync passes, and after a loss of power they are not there
/// ("fsyncgate"). What is read is then no witness of what is kept. Written again, it is.
///
/// A loss of power in the middle leaves pages of the last transaction beside pages that lack
/// it, which is what the engine's checksums tell from a whole one.
#[derive(Debug)]
pub(super) struct Resync {
    backend: Box<dyn StorageBackend>,
    unsynced: Unsynced,
}

impl Resync {
    /// How much is read and written at once.
    const CHUNK: usize = 1 << 20;

    pub(super) fn new(backend: Box<dyn StorageBackend>, unsynced: &Unsynced) -> Self {
        Self { backend, unsynced: unsynced.clone() }
    }

    fn write_again(&self, length: u64) -> io::Result<()> {
        let mut chunk = vec![0; Self::CHUNK];
        let mut offset = 0;
        while offset < length {
            let rest = usize::try_from(length - offset).unwrap_or(usize::MAX);
            let part = &mut chunk[..rest.min(Self::CHUNK)];
            self.backend.read(offset, part)?;
            self.backend.write(offset, part)?;
            offset += u64::try_from(part.len()).map_err(io::Error::other)?;
        }
        self.backend.sync_data()
    }
}

impl StorageBackend for Resync {
    /// The engine asks for it first, once it has the file to itself, and before it reads.
    fn len(&self) -> io::Result<u64> {
        let length = self.backend.len()?;
        if length == 0 {
            // The engine would take it for a new database.
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty"));
        }
        if self.unsynced.0.load(Ordering::Relaxed) {
            self.write_again(length)?;
            self.unsynced.0.store(false, Ordering::Relaxed);
        }
        Ok(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        let synced = self.backend.sync_data();
        if synced.is_err() {
            self.unsynced.0.store(true, Ordering::Relaxed);
        }
        synced
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.backend.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.backend.set_len(length)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.backend.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.backend.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.backend.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.query_lock_range(start, end)
    }
}
