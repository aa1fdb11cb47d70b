//! All drops and users, and the one flow that changes them: lock, load, decide, log, write.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use drop_core::model::{
    DropId, DropSnapshot, NewDrop, Reservation, ReservationId, Timestamp, Units, User, UserId,
    Username,
};
use drop_core::rules::{
    Applied, Audit, Batch, Change, Command, Customer, Decision, Effect, Ledger, Outcome, decide,
};
use drop_core::store::{Deletion, Held, Page, Reading, Sale, Scope};
use drop_core::{Clock, StoreError};

use crate::log::Log;
use crate::recount::recount;
use crate::shared_shelf::SharedShelf;
use crate::shelf::Shelf;
use crate::sync::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::users::Users;

/// The data set. Locks are taken in this order: `recovering`, `writing`, `creating`, a gate, a
/// shelf, users or drops; those after the gate for a moment only.
#[derive(Debug)]
pub(crate) struct Shelves {
    clock: Arc<dyn Clock>,
    log: Box<dyn Log>,
    /// Nobody waits for it: one opens the log again, the others are told that it failed.
    recovering: Mutex<()>,
    /// Shared by who writes. Exclusive to who deletes a user: nobody is deleted between being
    /// looked up and being written. And to who opens the log again.
    writing: RwLock<()>,
    /// One creation at a time, so that ids follow each other.
    creating: Mutex<()>,
    users: RwLock<Users>,
    drops: RwLock<Drops>,
}

/// The drops by id; ids are given once and never again.
#[derive(Debug, Default)]
pub(crate) struct Drops {
    pub(crate) shelves: BTreeMap<DropId, Arc<SharedShelf>>,
    pub(crate) last_id: i64,
}

