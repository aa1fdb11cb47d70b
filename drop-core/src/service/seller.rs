//! What sellers do: create, amend and delete drops; delete users; audit.

use std::sync::Arc;

use crate::error::{ServiceError, StoreError};
use crate::model::{DropId, DropSnapshot, NewDrop};
use crate::rules::{Amendment, Audit, Command, Rejection};
use crate::store::Deletion;

use super::drop_service::DropService;
use super::shopper::parse;

impl DropService {
    /// Creates a drop.
    ///
    /// ```
    /// # use drop_core::DropService;
    /// # use drop_core::model::{NewDrop, Units, VariantName};
    /// # use drop_store_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (service, _workers) = DropService::builder(MemoryStore::new()).build();
    /// let sizes = [("EU 42", 10), ("EU 43", 5)];
    /// let sizes: Result<Vec<_>, Box<dyn std::error::Error>> = sizes
    ///     .into_iter()
    ///     .map(|(name, total)| Ok((VariantName::new(name)?, Units::new(total)?)))
    ///     .collect();
    /// let new = NewDrop::with_variants(service.terms("Air One", "149.99")?, sizes?)?;
    /// let air_one = service.create_drop(new).await?;
    /// assert_eq!(air_one.stock().available().get(), 15);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ServiceError::Store`] on a fault.
    ///
    /// # Cancel safety
    /// Dropped while the store works, the drop may exist or not.
    pub async fn create_drop(&self, new: NewDrop) -> Result<DropSnapshot, ServiceError> {
        let created = self.store.create_drop(&new).await;
        // Whatever is said of it: it may be there.
        self.bus.stir();
        let snapshot = created?;
        self.tell_watchers(snapshot.id).await;
        Ok(snapshot)
    }

    /// Changes a drop's terms or totals and returns it as it is then. A new price counts for
    /// new holds; a total cannot go below what is held and sold.
    ///
    /// ```
    /// # use drop_core::{Amendment, DropService};
    /// # use drop_core::model::{NewDrop, Units};
    /// # use drop_store_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (service, _workers) = DropService::builder(MemoryStore::new()).build();
    /// # let terms = service.terms("Air One", "149.99")?;
    /// # let air_one = service.create_drop(NewDrop::plain(terms, Units::ONE)?).await?;
    /// let more = Amendment { total: Some(Units::new(5)?), ..Amendment::default() };
    /// let air_one = service.amend_drop(air_one.id, more).await?;
    /// assert_eq!(air_one.stock().available().get(), 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ServiceError::Rejected`] with `StockBelowCommitted`, `Stale`, `InvalidTerms` or
    /// `DropNotFound`; otherwise as [`DropService::reserve`]. Where it is amended and cannot be
    /// read, [`StoreError::Unknown`].
    ///
    /// # Cancel safety
    /// Dropped before the decision has begun, nothing happens; after that it may be amended.
    pub async fn amend_drop(
        &self,
        id: DropId,
        amendment: Amendment,
    ) -> Result<DropSnapshot, ServiceError> {
        self.writer.submit(id, Command::Amend(amendment)).await?;
        let snapshot = self.store.snapshot(id).await.map_err(after_a_commit)?;
        Ok(snapshot.ok_or(Rejection::DropNotFound)?)
    }

    /// Deletes a drop with its reservations and purchases. Without `force` it refuses while
    /// there are sales or live holds.
    ///
    /// ```
    /// # use drop_core::{DropService, Reserve};
    /// # use drop_core::model::{NewDrop, Units};
    /// # use drop_store_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (service, _workers) = DropService::builder(MemoryStore::new()).build();
    /// # let terms = service.terms("Air One", "149.99")?;
    /// # let air_one = service.create_drop(NewDrop::plain(terms, Units::ONE)?).await?;
    /// service.reserve(air_one.id, Reserve::one("ann")).await?;
    /// assert!(service.delete_drop(air_one.id, false).await.is_err());
    /// service.delete_drop(air_one.id, true).await?;
    /// assert_eq!(service.drop_snapshot(air_one.id).await?, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ServiceError::Rejected`] with `HasSales` or `DropNotFound`, or
    /// [`ServiceError::Store`].
    ///
    /// # Cancel safety
    /// Dropped while the store works, the drop may be gone or not.
    pub async fn delete_drop(&self, id: DropId, force: bool) -> Result<(), ServiceError> {
        let deletion = self.store.delete_drop(id, force).await;
        self.bus.stir();
        match deletion? {
            Deletion::Deleted => {
                // In the lane it may have been stopped; now there is no such drop.
                self.writer.resume(id);
                self.bus.forget(id);
                Ok(())
            }
            Deletion::NotFound => {
                self.writer.resume(id);
                Err(Rejection::DropNotFound.into())
            }
            Deletion::Refused => Err(Rejection::HasSales.into()),
        }
    }

