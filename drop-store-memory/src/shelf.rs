//! One drop in memory: its rows, and what finds them quickly.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use drop_core::StoreError;
use drop_core::model::{
    DropId, DropSnapshot, DropTerms, Hold, Purchaser, Reservation, Revision, Timestamp, Units,
    User, UserId, Username, VariantStock,
};
use drop_core::rules::{ActiveRows, Batch, Change, Command, Customer, Holds, Ledger, Slots};
use rustc_hash::FxHashMap;

use crate::log::Head;

/// Everything of one drop. It changes by [`Shelf::write`] only, and only under its mutex.
#[derive(Debug)]
pub(crate) struct Shelf {
    id: DropId,
    revision: Revision,
    terms: Arc<DropTerms>,
    variants: Vec<VariantStock>,
    next_number: u32,
    recent: Vec<Purchaser>,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// The active reservations.
    holds: Holds,
    /// The others, by number.
    ended: Slots<Reservation>,
    purchases: FxHashMap<UserId, Vec<u32>>,
    changes: VecDeque<Arc<Change>>,
    deleted: bool,
}

impl Shelf {
    /// The shelf that a drop's first change makes; `None` for a change without terms.
    pub(crate) fn create(first: &Arc<Change>) -> Option<Self> {
        let mut shelf = Self {
            id: first.drop_id,
            revision: Revision::ZERO,
            terms: first.terms.clone()?,
            variants: Vec::new(),
            next_number: 1,
            recent: Vec::new(),
            created_at: first.as_of,
            updated_at: first.as_of,
            holds: Holds::default(),
            ended: Slots::default(),
            purchases: FxHashMap::default(),
            changes: VecDeque::new(),
            deleted: false,
        };
        shelf.write(first);
        Some(shelf)
    }

    /// The time of a decision: never before an earlier one's, whatever the clock does.
    pub(crate) fn as_of(&self, now: Timestamp) -> Timestamp {
        now.max(self.updated_at)
    }

    /// What a batch needs to know.
    pub(crate) fn load(
        &self,
        batch: &Batch,
        users: Vec<Option<User>>,
        names: impl Fn(UserId) -> Option<Username>,
        as_of: Timestamp,
    ) -> Ledger {
        let customers = users.iter().flatten().map(|user| &user.id);
        let active = self.holds.rows(batch.commands(), customers, as_of);
        let ActiveRows { mut rows, more_lapsed, others } = active;
        rows.extend(others.iter().filter_map(|id| self.ended.get(id.number())));
        let mut forgets = false;
        let mut counts = self.terms.limit.is_some();
        for (command, user) in batch.commands().iter().zip(&users) {
            counts |= matches!(command, Command::Amend(_));
            if let (Command::Forget { .. }, Some(user)) = (command, user) {
                rows.extend(self.rows_of(user.id));
                forgets = true;
            }
        }
        let recent = if forgets {
            let commands = batch.commands().iter().zip(&users);
            let leaving = commands
                .filter(|(command, _)| matches!(command, Command::Forget { .. }))
                .filter_map(|(_, user)| Some(user.as_ref()?.id))
                .collect();
            self.purchasers(&leaving, &names)
        } else {
            self.recent.clone()
        };
        let bought = |id| if counts { self.bought(id) } else { Units::ZERO };
        let customers = users
            .into_iter()
            .map(|user| user.map(|user| Customer { bought: bought(user.id), user }));
        Ledger {
            drop_id: self.id,
            revision: self.revision,
            as_of,
            terms: self.terms.clone(),
            variants: self.variants.clone(),
            next_number: self.next_number,
            recent,
            customers: customers.collect(),
            rows,
            more_lapsed,
        }
    }

    /// Takes a change over, rows and counters together.
    pub(crate) fn write(&mut self, change: &Arc<Change>) {
        for user_id in &change.forgotten {
            self.forget(*user_id);
        }
        for reservation in change.reservations() {
            self.put(*reservation);
        }
        self.revision = change.revision;
        self.variants.clone_from(&change.variants);
        self.next_number = change.next_number;
        self.recent.clone_from(&change.recent);
        self.updated_at = change.as_of;
        if let Some(terms) = &change.terms {
            self.terms = terms.clone();
        }
        self.changes.push_back(change.clone());
    }

    /// Puts a row in its place.
    pub(crate) fn put(&mut self, reservation: Reservation) {
        // A user with two holds is what the recount finds, and no decision is made of.
        let _ = self.holds.put(reservation);
        if reservation.into_hold().is_some() {
            return;
        }
        let number = reservation.id().number();
        self.ended.insert(number, reservation);
        if reservation.purchase().is_some() {
            self.purchases.entry(reservation.claim().user_id).or_default().push(number);
        }
    }

    fn forget(&mut self, user_id: UserId) {
        let numbers: Vec<u32> = self.rows_of(user_id).map(|row| row.id().number()).collect();
        for number in numbers {
            self.ended.remove(number);
        }
        self.holds.forget(user_id);
        self.purchases.remove(&user_id);
    }

