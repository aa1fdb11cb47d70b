//! One drop in memory: its rows, and what finds them quickly.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use drop_core::StoreError;
use drop_core::model::{
    DropId, DropSnapshot, DropTerms, Hold, Purchaser, Reservation, ReservationId, Revision,
    Timestamp, Units, User, UserId, Username, VariantStock,
};
use drop_core::rules::{Batch, Change, Command, Customer, Ledger};

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
    /// By number from 1; `None` where a user was forgotten.
    rows: Vec<Option<Reservation>>,
    active: HashMap<UserId, u32>,
    deadlines: BTreeSet<(Timestamp, u32)>,
    purchases: HashMap<UserId, Vec<u32>>,
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
            rows: Vec::new(),
            active: HashMap::new(),
            deadlines: BTreeSet::new(),
            purchases: HashMap::new(),
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
        let mut rows = Vec::with_capacity(batch.commands().len());
        let mut lapsed = self.lapsed(as_of);
        rows.extend(lapsed.by_ref().take(Ledger::SETTLE_LIMIT).copied());
        let more_lapsed = lapsed.next().is_some();
        let mut forgets = false;
        for (command, user) in batch.commands().iter().zip(&users) {
            let named = command.reservation().map(ReservationId::number);
            let active = user.as_ref().and_then(|user| self.active.get(&user.id).copied());
            rows.extend(named.into_iter().chain(active).filter_map(|number| self.row(number)));
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
        let customers = users
            .into_iter()
            .map(|user| user.map(|user| Customer { bought: self.bought(user.id), user }));
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

    /// Puts a row in its place and keeps what finds it true.
    pub(crate) fn put(&mut self, reservation: Reservation) {
        let number = reservation.id().number();
        let user_id = reservation.claim().user_id;
        if let Some(hold) = self.row(number).and_then(Reservation::into_hold) {
            self.deadlines.remove(&(hold.expires_at(), number));
            self.active.remove(&user_id);
        }
        if let Some(hold) = reservation.into_hold() {
            self.deadlines.insert((hold.expires_at(), number));
            self.active.insert(user_id, number);
        } else if reservation.purchase().is_some() {
            self.purchases.entry(user_id).or_default().push(number);
        }
        let index = position(number);
        if self.rows.len() <= index {
            self.rows.resize(index.saturating_add(1), None);
        }
        if let Some(row) = self.rows.get_mut(index) {
            *row = Some(reservation);
        }
    }

    fn forget(&mut self, user_id: UserId) {
        for row in self.rows.iter_mut().filter(|row| is_of(row.as_ref(), user_id)) {
            *row = None;
        }
        self.deadlines.retain(|(_, number)| Some(number) != self.active.get(&user_id));
        self.active.remove(&user_id);
        self.purchases.remove(&user_id);
    }

    /// The drop as a reader sees it: lapsed holds count as available.
    pub(crate) fn snapshot(&self, now: Timestamp) -> Result<DropSnapshot, StoreError> {
        let as_of = self.as_of(now);
        let mut variants = self.variants.clone();
        for hold in self.lapsed(as_of).filter_map(|row| row.into_hold()) {
            let contradiction =
                || StoreError::corrupt(format!("{} is in no variant", hold.claim().id));
            let variant =
                variants.get_mut(hold.claim().variant.index()).ok_or_else(contradiction)?;
            let returned = variant.stock.return_held(hold.claim().quantity);
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
        self.rows.get(position(number)).copied().flatten()
    }

    pub(crate) fn rows(&self) -> impl DoubleEndedIterator<Item = &Reservation> {
        self.rows.iter().flatten()
    }

    pub(crate) fn rows_of(&self, user_id: UserId) -> impl Iterator<Item = Reservation> {
        self.rows.iter().filter(move |row| is_of(row.as_ref(), user_id)).copied().flatten()
    }

    pub(crate) fn hold_of(&self, user_id: UserId) -> Option<Hold> {
        self.row(*self.active.get(&user_id)?)?.into_hold()
    }

    /// Numbers of a user's purchases, in the order of buying.
    pub(crate) fn purchases_of(&self, user_id: UserId) -> &[u32] {
        self.purchases.get(&user_id).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn earliest_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
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

    /// Active rows whose deadline has come, oldest first.
    fn lapsed(&self, as_of: Timestamp) -> impl Iterator<Item = &Reservation> {
        let due = self.deadlines.range(..=(as_of, u32::MAX));
        due.filter_map(|(_, number)| self.rows.get(position(*number))?.as_ref())
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
        let mut sales: Vec<_> = self.rows().filter_map(Reservation::purchase).collect();
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

fn position(number: u32) -> usize {
    usize::try_from(number).map_or(usize::MAX, |number| number.saturating_sub(1))
}

fn is_of(row: Option<&Reservation>, user_id: UserId) -> bool {
    row.is_some_and(|row| row.claim().user_id == user_id)
}