    /// Deletes a user with all reservations and purchases; held and sold units come back.
    /// Without `force` it refuses while the user has any of them.
    ///
    /// Drop by drop, each in that drop's own order and with its own change in the feed, and
    /// the user last. A user who reserves meanwhile is deleted with that too.
    ///
    /// ```
    /// # use drop_core::{DropService, Reserve};
    /// # use drop_core::model::{NewDrop, Units};
    /// # use drop_store_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (service, _workers) = DropService::builder(MemoryStore::new()).build();
    /// # let terms = service.terms("Air One", "149.99")?;
    /// # let air_one = service.create_drop(NewDrop::plain(terms, Units::ONE)?).await?;
    /// service.reserve(air_one.id, Reserve::one("ann")).await?;
    /// service.delete_user("ann", true).await?;
    /// assert!(service.reserve(air_one.id, Reserve::one("bob")).await.is_ok());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ServiceError::Rejected`] with `HasSales`, `UserNotFound` or `InvalidUsername`;
    /// otherwise as [`DropService::reserve`]. Once the user is gone from a drop, whatever fails is
    /// [`StoreError::Unknown`].
    ///
    /// # Cancel safety
    /// Dropped midway, the user is gone from some drops and still exists. Repeating it ends
    /// it.
    pub async fn delete_user(&self, username: &str, force: bool) -> Result<(), ServiceError> {
        /// A user who keeps reserving while being deleted is deleted at last, or is told so.
        const ROUNDS: usize = 100;

        let username = parse(username)?;
        let mut begun = false;
        // Who hears that nothing was done must not find rows gone.
        let fault = |begun: bool, error: ServiceError| {
            if begun { after_a_commit(error) } else { error }
        };
        for _ in 0..ROUNDS {
            let deletion = self.store.delete_user(&username).await;
            match deletion.map_err(|error| fault(begun, error.into()))? {
                Deletion::Deleted => return Ok(()),
                // Somebody else deletes the same user, and came first to the end.
                Deletion::NotFound if begun => return Ok(()),
                Deletion::NotFound => return Err(Rejection::UserNotFound.into()),
                Deletion::Refused if !force => return Err(Rejection::HasSales.into()),
                Deletion::Refused => {}
            }
            let drops = self.store.drops_of(&username).await;
            for drop_id in drops.map_err(|error| fault(begun, error.into()))? {
                let forget = Command::Forget { customer: username.clone() };
                match self.writer.submit(drop_id, forget).await {
                    Ok(_) => begun = true,
                    Err(ServiceError::Rejected(_)) => {}
                    Err(error) => return Err(fault(begun, error)),
                }
            }
        }
        Err(fault(begun, StoreError::unavailable("the user keeps reserving").into()))
    }

    /// Recounts a drop from its rows. A drop whose counters differ from its rows is stopped:
    /// every further command for it here is answered with the fault, until an audit finds it
    /// sound again.
    ///
    /// ```
    /// # use drop_core::DropService;
    /// # use drop_core::model::{NewDrop, Units};
    /// # use drop_store_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (service, _workers) = DropService::builder(MemoryStore::new()).build();
    /// # let terms = service.terms("Air One", "149.99")?;
    /// # let air_one = service.create_drop(NewDrop::plain(terms, Units::ONE)?).await?;
    /// assert!(service.audit(air_one.id).await?.is_sound());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] with what was found; otherwise as a read.
    ///
    /// # Cancel safety
    /// A read; dropping it changes nothing.
    pub async fn audit(&self, id: DropId) -> Result<Audit, ServiceError> {
        let audit = self.store.audit(id).await?.ok_or(Rejection::DropNotFound)?;
        let findings = audit.findings();
        if findings.is_empty() {
            self.writer.resume(id);
            return Ok(audit);
        }
        let error = StoreError::corrupt(format!("drop {id}: {}", findings.join("; ")));
        self.writer.stop(id, error.clone());
        Err(error.into())
    }

    /// Publishes what the store committed outside of the writer.
    async fn tell_watchers(&self, id: DropId) {
        if let Err(error) = self.feed.catch_up(id).await {
            tracing::warn!(%id, %error, "watchers are not told yet; the poll will");
        }
    }
}

/// A fault of what followed a commit: it must not read as if nothing had been written.
fn after_a_commit(error: impl Into<ServiceError>) -> ServiceError {
    match error.into() {
        known @ ServiceError::Rejected(_) => known,
        unknown @ ServiceError::Store(StoreError::Unknown(_)) => unknown,
        error => StoreError::Unknown(Arc::new(error)).into(),
    }
}
