//! What shoppers do: reserve, release, purchase.

use crate::error::{ServiceError, StoreError};
use crate::model::{DropId, ReservationId, Username, VariantName};
use crate::rules::{Command, Effect, Rejection};
use crate::runtime::Answer;

use super::answers::{Purchased, Released, Reserve, Reserved};
use super::drop_service::DropService;

impl DropService {
    /// Holds units for a customer until the deadline; the same again gives the same hold a
    /// fresh deadline (`extended`), up to the policy's longest.
    ///
    /// ```
    /// # use drop_core::{DropService, Rejection, Reserve, ServiceError};
    /// # use drop_core::model::{NewDrop, Units};
    /// # use drop_store_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (service, _workers) = DropService::builder(MemoryStore::new()).build();
    /// # let terms = service.terms("Air One", "149.99")?;
    /// let last_pair = service.create_drop(NewDrop::plain(terms, Units::ONE)?).await?;
    /// let first = service.reserve(last_pair.id, Reserve::one("ann")).await?;
    /// let again = service.reserve(last_pair.id, Reserve::one("ann")).await?;
    /// assert_eq!((again.id(), again.extended), (first.id(), true));
    /// let late = service.reserve(last_pair.id, Reserve::one("bob")).await;
    /// assert!(matches!(late, Err(ServiceError::Rejected(Rejection::OutOfStock))));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ServiceError::Rejected`] by the rules, [`ServiceError::Busy`] when too many wait for
    /// this drop, [`ServiceError::Closed`] at shutdown, [`ServiceError::Store`] on a fault.
    ///
    /// # Cancel safety
    /// Dropped before the decision has begun, nothing happens. After that the hold may be
    /// taken without anybody hearing of it: reserving again returns it, or it lapses.
    pub async fn reserve(&self, drop_id: DropId, ask: Reserve) -> Result<Reserved, ServiceError> {
        let customer = parse(&ask.username)?;
        let variant = match ask.variant {
            Some(name) => {
                // A name that no variant can have is the name of no variant.
                Some(VariantName::new(&name).map_err(|_| Rejection::UnknownVariant)?)
            }
            None => None,
        };
        let command = Command::Reserve { customer, variant, quantity: ask.quantity };
        let Answer { effect, revision, as_of } = self.writer.submit(drop_id, command).await?;
        match effect {
            Effect::Reserved { reservation, extended } => {
                Ok(Reserved { reservation, extended, revision, as_of })
            }
            other => Err(mismatch(&other)),
        }
    }

    /// Gives a customer's hold back. Repeating it, or releasing what has lapsed, succeeds.
    ///
    /// ```
    /// # use drop_core::{DropService, Reserve};
    /// # use drop_core::model::{NewDrop, Units};
    /// # use drop_store_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (service, _workers) = DropService::builder(MemoryStore::new()).build();
    /// # let terms = service.terms("Air One", "149.99")?;
    /// # let last_pair = service.create_drop(NewDrop::plain(terms, Units::ONE)?).await?;
    /// let hold = service.reserve(last_pair.id, Reserve::one("ann")).await?;
    /// service.release(hold.id(), "ann").await?;
    /// assert!(service.reserve(last_pair.id, Reserve::one("bob")).await.is_ok());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`DropService::reserve`]; rejected when it is another's, unknown, or purchased.
    ///
    /// # Cancel safety
    /// As [`DropService::reserve`]; repeating it is safe.
    pub async fn release(&self, id: ReservationId, by: &str) -> Result<Released, ServiceError> {
        let customer = Some(parse(by)?);
        self.end_hold(id, customer).await
    }

    /// Gives any hold back, as the seller may.
    ///
    /// ```
    /// # use drop_core::{DropService, Reserve};
    /// # use drop_core::model::{NewDrop, Units};
    /// # use drop_store_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (service, _workers) = DropService::builder(MemoryStore::new()).build();
    /// # let terms = service.terms("Air One", "149.99")?;
    /// # let last_pair = service.create_drop(NewDrop::plain(terms, Units::ONE)?).await?;
    /// let hold = service.reserve(last_pair.id, Reserve::one("ann")).await?;
    /// service.release_any(hold.id()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`DropService::release`], except that it is nobody else's.
    ///
    /// # Cancel safety
    /// As [`DropService::reserve`]; repeating it is safe.
    pub async fn release_any(&self, id: ReservationId) -> Result<Released, ServiceError> {
        self.end_hold(id, None).await
    }

    async fn end_hold(
        &self,
        reservation: ReservationId,
        customer: Option<Username>,
    ) -> Result<Released, ServiceError> {
        let command = Command::Release { reservation, customer };
        let answer = self.writer.submit(reservation.drop_id(), command).await;
        let Answer { effect, revision, as_of } = answer.map_err(no_drop_no_reservation)?;
        match effect {
            Effect::Released { reservation } => Ok(Released { reservation, revision, as_of }),
            other => Err(mismatch(&other)),
        }
    }

    /// Buys what a hold holds, at the price that it was taken at. The holder who repeats it
    /// gets the same purchase.
    ///
    /// ```
    /// # use drop_core::{DropService, Reserve};
    /// # use drop_core::model::{NewDrop, Units};
    /// # use drop_store_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (service, _workers) = DropService::builder(MemoryStore::new()).build();
    /// # let terms = service.terms("Air One", "149.99")?;
    /// # let last_pair = service.create_drop(NewDrop::plain(terms, Units::ONE)?).await?;
    /// let hold = service.reserve(last_pair.id, Reserve::one("ann")).await?;
    /// let sale = service.purchase(hold.id(), "ann").await?;
    /// let same = service.purchase(hold.id(), "ann").await?;
    /// assert_eq!((same.purchase, same.repeated), (sale.purchase, true));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`DropService::reserve`]; rejected when the hold has lapsed at the store's time of
    /// the decision, was released, is another's, or does not exist.
    ///
    /// # Cancel safety
    /// Dropped before the decision has begun, nothing happens; after that the purchase may be
    /// made. Repeating it converges.
    pub async fn purchase(&self, id: ReservationId, by: &str) -> Result<Purchased, ServiceError> {
        let command = Command::Purchase { reservation: id, customer: parse(by)? };
        let answer = self.writer.submit(id.drop_id(), command).await;
        let Answer { effect, revision, as_of } = answer.map_err(no_drop_no_reservation)?;
        match effect {
            Effect::Purchased { purchase, username, repeated } => {
                Ok(Purchased { purchase, username, repeated, revision, as_of })
            }
            other => Err(mismatch(&other)),
        }
    }
}

pub(super) fn parse(username: &str) -> Result<Username, ServiceError> {
    Username::new(username).map_err(|invalid| Rejection::from(invalid).into())
}

/// Who names a reservation did not name a drop: without the drop there is no reservation.
fn no_drop_no_reservation(error: ServiceError) -> ServiceError {
    match error {
        ServiceError::Rejected(Rejection::DropNotFound) => Rejection::ReservationNotFound.into(),
        other => other,
    }
}

/// The store answered another command's effect.
pub(super) fn mismatch(effect: &Effect) -> ServiceError {
    StoreError::corrupt(format!("the store answered {effect:?} to another command")).into()
}
