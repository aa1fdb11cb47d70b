//! The service itself, and its subscriptions.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::error::ServiceError;
use crate::model::{DropId, DropTerms, HoldPolicy, InvalidTerms, Revision};
use crate::runtime::{Bus, Feed, Update, Updates, Writer};
use crate::store::Store;

/// Sells drops: reserve, release, purchase, create, amend, delete, read, subscribe, audit.
///
/// Cheap to clone; all clones are one service. Any number of services, in any number of
/// processes, may share one data set, as far as the store can.
///
/// ```
/// use drop_core::{DropService, Reserve};
/// use drop_core::model::{HoldPolicy, NewDrop, Units};
/// # use drop_store_memory::MemoryStore;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (service, workers) =
///     DropService::builder(MemoryStore::new()).hold(HoldPolicy::seconds(60)).build();
/// let cancel = tokio_util::sync::CancellationToken::new();
/// let running = tokio::spawn(workers.run(cancel.clone()));
///
/// let terms = service.terms("Air One", "149.99")?;
/// let air_one = service.create_drop(NewDrop::plain(terms, Units::new(100)?)?).await?;
/// let hold = service.reserve(air_one.id, Reserve::one("ann")).await?;
/// let sale = service.purchase(hold.id(), "ann").await?;
/// assert_eq!(sale.purchase.amount_paid.to_string(), "149.99");
///
/// cancel.cancel();
/// running.await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DropService {
    pub(super) store: Arc<dyn Store>,
    pub(super) writer: Arc<Writer>,
    pub(super) bus: Arc<Bus>,
    pub(super) feed: Arc<Feed>,
    pub(super) hold: HoldPolicy,
}

impl DropService {
    /// The most changes that [`DropService::subscribe_from`] replays.
    pub const MAX_REPLAY: usize = 10_000;

    /// Terms with a name, a price and this service's hold policy: always open, no limit.
    ///
    /// ```
    /// # use drop_core::DropService;
    /// # use drop_core::model::HoldPolicy;
    /// # use drop_store_memory::MemoryStore;
    /// let builder = DropService::builder(MemoryStore::new()).hold(HoldPolicy::seconds(10));
    /// let (service, _workers) = builder.build();
    /// assert_eq!(service.terms("Air One", "149.99")?.hold, service.hold_policy());
    /// # Ok::<(), drop_core::model::InvalidTerms>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidTerms`] when the name or the price is not one.
    pub fn terms(&self, name: &str, price: &str) -> Result<DropTerms, InvalidTerms> {
        DropTerms::new(name, price, self.hold)
    }

    /// How long a unit is held under [`DropService::terms`].
    #[must_use]
    pub const fn hold_policy(&self) -> HoldPolicy {
        self.hold
    }

    /// Every committed change from now on, in order per drop, whoever committed it.
    ///
    /// Read the present state after subscribing, and go by revisions: what a snapshot already
    /// has is not news.
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
    /// use drop_core::Update;
    ///
    /// let mut updates = service.subscribe();
    /// service.reserve(air_one.id, Reserve::one("ann")).await?;
    /// let Some(Update::Changed(change)) = updates.next().await else { panic!("a change") };
    /// assert_eq!(change.stock().held(), Units::ONE);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn subscribe(&self) -> Updates {
        self.bus.subscribe()
    }

    /// Every change of one drop after `since`, first those committed before, then live.
    ///
    /// Where changes after `since` are trimmed from the feed, or more than
    /// [`DropService::MAX_REPLAY`], or where the drop has not come to `since` (the store began
    /// anew), the present state comes in their place, as [`Update::Refreshed`]. Of a drop that is
    /// not there [`Update::Deleted`] comes, and nothing more.
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
    /// use drop_core::Update;
    ///
    /// service.reserve(air_one.id, Reserve::one("ann")).await?;
    /// let mut updates = service.subscribe_from(air_one.id, air_one.revision).await?;
    /// let Some(Update::Changed(change)) = updates.next().await else { panic!("a change") };
    /// assert_eq!(change.revision, air_one.revision.next());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ServiceError`] when the feed cannot be read.
    ///
    /// # Cancel safety
    /// Dropping the future subscribes to nothing.
    pub async fn subscribe_from(
        &self,
        drop_id: DropId,
        since: Revision,
    ) -> Result<Updates, ServiceError> {
        // Live first, then the past: what falls between is in both and told once.
        let live = self.bus.subscribe();
        let changes = self.store.changes(drop_id, since, Self::MAX_REPLAY).await?;
        let mut waiting = VecDeque::new();
        let mut seen = since;
        let gap = changes.first().is_some_and(|first| first.revision != since.next());
        // A drop that is there has its newest change in the feed. Nothing after `since` may be
        // because that is the newest, because the drop is gone, or because `since` is of another
        // life of the store.
        if gap || changes.is_empty() || changes.len() >= Self::MAX_REPLAY {
            match self.store.snapshot(drop_id).await? {
                Some(snapshot) if snapshot.revision == since => {}
                Some(snapshot) => {
                    seen = snapshot.revision;
                    waiting.push_back(Update::Refreshed(Arc::new(snapshot)));
                }
                None => waiting.push_back(Update::Deleted(drop_id)),
            }
        } else {
            for change in changes {
                seen = change.revision;
                waiting.push_back(Update::Changed(change));
            }
        }
        Ok(live.replayed(drop_id, waiting, seen))
    }
}
