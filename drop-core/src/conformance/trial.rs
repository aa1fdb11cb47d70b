//! One case's world, and the shortest way to say what happens in it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::StoreError;
use crate::model::{
    DropId, DropSnapshot, DropTerms, NewDrop, Purchase, Reservation, ReservationId, Revision,
    Timestamp,
};
use crate::rules::{Applied, Batch, Change, Command, Effect, Outcome, Rejection};
use crate::store::{Held, Page, Sale, Scope, Store};

use super::commands::{purchase, purchased, reserve, reserved, terms, units, variant};
use super::{Release, Rows, START, World};

/// A world with what has been done in it.
pub(super) struct Trial {
    world: Box<dyn World>,
    now: Mutex<Timestamp>,
    drops: Mutex<Vec<DropId>>,
}

impl std::fmt::Debug for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trial").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// All that a page can hold.
pub(super) const ALL: Page = Page { before: None, limit: 1_000_000 };
/// More changes than any case makes.
pub(super) const ALL_CHANGES: usize = 1_000_000;
impl Trial {
    pub(super) fn new(world: Box<dyn World>) -> Self {
        Self { world, now: Mutex::new(START), drops: Mutex::new(Vec::new()) }
    }

    /// The store, as the first process holds it.
    pub(super) fn store(&self) -> Arc<dyn Store> {
        self.world.store(0)
    }

    /// The store, as the process `instance` holds it: 0 or 1.
    pub(super) fn instance(&self, instance: usize) -> Arc<dyn Store> {
        self.world.store(instance % 2)
    }

    pub(super) fn now(&self) -> Timestamp {
        *lock(&self.now)
    }

    /// Sets the store's time.
    pub(super) async fn set(&self, at: Timestamp) {
        if at != std::mem::replace(&mut *lock(&self.now), at) {
            self.world.set_time(at).await;
        }
    }

    /// Lets the store's time go on by `span`.
    pub(super) async fn pass(&self, span: Duration) {
        self.set(self.now().saturating_add(span)).await;
    }

    pub(super) async fn stall(&self, drop_id: DropId) -> Option<Release> {
        self.world.stall(drop_id).await
    }

    pub(super) async fn reopen(&mut self) -> bool {
        self.world.reopen().await
    }

    /// A drop of `total` units without variants.
    pub(super) async fn plain(&self, total: u32) -> DropId {
        self.drop_with(total, |_| {}).await
    }

    /// A drop without variants whose terms `change` changes.
    pub(super) async fn drop_with(
        &self,
        total: u32,
        change: impl FnOnce(&mut DropTerms),
    ) -> DropId {
        let mut terms = terms();
        change(&mut terms);
        let new = NewDrop::plain(terms, units(total)).expect("a drop");
        self.create(&new).await.id
    }

    /// A drop with named variants.
    pub(super) async fn sized(&self, sizes: &[(&str, u32)]) -> DropId {
        self.sized_with(sizes, |_| {}).await
    }

    /// A drop with named variants whose terms `change` changes.
    pub(super) async fn sized_with(
        &self,
        sizes: &[(&str, u32)],
        change: impl FnOnce(&mut DropTerms),
    ) -> DropId {
        let mut terms = terms();
        change(&mut terms);
        let sizes = sizes.iter().map(|(name, total)| (variant(name), units(*total)));
        let new = NewDrop::with_variants(terms, sizes).expect("a drop");
        self.create(&new).await.id
    }

    pub(super) async fn create(&self, new: &NewDrop) -> DropSnapshot {
        let snapshot = self.store().create_drop(new).await.expect("a drop is created");
        self.note(snapshot.id);
        snapshot
    }

    /// Has a drop audited in the end that was not made through this trial.
    pub(super) fn note(&self, drop_id: DropId) {
        lock(&self.drops).push(drop_id);
    }

    /// Applies a batch.
    pub(super) async fn apply(&self, drop_id: DropId, commands: Vec<Command>) -> Applied {
        apply(&*self.store(), drop_id, commands).await
    }

    /// Applies a batch of one.
    pub(super) async fn ask(&self, drop_id: DropId, command: Command) -> Result<Effect, Rejection> {
        ask(&*self.store(), drop_id, command).await
    }

    /// Applies a batch of one that must be done.
    pub(super) async fn done(&self, drop_id: DropId, command: Command) -> Effect {
        let words = format!("{command:?}");
        self.ask(drop_id, command).await.unwrap_or_else(|rejection| panic!("{words}: {rejection}"))
    }

    /// Applies a batch of one that must be refused.
    pub(super) async fn refused(&self, drop_id: DropId, command: Command) -> Rejection {
        let words = format!("{command:?}");
        match self.ask(drop_id, command).await {
            Ok(effect) => panic!("{words} was not refused: {effect:?}"),
            Err(rejection) => rejection,
        }
    }

    /// A new hold of one unit.
    pub(super) async fn hold(&self, drop_id: DropId, who: &str) -> Reservation {
        self.hold_by(drop_id, reserve(who)).await
    }

    /// A new hold.
    pub(super) async fn hold_by(&self, drop_id: DropId, command: Command) -> Reservation {
        let (reservation, extended) = reserved(self.done(drop_id, command).await);
        assert!(!extended, "a new hold was expected, not {reservation:?}");
        reservation
    }

    /// A purchase that was not made before.
    pub(super) async fn buy(&self, hold: &Reservation, who: &str) -> Purchase {
        let effect = self.done(hold.id().drop_id(), purchase(hold.id(), who)).await;
        let (purchase, repeated) = purchased(effect);
        assert!(!repeated, "a new purchase was expected, not {purchase:?}");
        purchase
    }

