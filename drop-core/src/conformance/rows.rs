//! One drop's rows without a store.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{
    DropId, DropSnapshot, DropTerms, Hold, NewDrop, Purchase, Purchaser, Reservation,
    ReservationId, Revision, Status, Timestamp, Units, User, UserId, Username, VariantStock,
};
use crate::rules::{
    Applied, Audit, Batch, Change, Command, Corruption, CountedVariant, Customer, Ledger, decide,
};

/// One drop as all its rows: what a store is, without the storing.
///
/// It loads a [`Ledger`] as the contract says, applies a [`Change`], and recounts itself. The
/// simplest store there can be, for property tests of [`decide`], for simulations, and to
/// compare a store's feed with what the store reads out.
///
/// ```
/// use drop_core::conformance::{Rows, START};
/// use drop_core::model::{DropId, DropTerms, NewDrop, Units};
/// use drop_core::rules::{Batch, Command};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let id = DropId::new(1)?;
/// let new = NewDrop::plain(DropTerms::new("Air One", "149.99", Default::default())?, Units::ONE)?;
/// let mut rows = Rows::new(id, &new, START);
/// let customer = "ann".parse()?;
/// let reserve = Command::Reserve { customer, variant: None, quantity: Units::ONE };
/// let applied = rows.decide(&Batch::one(id, reserve)?, START)?;
/// assert_eq!(applied.revision().get(), 2);
/// assert!(rows.audit().is_sound());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Which drop.
    pub drop_id: DropId,
    /// Its last change.
    pub revision: Revision,
    /// The time of its last change.
    pub as_of: Timestamp,
    /// Its terms.
    pub terms: Arc<DropTerms>,
    /// Its variants, with the counters.
    pub variants: Vec<VariantStock>,
    /// The number of its next reservation.
    pub next_number: u32,
    /// Every reservation.
    pub reservations: BTreeMap<ReservationId, Reservation>,
    /// Its newest purchasers, newest first, as the last change has them.
    pub recent: Vec<Purchaser>,
    /// Everybody who bought and is not forgotten, in the order of the decisions. Complete where
    /// the users are known, which a feed does not tell.
    buyers: Vec<Purchaser>,
    users: Vec<User>,
}

impl Rows {
    /// A drop that was just created.
    #[must_use]
    pub fn new(drop_id: DropId, new: &NewDrop, as_of: Timestamp) -> Self {
        let first = Change::created(drop_id, new, as_of);
        Self {
            drop_id,
            revision: first.revision,
            as_of,
            terms: Arc::new(new.terms().clone()),
            variants: first.variants,
            next_number: first.next_number,
            reservations: BTreeMap::new(),
            recent: Vec::new(),
            buyers: Vec::new(),
            users: Vec::new(),
        }
    }

