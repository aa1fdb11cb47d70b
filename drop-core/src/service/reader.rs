//! What everybody reads. Reads take no lock and count lapsed holds as available.

use crate::error::ServiceError;
use crate::model::{DropId, DropSnapshot, ReservationId, Timestamp};
use crate::store::{DropPage, Held, Page, Reading, Sale, Scope};

use super::drop_service::DropService;

impl DropService {
    /// What the service stores in, in words without secrets.
    #[must_use]
    pub fn describe_store(&self) -> String {
        self.store.describe()
    }

    /// Whether what was acknowledged survives a crash.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.store.is_durable()
    }

    /// Whether the store can serve, and its time.
    ///
    /// # Errors
    /// [`ServiceError::Store`] when it cannot.
    ///
    /// # Cancel safety
    /// A read; dropping it changes nothing.
    pub async fn ready(&self) -> Result<Timestamp, ServiceError> {
        Ok(self.store.ready().await?)
    }

    /// One drop.
    ///
    /// # Errors
    /// [`ServiceError::Store`] on a fault.
    ///
    /// # Cancel safety
    /// A read; dropping it changes nothing.
    pub async fn drop_snapshot(&self, id: DropId) -> Result<Option<DropSnapshot>, ServiceError> {
        Ok(self.store.snapshot(id).await?)
    }

    /// A part of the drops, newest first.
    ///
    /// # Errors
    /// [`ServiceError::Store`] on a fault.
    ///
    /// # Cancel safety
    /// A read; dropping it changes nothing.
    pub async fn drop_snapshots(&self, page: &DropPage) -> Result<Vec<DropSnapshot>, ServiceError> {
        Ok(self.store.snapshots(page).await?)
    }

    /// One reservation, with the store's time of the reading.
    ///
    /// # Errors
    /// [`ServiceError::Store`] on a fault.
    ///
    /// # Cancel safety
    /// A read; dropping it changes nothing.
    pub async fn reservation(&self, id: ReservationId) -> Result<Option<Reading>, ServiceError> {
        Ok(self.store.reservation(id).await?)
    }

    /// The holds that are valid now, of a drop or a customer, by falling number.
    ///
    /// # Errors
    /// [`ServiceError::Store`] on a fault.
    ///
    /// # Cancel safety
    /// A read; dropping it changes nothing.
    pub async fn holds(&self, scope: &Scope, page: Page) -> Result<Vec<Held>, ServiceError> {
        Ok(self.store.holds(scope, page).await?)
    }

    /// The purchases of a drop or a customer, by falling number.
    ///
    /// # Errors
    /// [`ServiceError::Store`] on a fault.
    ///
    /// # Cancel safety
    /// A read; dropping it changes nothing.
    pub async fn purchases(&self, scope: &Scope, page: Page) -> Result<Vec<Sale>, ServiceError> {
        Ok(self.store.purchases(scope, page).await?)
    }
}