    /// Holds one unit and buys it.
    pub(super) async fn sell(&self, drop_id: DropId, who: &str) -> Purchase {
        let hold = self.hold(drop_id, who).await;
        self.buy(&hold, who).await
    }

    pub(super) async fn snapshot(&self, drop_id: DropId) -> DropSnapshot {
        snapshot(&*self.store(), drop_id).await
    }

    pub(super) async fn revision(&self, drop_id: DropId) -> u64 {
        self.snapshot(drop_id).await.revision.get()
    }

    /// Available, held and sold units over all variants, as a reader sees them.
    pub(super) async fn counts(&self, drop_id: DropId) -> (u32, u32, u32) {
        counts(&self.snapshot(drop_id).await)
    }

    /// A reservation as it stands in the store.
    pub(super) async fn row(&self, id: ReservationId) -> Reservation {
        let reading = self.store().reservation(id).await.expect("a reservation is read");
        reading.unwrap_or_else(|| panic!("reservation {id} is not there")).reservation
    }

    pub(super) async fn holds(&self, scope: &Scope) -> Vec<Held> {
        self.store().holds(scope, ALL).await.expect("holds are read")
    }

    pub(super) async fn purchases(&self, scope: &Scope) -> Vec<Sale> {
        self.store().purchases(scope, ALL).await.expect("purchases are read")
    }

    /// The whole feed of a drop.
    pub(super) async fn feed(&self, drop_id: DropId) -> Vec<Arc<Change>> {
        self.feed_since(drop_id, 0).await
    }

    pub(super) async fn feed_since(&self, drop_id: DropId, since: u64) -> Vec<Arc<Change>> {
        let changes = self.store().changes(drop_id, Revision::new(since), ALL_CHANGES).await;
        changes.expect("the feed is read")
    }

    /// Audits every drop of the trial that is still there, and replays its feed.
    pub(super) async fn conclude(&self) {
        let drops = lock(&self.drops).clone();
        for some in drops.chunks(8) {
            futures::future::join_all(some.iter().map(|drop_id| self.check(*drop_id))).await;
        }
    }

    /// Audits a drop and compares the rows that its feed tells of with what the store reads
    /// out. A drop that was deleted must be gone from the feed too.
    pub(super) async fn check(&self, drop_id: DropId) {
        let store = self.store();
        let Some(audit) = store.audit(drop_id).await.expect("an audit") else {
            let left = self.feed(drop_id).await.len();
            assert_eq!(left, 0, "the feed of a drop that is gone");
            return;
        };
        assert!(audit.is_sound(), "drop {drop_id}: {:?}", audit.findings());
        let snapshot = self.snapshot(drop_id).await;
        let feed = self.feed(drop_id).await;
        let last = feed.last().expect("a feed keeps its newest change");
        assert_eq!(last.revision, snapshot.revision, "the feed ends with the drop's revision");
        assert_eq!(audit.revision, snapshot.revision);
        for (earlier, later) in feed.iter().zip(feed.iter().skip(1)) {
            assert_eq!(later.revision, earlier.revision.next(), "a gap in the feed");
            assert!(later.as_of >= earlier.as_of, "time went back in a drop");
        }
        let Some(rows) = Rows::replay(&feed) else {
            return; // trimmed: what came before is not to be had
        };
        let findings = rows.audit().findings();
        assert!(findings.is_empty(), "the rows of the feed: {findings:?}");
        assert_eq!(*snapshot.terms, *rows.terms, "terms");
        assert_eq!(snapshot.variants, rows.variants_at(snapshot.as_of), "stock, as read");
        assert_eq!(snapshot.recent, last.recent, "newest purchasers");
        let scope = Scope::Drop(drop_id);
        let held: Vec<_> = self.holds(&scope).await.iter().map(|held| held.reservation).collect();
        assert_eq!(held, rows.holds_at(snapshot.as_of), "holds");
        let sold: Vec<_> = self.purchases(&scope).await.iter().map(|sale| sale.purchase).collect();
        assert_eq!(sold, rows.purchases(), "purchases");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Applies a batch; a store that was too busy is asked again.
pub(super) async fn apply(store: &dyn Store, drop_id: DropId, commands: Vec<Command>) -> Applied {
    let count = commands.len();
    let batch = Batch::new(drop_id, commands).expect("a batch");
    loop {
        match store.apply(&batch).await {
            Ok(applied) => {
                assert_eq!(applied.outcomes().len(), count, "one answer per command");
                return applied;
            }
            Err(StoreError::Contended(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{batch:?}: {error}"),
        }
    }
}

/// Applies a batch of one.
pub(super) async fn ask(
    store: &dyn Store,
    drop_id: DropId,
    command: Command,
) -> Result<Effect, Rejection> {
    let applied = apply(store, drop_id, vec![command]).await;
    match applied.into_outcomes().pop() {
        Some(Outcome::Done(effect)) => Ok(effect),
        Some(Outcome::Rejected(rejection)) => Err(rejection),
        other => panic!("an answer was expected, not {other:?}"),
    }
}

pub(super) async fn snapshot(store: &dyn Store, drop_id: DropId) -> DropSnapshot {
    let snapshot = store.snapshot(drop_id).await.expect("a drop is read");
    snapshot.unwrap_or_else(|| panic!("drop {drop_id} is not there"))
}

/// Available, held and sold units over all variants.
pub(super) fn counts(snapshot: &DropSnapshot) -> (u32, u32, u32) {
    let stock = snapshot.stock();
    (stock.available().get(), stock.held().get(), stock.sold().get())
}