    /// The drop as a reader sees it: lapsed holds count as available.
    pub(crate) fn snapshot(&self, now: Timestamp) -> Result<DropSnapshot, StoreError> {
        let as_of = self.as_of(now);
        let mut variants = self.variants.clone();
        for (variant, units) in self.holds.lapsed_units(as_of) {
            let contradiction =
                || StoreError::corrupt(format!("holds are in no variant {variant}"));
            let variant = variants.get_mut(variant.index()).ok_or_else(contradiction)?;
            let returned = variant.stock.return_held(units);
            variant.stock = returned.map_err(|error| StoreError::Corrupt(Arc::new(error)))?;
        }
        Ok(DropSnapshot {
            id: self.id,
            revision: self.revision,
            as_of,
            terms: self.terms.clone(),
            variants,
            recent: self.recent.clone(),
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted
    }

    /// Whoever still holds this shelf finds nothing on it.
    pub(crate) fn delete(&mut self) {
        self.deleted = true;
    }

    pub(crate) const fn id(&self) -> DropId {
        self.id
    }

    pub(crate) const fn revision(&self) -> Revision {
        self.revision
    }

    pub(crate) fn variants(&self) -> &[VariantStock] {
        &self.variants
    }

    /// Where it stands.
    pub(crate) fn head(&self) -> Head {
        Head {
            id: self.id,
            revision: self.revision,
            as_of: self.updated_at,
            variants: self.variants.clone(),
            next_number: self.next_number,
        }
    }

    pub(crate) fn row(&self, number: u32) -> Option<Reservation> {
        let hold = self.holds.get(number).map(Reservation::from);
        hold.or_else(|| self.ended.get(number).copied())
    }

    /// All rows, by rising number.
    pub(crate) fn rows(&self) -> impl DoubleEndedIterator<Item = Reservation> {
        (1..self.next_number).filter_map(|number| self.row(number))
    }

    pub(crate) fn rows_of(&self, user_id: UserId) -> impl Iterator<Item = Reservation> {
        self.rows().filter(move |row| row.claim().user_id == user_id)
    }

    pub(crate) fn hold_of(&self, user_id: UserId) -> Option<Hold> {
        self.holds.of_user(user_id)
    }

    /// Numbers of a user's purchases, in the order of buying.
    pub(crate) fn purchases_of(&self, user_id: UserId) -> &[u32] {
        self.purchases.get(&user_id).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn earliest_deadline(&self) -> Option<Timestamp> {
        self.holds.earliest_deadline()
    }

    pub(crate) fn changes_after(&self, since: Revision, limit: usize) -> Vec<Arc<Change>> {
        let start = self.changes.partition_point(|change| change.revision <= since);
        self.changes.iter().skip(start).take(limit).cloned().collect()
    }

    /// The revision up to which changes go when `keep` stay, and how many these are. The newest
    /// always stays.
    pub(crate) fn excess_changes(&self, keep: u32) -> Option<(Revision, usize)> {
        let excess = self.changes.len().checked_sub(usize::try_from(keep.max(1)).ok()?)?;
        let last = self.changes.get(excess.checked_sub(1)?)?;
        Some((last.revision, excess))
    }

    pub(crate) fn trim(&mut self, excess: usize) {
        self.changes.drain(..excess.min(self.changes.len()));
    }

    /// Gives a shelf read from disk its kept changes and counters.
    #[cfg(feature = "journal")]
    pub(crate) fn restore(
        first: &Arc<Change>,
        created_at: Timestamp,
        rows: impl IntoIterator<Item = Reservation>,
        changes: VecDeque<Arc<Change>>,
    ) -> Option<Self> {
        let mut shelf = Self::create(first)?;
        shelf.created_at = created_at;
        for row in rows {
            shelf.put(row);
        }
        shelf.changes = changes;
        Some(shelf)
    }

    fn bought(&self, user_id: UserId) -> Units {
        let bought = self.purchases_of(user_id).iter().filter_map(|number| self.row(*number));
        bought.map(|row| row.claim().quantity).sum()
    }

    /// The newest purchasers, with and without those who are about to be forgotten.
    fn purchasers(
        &self,
        leaving: &HashSet<UserId>,
        names: impl Fn(UserId) -> Option<Username>,
    ) -> Vec<Purchaser> {
        let mut sales: Vec<_> = self.rows().filter_map(|row| row.purchase()).collect();
        sales.sort_by_key(|sale| std::cmp::Reverse((sale.purchased_at, sale.id)));
        let staying = sales.iter().filter(|sale| !leaving.contains(&sale.user_id));
        let staying = staying.take(DropSnapshot::RECENT);
        let purchaser = |sale: &drop_core::model::Purchase| {
            let username = names(sale.user_id)?;
            Some(Purchaser { username, purchased_at: sale.purchased_at })
        };
        let mut purchasers = self.recent.clone();
        let mut known = self.recent.clone();
        for purchaser in staying.filter_map(purchaser) {
            // Purchase by purchase: who bought twice in one moment stands there twice.
            match known.iter().position(|known| *known == purchaser) {
                Some(index) => drop(known.swap_remove(index)),
                None => purchasers.push(purchaser),
            }
        }
        // Stable: who bought in one decision stays in the order of that decision.
        purchasers.sort_by_key(|purchaser| std::cmp::Reverse(purchaser.purchased_at));
        purchasers
    }
}
