//! What makes a failed sync good.

use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

/// What a process knows of the syncs of a file, over all engines that it opens on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Syncs(Arc<Mutex<Known>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Known {
    /// Nothing: the file was another process's before.
    #[default]
    Nothing,
    /// None has failed that was not made good.
    Passed,
    /// One has failed, or has not come back.
    Failed,
}

impl Syncs {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A backend that writes everything again, and syncs it, before it serves what a failed sync
/// has left.
///
/// After a failed sync the system may take the pages for written that it could not write: they
/// read as they should, a later sync passes, and after a loss of power they are not there
/// ("fsyncgate"). What is read is then no witness of what is kept. Written again, it is.
///
/// The process that has seen the sync fail may be gone, and cannot be relied on for a note: it
/// would stand on the disk that fails. But the engine marks its file, synced, before it first
/// writes to it, and takes the mark away when it closes and no operation has failed. So a file
/// with the mark is written again too, and one that was closed in order costs nothing.
///
/// A loss of power in the middle leaves pages of the last transaction beside pages that lack
/// it, which is what the engine's checksums tell from a whole one.
#[derive(Debug)]
pub(super) struct Resync {
    backend: Box<dyn StorageBackend>,
    syncs: Syncs,
}

impl Resync {
    /// How much is read and written at once.
    const CHUNK: usize = 1 << 20;
    /// How a database begins.
    const MAGIC: &[u8; 9] = b"redb\x1A\x0A\xA9\x0D\x0A";
    /// Flags of a file that was closed in order: which slot is the primary one, and that it was
    /// committed in two phases.
    const HARMLESS: u8 = 1 | 4;

    pub(super) fn new(backend: Box<dyn StorageBackend>, syncs: &Syncs) -> Self {
        Self { backend, syncs: syncs.clone() }
    }

    /// Whether a process before this one may have ended with a sync that failed.
    ///
    /// The engine's format: nine bytes of magic, then flags. Any that is not known is doubtful.
    fn was_left_open(&self, length: u64) -> io::Result<bool> {
        let mut start = [0; Self::MAGIC.len() + 1];
        if length < u64::try_from(start.len()).map_err(io::Error::other)? {
            return Ok(false);
        }
        self.backend.read(0, &mut start)?;
        let [magic @ .., flags] = &start;
        // What is no database is left as it is.
        Ok(magic == Self::MAGIC && flags & !Self::HARMLESS != 0)
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
        let mut known = self.syncs.known();
        let is_doubtful = match *known {
            Known::Nothing => self.was_left_open(length)?,
            Known::Passed => false,
            Known::Failed => true,
        };
        if is_doubtful {
            self.write_again(length)?;
        }
        *known = Known::Passed;
        Ok(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        let before = std::mem::replace(&mut *self.syncs.known(), Known::Failed);
        self.backend.sync_data()?;
        // A later sync that passes does not make good what one before it has lost.
        *self.syncs.known() = before;
        Ok(())
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