impl Shelves {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        log: Box<dyn Log>,
        users: Users,
        drops: Drops,
    ) -> Self {
        Self {
            clock,
            log,
            recovering: Mutex::new(()),
            writing: RwLock::new(()),
            creating: Mutex::new(()),
            users: RwLock::new(users),
            drops: RwLock::new(drops),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn ready(&self) -> Result<Timestamp, StoreError> {
        self.log.check()?;
        Ok(self.now())
    }

    fn put(&self, id: DropId, shelf: Shelf) {
        let mut drops = self.drops_mut();
        drops.last_id = drops.last_id.max(id.get());
        drops.shelves.insert(id, SharedShelf::new(shelf));
    }

    fn remove(&self, id: DropId) {
        if let Some(shared) = self.shelf(id) {
            shared.lock().delete();
        }
        self.drops_mut().shelves.remove(&id);
    }

    fn writing(&self) -> RwLockReadGuard<'_, ()> {
        self.writing.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn create(&self, new: &NewDrop) -> Result<DropSnapshot, StoreError> {
        let _writing = self.writing();
        let _alone = self.creating.lock().unwrap_or_else(PoisonError::into_inner);
        let last_id = self.drops().last_id;
        let id = DropId::new(last_id.saturating_add(1))
            .map_err(|used_up| StoreError::Backend(Arc::new(used_up)))?;
        let first = Arc::new(Change::created(id, new, self.now()));
        let shelf =
            Shelf::create(&first).ok_or_else(|| StoreError::corrupt("a first change has terms"))?;
        let snapshot = shelf.snapshot(first.as_of)?;
        self.log.changed(&first, Vec::new())?;
        self.put(id, shelf);
        Ok(snapshot)
    }

    pub(crate) fn apply(&self, batch: &Batch) -> Result<Applied, StoreError> {
        let _writing = self.writing();
        let Some(shared) = self.shelf(batch.drop_id()) else {
            return Ok(Applied::no_such_drop(batch, self.now()));
        };
        let _gate = shared.gate();
        // Behind the gate: whoever is no user now has no row of this drop.
        let customers = self.customers(batch);
        let mut ledger = {
            let shelf = shared.lock();
            // Read behind the gate: whatever was waited for is over.
            let as_of = shelf.as_of(self.now());
            if shelf.is_deleted() {
                return Ok(Applied::no_such_drop(batch, as_of));
            }
            shelf.load(batch, customers, |id| self.users().name(id).cloned(), as_of)
        };
        // Who asks where there is nothing leaves nothing behind.
        if !ledger.has_nothing_for(batch) {
            self.add_users(batch, &mut ledger)?;
        }
        let decision = decide(ledger, batch)?;
        if let Some(change) = decision.change() {
            self.log.changed(change, self.users_of(&decision))?;
            shared.lock().write(change);
        }
        Ok(decision.committed())
    }

    /// The user behind each command, as far as there is one.
    fn customers(&self, batch: &Batch) -> Vec<Option<User>> {
        let users = self.users();
        batch.commands().iter().map(|command| users.find(command.customer()?)).collect()
    }

    /// Makes users of the customers who reserve and are not known. They have no rows: those of
    /// this drop are written behind its gate, where this runs.
    fn add_users(&self, batch: &Batch, ledger: &mut Ledger) -> Result<(), StoreError> {
        let reserves = |command: &Command| matches!(command, Command::Reserve { .. });
        let mut asking = batch.commands().iter().zip(&ledger.customers);
        if !asking.any(|(command, customer)| customer.is_none() && reserves(command)) {
            return Ok(());
        }
        let mut users = self.users_mut();
        let newcomer = |user| Customer { user, bought: Units::ZERO };
        let used_up = || StoreError::unavailable("user ids used up");
        // In the order of asking: of two spellings of a name the first one stays.
        for (command, customer) in batch.commands().iter().zip(&mut ledger.customers) {
            if customer.is_none() && reserves(command) {
                let made = command.customer().and_then(|name| users.find_or_add(name));
                *customer = Some(newcomer(made.ok_or_else(used_up)?));
            }
        }
        // Commands of the same batch about those who were just made.
        for (command, customer) in batch.commands().iter().zip(&mut ledger.customers) {
            if customer.is_none() {
                let made = command.customer().and_then(|name| users.find(name));
                *customer = made.map(newcomer);
            }
        }
        Ok(())
    }

    /// The users who are told of a new reservation, also of one that the same decision forgets
    /// again: their ids are known outside.
    fn users_of(&self, decision: &Decision) -> Vec<User> {
        if !self.log.keeps() {
            return Vec::new();
        }
        let users = self.users();
        let ids = decision.outcomes().iter().filter_map(|outcome| match outcome {
            Outcome::Done(Effect::Reserved { reservation, extended: false }) => {
                Some(reservation.claim().user_id)
            }
            _ => None,
        });
        ids.filter_map(|id| Some(User { id, username: users.name(id)?.clone() })).collect()
    }

    pub(crate) fn delete_drop(&self, id: DropId, force: bool) -> Result<Deletion, StoreError> {
        let _writing = self.writing();
        let Some(shared) = self.shelf(id) else {
            return Ok(Deletion::NotFound);
        };
        let _gate = shared.gate();
        if shared.lock().is_deleted() {
            return Ok(Deletion::NotFound);
        }
        // Not looked at where it does not matter: counters may be why it has to go.
        if !force {
            let stock = shared.lock().snapshot(self.now())?.stock();
            if !(stock.held().is_zero() && stock.sold().is_zero()) {
                return Ok(Deletion::Refused);
            }
        }
        self.log.drop_deleted(id)?;
        self.remove(id);
        Ok(Deletion::Deleted)
    }

    pub(crate) fn delete_user(&self, username: &Username) -> Result<Deletion, StoreError> {
        let _alone = self.writing.write().unwrap_or_else(PoisonError::into_inner);
        let Some(user) = self.users().find(username) else {
            return Ok(Deletion::NotFound);
        };
        for shelf in self.all() {
            if shelf.lock().rows_of(user.id).next().is_some() {
                return Ok(Deletion::Refused);
            }
        }
        self.log.user_deleted(user.id)?;
        self.users_mut().remove(&user);
        Ok(Deletion::Deleted)
    }

    pub(crate) fn drops_of(&self, username: &Username) -> Vec<DropId> {
        let Some(user_id) = self.users().find(username).map(|user| user.id) else {
            return Vec::new();
        };
        let all = self.all();
        let with_rows = all.iter().filter_map(|shelf| {
            let shelf = shelf.lock();
            shelf.rows_of(user_id).next().map(|_| shelf.id())
        });
        with_rows.collect()
    }

    pub(crate) fn reservation(&self, id: ReservationId) -> Option<Reading> {
        let shelf = self.shelf(id.drop_id())?;
        let shelf = shelf.lock();
        let reservation = shelf.row(id.number())?;
        Some(Reading { reservation, as_of: shelf.as_of(self.now()) })
    }

    pub(crate) fn holds(&self, scope: &Scope, page: Page) -> Vec<Held> {
        let valid = |shelf: &Shelf, row: &Reservation| {
            let as_of = shelf.as_of(self.now());
            row.into_hold().is_some_and(|hold| hold.is_valid(as_of))
        };
        let of_user = |shelf: &Shelf, user_id| {
            let hold = shelf.hold_of(user_id).map(Reservation::from);
            hold.filter(|row| valid(shelf, row)).into_iter().collect()
        };
        self.list(scope, page, valid, of_user)
            .into_iter()
            .map(|(reservation, username)| Held { reservation, username })
            .collect()
    }

    pub(crate) fn purchases(&self, scope: &Scope, page: Page) -> Vec<Sale> {
        let sold = |_: &Shelf, row: &Reservation| row.purchase().is_some();
        let of_user = |shelf: &Shelf, user_id| {
            let numbers = shelf.purchases_of(user_id).iter();
            numbers.filter_map(|number| shelf.row(*number)).collect()
        };
        self.list(scope, page, sold, of_user)
            .into_iter()
            .filter_map(|(row, username)| Some(Sale { purchase: row.purchase()?, username }))
            .collect()
    }

    /// Rows by falling number: a drop's, filtered, or a user's in every drop.
    fn list(
        &self,
        scope: &Scope,
        page: Page,
        wanted: impl Fn(&Shelf, &Reservation) -> bool,
        of_user: impl Fn(&Shelf, UserId) -> Vec<Reservation>,
    ) -> Vec<(Reservation, Username)> {
        let before = |row: &Reservation| page.before.is_none_or(|before| row.id() < before);
        let rows: Vec<Reservation> = match scope {
            Scope::Drop(id) => self.shelf(*id).map_or_else(Vec::new, |shelf| {
                let shelf = shelf.lock();
                let newest = shelf.rows().rev().filter(|row| before(row) && wanted(&shelf, row));
                newest.take(page.limit).collect()
            }),
            Scope::Customer(username) => {
                let Some(user_id) = self.users().find(username).map(|user| user.id) else {
                    return Vec::new();
                };
                let all = self.all();
                let rows = all.iter().flat_map(|shelf| of_user(&shelf.lock(), user_id));
                let mut rows: Vec<_> = rows.filter(before).collect();
                rows.sort_by_key(|row| std::cmp::Reverse(row.id()));
                rows.truncate(page.limit);
                rows
            }
        };
        let users = self.users();
        let named = |row: Reservation| Some((row, users.name(row.claim().user_id)?.clone()));
        rows.into_iter().filter_map(named).collect()
    }

    pub(crate) fn audit(&self, id: DropId) -> Option<Audit> {
        let shelf = self.shelf(id)?;
        let shelf = shelf.lock();
        Some(recount(&shelf, shelf.as_of(self.now())))
    }

    pub(crate) fn trim(&self, keep: u32) -> Result<u64, StoreError> {
        let mut removed: u64 = 0;
        for shared in self.all() {
            // Given back between two: who waits to write alone keeps everybody else waiting.
            let _writing = self.writing();
            let _gate = shared.gate();
            let (id, excess) = {
                let shelf = shared.lock();
                (shelf.id(), shelf.excess_changes(keep))
            };
            if let Some((upto, excess)) = excess {
                self.log.trimmed(id, upto)?;
                shared.lock().trim(excess);
                removed = removed.saturating_add(u64::try_from(excess).unwrap_or(u64::MAX));
            }
        }
        Ok(removed)
    }

    pub(crate) fn shelf(&self, id: DropId) -> Option<Arc<SharedShelf>> {
        self.drops().shelves.get(&id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<SharedShelf>> {
        self.drops().shelves.values().cloned().collect()
    }

    pub(crate) fn drops(&self) -> RwLockReadGuard<'_, Drops> {
        self.drops.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn drops_mut(&self) -> RwLockWriteGuard<'_, Drops> {
        self.drops.write().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(all(test, feature = "journal"))]
    pub(crate) fn user(&self, username: &Username) -> Option<User> {
        self.users().find(username)
    }

    fn users(&self) -> RwLockReadGuard<'_, Users> {
        self.users.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn users_mut(&self) -> RwLockWriteGuard<'_, Users> {
        self.users.write().unwrap_or_else(PoisonError::into_inner)
    }
}

mod recovery;
#[cfg(all(test, not(any(drop_loom, drop_shuttle))))]
mod tests;

/// Run as `.ci/test` does; see `drop_core::conformance::explore`.
#[cfg(all(test, any(drop_loom, drop_shuttle)))]
mod models;