    /// The drop that a whole feed tells of; `None` where the feed does not begin with the
    /// drop's creation.
    ///
    /// # Panics
    /// Where a change does not fit on the one before.
    #[must_use]
    pub fn replay<'a>(feed: impl IntoIterator<Item = &'a Arc<Change>>) -> Option<Self> {
        let mut feed = feed.into_iter();
        let first = feed.next().filter(|first| first.revision == Revision::FIRST)?;
        let mut rows = Self {
            drop_id: first.drop_id,
            revision: Revision::ZERO,
            as_of: first.as_of,
            terms: first.terms.clone()?,
            variants: Vec::new(),
            next_number: 1,
            reservations: BTreeMap::new(),
            recent: Vec::new(),
            buyers: Vec::new(),
            users: Vec::new(),
        };
        rows.apply(first);
        for change in feed {
            rows.apply(change);
        }
        Some(rows)
    }

    /// What [`decide`] has to know of a batch at `as_of`, with nothing that it need not know.
    /// Unknown users who reserve become known.
    pub fn ledger(&mut self, batch: &Batch, as_of: Timestamp) -> Ledger {
        let ledger = self.load(batch, as_of);
        if ledger.has_nothing_for(batch) {
            return ledger;
        }
        // Users are made before anything is loaded, whichever command brings them.
        for command in batch.commands() {
            if let Command::Reserve { customer, .. } = command {
                self.meet(customer);
            }
        }
        self.load(batch, as_of)
    }

    fn load(&self, batch: &Batch, as_of: Timestamp) -> Ledger {
        let as_of = as_of.max(self.as_of);
        let customers: Vec<_> =
            batch.commands().iter().map(|command| self.customer(command)).collect();
        let forgets = |id: UserId| {
            let mut commands = batch.commands().iter().zip(&customers);
            commands.any(|(command, customer)| {
                matches!(command, Command::Forget { .. })
                    && customer.as_ref().is_some_and(|customer| customer.user.id == id)
            })
        };
        let holds_of = |id: UserId| customers.iter().flatten().any(|known| known.user.id == id);
        let named = |id| batch.commands().iter().any(|command| command.reservation() == Some(id));
        let mut lapsed: Vec<_> =
            self.reservations.values().filter(|row| is_lapsed(row, as_of)).collect();
        lapsed.sort_by_key(|row| (row.expires_at(), row.id()));
        let more_lapsed = lapsed.len() > Ledger::SETTLE_LIMIT;
        lapsed.truncate(Ledger::SETTLE_LIMIT);
        let needed = self.reservations.values().filter(|row| {
            let user_id = row.claim().user_id;
            named(row.id())
                || forgets(user_id)
                || (row.status() == Status::Active && holds_of(user_id))
        });
        let rows = needed.chain(lapsed).copied().collect();
        // As many as are shown, and those who would move up if somebody is forgotten.
        let gone = |buyer: &Purchaser| self.user(&buyer.username).is_some_and(|u| forgets(u.id));
        let newest = self.buyers.iter().rev();
        let recent = newest.clone().take(DropSnapshot::RECENT).filter(|buyer| gone(buyer));
        let recent = recent.chain(newest.filter(|buyer| !gone(buyer)).take(DropSnapshot::RECENT));
        let mut recent: Vec<_> = recent.cloned().collect();
        recent.sort_by_key(|buyer| std::cmp::Reverse(buyer.purchased_at));
        Ledger {
            drop_id: self.drop_id,
            revision: self.revision,
            as_of,
            terms: self.terms.clone(),
            variants: self.variants.clone(),
            next_number: self.next_number,
            recent,
            customers,
            rows,
            more_lapsed,
        }
    }

    /// Loads, decides and applies.
    ///
    /// # Errors
    /// [`Corruption`] where the rows contradict each other.
    ///
    /// # Panics
    /// Where the change does not fit on these rows: a mistake of [`decide`].
    pub fn decide(&mut self, batch: &Batch, as_of: Timestamp) -> Result<Applied, Corruption> {
        let decision = decide(self.ledger(batch, as_of), batch)?;
        if let Some(change) = decision.change() {
            self.apply(change);
        }
        Ok(decision.committed())
    }

    /// Applies a change.
    ///
    /// # Panics
    /// Where it is not the next, updates what is not there, or inserts what is.
    pub fn apply(&mut self, change: &Change) {
        assert_eq!(change.drop_id, self.drop_id, "a change of another drop");
        assert_eq!(change.revision, self.revision.next(), "not the next change");
        assert!(change.as_of >= self.as_of, "time went back in the drop");
        assert!(change.next_number >= self.next_number, "numbers went back in the drop");
        for row in &change.updated {
            let before = self.reservations.insert(row.id(), *row);
            let before = before.unwrap_or_else(|| panic!("{} is not there to update", row.id()));
            assert_eq!(before.claim(), row.claim(), "a claim never changes");
            assert_eq!(before.status(), Status::Active, "{} had left active", row.id());
        }
        self.reservations.retain(|_, row| !change.forgotten.contains(&row.claim().user_id));
        let users = &self.users;
        self.buyers.retain(|buyer| {
            let user = users.iter().find(|user| user.username == buyer.username);
            !user.is_some_and(|user| change.forgotten.contains(&user.id))
        });
        for row in &change.inserted {
            assert!(row.id().number() < change.next_number, "a number beyond the next");
            let before = self.reservations.insert(row.id(), *row);
            assert!(before.is_none(), "{} was there before", row.id());
        }
        self.buyers.extend(change.purchasers.iter().cloned());
        if let Some(terms) = &change.terms {
            self.terms = terms.clone();
        }
        self.revision = change.revision;
        self.as_of = change.as_of;
        self.variants.clone_from(&change.variants);
        self.next_number = change.next_number;
        self.recent.clone_from(&change.recent);
    }

    /// A recount of the rows, against the counters.
    #[must_use]
    pub fn audit(&self) -> Audit {
        let variants = self.variants.iter().enumerate().map(|(index, variant)| {
            let sum = |status| self.units_of(index, |row| row.status() == status);
            CountedVariant {
                name: variant.name.clone(),
                counters: variant.stock,
                held: sum(Status::Active),
                completed: sum(Status::Completed),
                purchased: sum(Status::Completed),
            }
        });
        let active = self.reservations.values().filter(|row| row.status() == Status::Active);
        let mut holders: BTreeMap<UserId, u64> = BTreeMap::new();
        for row in active {
            let count = holders.entry(row.claim().user_id).or_default();
            *count = count.saturating_add(1);
        }
        let double_holders = holders.values().filter(|count| **count > 1).count();
        Audit {
            drop_id: self.drop_id,
            revision: self.revision,
            as_of: self.as_of,
            variants: variants.collect(),
            double_holders: u64::try_from(double_holders).unwrap_or(u64::MAX),
            orphan_purchases: 0,
        }
    }

    /// The variants as a reader sees them at `as_of`: what has lapsed is available.
    #[must_use]
    pub fn variants_at(&self, as_of: Timestamp) -> Vec<VariantStock> {
        let variants = self.variants.iter().enumerate().map(|(index, variant)| {
            let lapsed = self.units_of(index, |row| is_lapsed(row, as_of));
            let lapsed = i64::try_from(lapsed).ok().and_then(|count| Units::new(count).ok());
            let stock = lapsed.and_then(|count| variant.stock.return_held(count).ok());
            VariantStock {
                name: variant.name.clone(),
                stock: stock.expect("no more has lapsed than is held"),
            }
        });
        variants.collect()
    }

    /// The holds that are valid at `as_of`, by falling number.
    #[must_use]
    pub fn holds_at(&self, as_of: Timestamp) -> Vec<Reservation> {
        let valid = |row: &&Reservation| row.status_at(as_of) == Status::Active;
        self.reservations.values().rev().filter(valid).copied().collect()
    }

    /// The purchases, by falling number.
    #[must_use]
    pub fn purchases(&self) -> Vec<Purchase> {
        self.reservations.values().rev().filter_map(Reservation::purchase).collect()
    }

    /// The newest purchasers, newest first, counted anew. Of rows that decided for themselves;
    /// a feed does not tell enough.
    #[must_use]
    pub fn newest_purchasers(&self) -> Vec<Purchaser> {
        self.buyers.iter().rev().take(DropSnapshot::RECENT).cloned().collect()
    }

    /// The user of this name, if it has reserved here.
    #[must_use]
    pub fn user(&self, username: &Username) -> Option<&User> {
        self.users.iter().find(|user| user.username == *username)
    }

    fn meet(&mut self, username: &Username) {
        if self.user(username).is_none() {
            let id = i64::try_from(self.users.len()).unwrap_or(i64::MAX).saturating_add(1);
            let id = UserId::new(id).expect("few users");
            self.users.push(User { id, username: username.clone() });
        }
    }

    fn customer(&self, command: &Command) -> Option<Customer> {
        let user = self.user(command.customer()?)?.clone();
        let bought = self.reservations.values().filter_map(Reservation::purchase);
        let bought = bought.filter(|purchase| purchase.user_id == user.id);
        let bought = bought.map(|purchase| purchase.quantity).sum();
        Some(Customer { user, bought })
    }

    fn units_of(&self, variant: usize, which: impl Fn(&Reservation) -> bool) -> u64 {
        let rows = self.reservations.values();
        let rows = rows.filter(|row| row.claim().variant.index() == variant && which(row));
        rows.map(|row| u64::from(row.claim().quantity.get())).sum()
    }
}

fn is_lapsed(row: &Reservation, as_of: Timestamp) -> bool {
    row.into_hold().is_some_and(|hold: Hold| !hold.is_valid(as_of))
}
