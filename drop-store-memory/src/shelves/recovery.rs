//! Selling on after the log has failed.

use std::sync::{PoisonError, TryLockError};

use drop_core::StoreError;
use drop_core::model::DropId;

use crate::log::Lead;
use crate::shelf::Shelf;

use super::Shelves;

impl Shelves {
    #[cfg(feature = "journal")]
    pub(crate) fn wants_recovery(&self) -> bool {
        self.log.wants_reopening()
    }

    /// Opens the log again where it has failed and it is time to; returns the drops that the
    /// log was ahead in. Nobody writes meanwhile, and readers are served.
    pub(crate) fn recover(&self) -> Result<Vec<DropId>, StoreError> {
        let Err(failed) = self.log.check() else {
            return Ok(Vec::new());
        };
        let _turn = match self.recovering.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(failed),
        };
        if !self.log.wants_reopening() {
            return self.log.check().map(|()| Vec::new());
        }
        let _alone = self.writing.write().unwrap_or_else(PoisonError::into_inner);
        let memory: Vec<_> = self.all().iter().map(|shelf| shelf.lock().head()).collect();
        // All of them, also where one cannot be followed: the log goes on from where it is.
        let followed: Vec<_> =
            self.log.reopen(&memory)?.iter().map(|lead| self.follow(lead)).collect();
        followed.into_iter().collect()
    }

    /// Takes over what the log has and memory has not.
    fn follow(&self, lead: &Lead) -> Result<DropId, StoreError> {
        match lead {
            Lead::Change(change) => {
                let id = change.drop_id;
                if let Some(shared) = self.shelf(id) {
                    shared.lock().write(change);
                } else {
                    let shelf = Shelf::create(change)
                        .ok_or_else(|| StoreError::corrupt("a first change has terms"))?;
                    self.put(id, shelf);
                }
                Ok(id)
            }
            Lead::Deletion(id) => {
                self.remove(*id);
                Ok(*id)
            }
        }
    }
}
