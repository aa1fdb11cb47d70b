//! What everybody reads. Reads take no lock and count lapsed holds as available.

use crate::error::ServiceError;
use crate::model::{DropId, DropSnapshot, ReservationId, Timestamp};
use crate::runtime::Watermark;
use crate::store::{DropPage, Due, Held, Page, Reading, Sale, Scope};

use super::drop_service::DropService;

impl DropService {
    /// What the service stores in, in words without secrets.
    ///
    /// ```
    /// # use drop_core::DropService;
    /// # use drop_store_memory::MemoryStore;
    /// let (service, _workers) = DropService::builder(MemoryStore::new()).build();
    /// assert_eq!((service.describe_store().as_str(), service.is_durable()), ("memory", false));
    /// ```
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
    /// ```
    /// # use drop_core::DropService;
    /// # use drop_core::model::{NewDrop, Units};
    /// # use drop_store_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (service, _workers) = DropService::builder(MemoryStore::new()).build();
    /// # let terms = service.terms("Air One", "149.99")?;
    /// # let air_one = service.create_drop(NewDrop::plain(terms, Units::ONE)?).await?;
    /// let now = service.ready().await?;
    /// assert!(now >= air_one.created_at);
    /// # Ok(())
    /// # }
    /// ```
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
    /// ```
    /// # use drop_core::DropService;
    /// # use drop_core::model::{NewDrop, Units};
    /// # use drop_store_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (service, _workers) = DropService::builder(MemoryStore::new()).build();
    /// # let terms = service.terms("Air One", "149.99")?;
    /// # let air_one = service.create_drop(NewDrop::plain(terms, Units::ONE)?).await?;
    /// let read = service.drop_snapshot(air_one.id).await?;
    /// assert_eq!(read.map(|air_one| air_one.stock().available()), Some(Units::ONE));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ServiceError::Store`] on a fault.
    ///
    /// # Cancel safety
    /// A read; dropping it changes nothing.
    pub async fn drop_snapshot(&self, id: DropId) -> Result<Option<DropSnapshot>, ServiceError> {
        let snapshot = self.store.snapshot(id).await?;
        snapshot.iter().for_each(|snapshot| self.bus.show(snapshot.id, snapshot.revision));
        Ok(snapshot)
    }

    /// A part of the drops, newest first.
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
    /// use drop_core::model::DropStatus;
    /// use drop_core::store::DropPage;
    ///
    /// let open = DropPage { status: Some(DropStatus::Open), after: None, limit: 20 };
    /// assert_eq!(service.drop_snapshots(&open).await?.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ServiceError::Store`] on a fault.
    ///
    /// # Cancel safety
    /// A read; dropping it changes nothing.
    pub async fn drop_snapshots(&self, page: &DropPage) -> Result<Vec<DropSnapshot>, ServiceError> {
        let snapshots = self.store.snapshots(page).await?;
        snapshots.iter().for_each(|snapshot| self.bus.show(snapshot.id, snapshot.revision));
        Ok(snapshots)
    }

    /// The drops whose holds end next, at most `limit`, soonest first: until the first of them a
    /// drop that does not change is what it was when it was read.
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
    /// let hold = service.reserve(air_one.id, Reserve::one("ann")).await?;
    /// let due = service.due(1).await?;
    /// assert_eq!(due.deadlines, [(air_one.id, hold.reservation.expires_at())]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ServiceError::Store`] on a fault.
    ///
    /// # Cancel safety
    /// A read; dropping it changes nothing.
    pub async fn due(&self, limit: usize) -> Result<Due, ServiceError> {
        Ok(self.store.due(limit).await?)
    }

    /// How much was committed here or heard of from other instances, before anybody is told of
    /// it. What was read after taking it holds all of that; so who keeps what was read may show it
    /// as long as this stays what it was, and nobody is shown less than they were told.
    ///
    /// Other instances' changes count from when they are heard of: what is kept has to be given up
    /// some time anyway, and at the next deadline ([`DropService::due`]) or edge of a window.
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
    /// let before = service.watermark();
    /// service.reserve(air_one.id, Reserve::one("ann")).await?;
    /// assert!(service.watermark().changes > before.changes);
    /// // Refusals change nothing.
    /// let after = service.watermark();
    /// assert!(service.reserve(air_one.id, Reserve::one("bob")).await.is_err());
    /// assert_eq!(service.watermark(), after);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn watermark(&self) -> Watermark {
        self.bus.watermark()
    }

    /// One reservation, with the store's time of the reading.
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
    /// use drop_core::model::Status;
    ///
    /// let hold = service.reserve(air_one.id, Reserve::one("ann")).await?;
    /// let read = service.reservation(hold.id()).await?.ok_or("no reservation")?;
    /// assert_eq!(read.reservation.status_at(read.as_of), Status::Active);
    /// # Ok(())
    /// # }
    /// ```
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
    /// ```
    /// # use drop_core::{DropService, Reserve};
    /// # use drop_core::model::{NewDrop, Units};
    /// # use drop_store_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (service, _workers) = DropService::builder(MemoryStore::new()).build();
    /// # let terms = service.terms("Air One", "149.99")?;
    /// # let air_one = service.create_drop(NewDrop::plain(terms, Units::ONE)?).await?;
    /// use drop_core::store::{Page, Scope};
    ///
    /// service.reserve(air_one.id, Reserve::one("ann")).await?;
    /// let first = Page { before: None, limit: 20 };
    /// let hers = service.holds(&Scope::Customer("ann".parse()?), first).await?;
    /// assert_eq!(hers.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
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
    /// ```
    /// # use drop_core::{DropService, Reserve};
    /// # use drop_core::model::{NewDrop, Units};
    /// # use drop_store_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (service, _workers) = DropService::builder(MemoryStore::new()).build();
    /// # let terms = service.terms("Air One", "149.99")?;
    /// # let air_one = service.create_drop(NewDrop::plain(terms, Units::ONE)?).await?;
    /// use drop_core::store::{Page, Scope};
    ///
    /// let hold = service.reserve(air_one.id, Reserve::one("ann")).await?;
    /// service.purchase(hold.id(), "ann").await?;
    /// let first = Page { before: None, limit: 20 };
    /// let sales = service.purchases(&Scope::Drop(air_one.id), first).await?;
    /// assert_eq!(sales[0].username.as_str(), "ann");
    /// # Ok(())
    /// # }
    /// ```
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
