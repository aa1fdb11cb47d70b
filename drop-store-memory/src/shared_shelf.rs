//! One drop, shared by everybody who asks for it.

use std::sync::{Arc, PoisonError};

use crate::shelf::Shelf;
use crate::sync::{Mutex, MutexGuard};

/// A drop and its lock.
///
/// The gate is the lock of the design, held from loading to committing, disk included. The
/// shelf itself changes only by who holds the gate, and is locked just while it is read or
/// changed, so that readers never wait for a disk.
#[derive(Debug)]
pub(crate) struct SharedShelf {
    gate: Mutex<()>,
    shelf: Mutex<Shelf>,
}

impl SharedShelf {
    pub(crate) fn new(shelf: Shelf) -> Arc<Self> {
        Arc::new(Self { gate: Mutex::new(()), shelf: Mutex::new(shelf) })
    }

    /// The lock of the drop.
    pub(crate) fn gate(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The drop itself. It changes by whole changes only, after everything that can fail, so
    /// it is sound even where a panic has poisoned the mutex.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
