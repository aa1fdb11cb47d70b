//! The rules once more, written for being obvious.

mod answer;

use std::collections::BTreeSet;

use crate::model::{
    DropTerms, InvalidTerms, NewDrop, Revision, Status, Timestamp, Units, Username, VariantName,
    Window,
};
use crate::rules::{Amendment, Batch, Command, Rejection};

pub use answer::{ModelAnswer, ModelRow};

/// One drop by the letter of the seed: no counters, every count is a count of rows, and
///
/// ```text
/// available = total - units of active reservations that have not lapsed - units of purchases
/// ```
///
/// It shares no code with [`decide`](crate::rules::decide), so that a mistake there is not
/// repeated here. Slow, and meant to be read. It settles every lapsed hold at once, so it
/// answers as a store does as long as fewer than
/// [`Ledger::SETTLE_LIMIT`](crate::rules::Ledger::SETTLE_LIMIT) lapse together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    revision: u64,
    as_of: Timestamp,
    terms: DropTerms,
    sizes: Vec<(Option<VariantName>, u32)>,
    rows: Vec<ModelRow>,
    next_number: u32,
    users: BTreeSet<Username>,
    amended: bool,
}

impl Model {
    /// A drop that was just created at `at`.
    #[must_use]
    pub fn new(new: &NewDrop, at: Timestamp) -> Self {
        let sizes = new.variants().iter();
        Self {
            revision: 1,
            as_of: at,
            terms: new.terms().clone(),
            sizes: sizes.map(|size| (size.name.clone(), size.total.get())).collect(),
            rows: Vec::new(),
            next_number: 1,
            users: BTreeSet::new(),
            amended: false,
        }
    }

    /// Says whether a name is a user, where other drops have a say in that.
    pub fn set_user(&mut self, username: &Username, known: bool) {
        if known {
            self.users.insert(username.clone());
        } else {
            self.users.remove(username);
        }
    }

    /// Whether who reserves in a batch at `at` becomes a user, also where he is refused. Not where
    /// all come too late: nothing is available, and nobody in the batch gives anything back.
    #[must_use]
    pub fn makes_users(&self, batch: &Batch, at: Timestamp) -> bool {
        let at = at.max(self.as_of);
        let takes = |command: &Command| {
            matches!(command, Command::Reserve { .. } | Command::Purchase { .. } | Command::Expire)
        };
        let sold_out = (0..self.sizes()).all(|size| self.available(size, at) == 0);
        !(sold_out && batch.commands().iter().all(takes))
    }

    /// Decides a batch at `at`, and says what each command is answered.
    pub fn apply(&mut self, batch: &Batch, at: Timestamp) -> Vec<ModelAnswer> {
        let rows_before = self.rows.clone();
        let number_before = self.next_number;
        self.amended = false;
        let at = at.max(self.as_of);
        let makes_users = self.makes_users(batch, at);
        for command in batch.commands() {
            // Users are made before anything is decided.
            if let (Command::Reserve { customer, .. }, true) = (command, makes_users) {
                self.users.insert(customer.clone());
            }
        }
        for row in &mut self.rows {
            if row.status == Status::Active && row.expires_at <= at {
                row.status = Status::Expired;
                row.updated_at = at;
            }
        }
        let mut touched = false;
        let mut answers = Vec::new();
        for command in batch.commands() {
            let rows = self.rows.clone();
            answers.push(self.answer(command, touched, at).unwrap_or_else(ModelAnswer::Rejected));
            touched |= rows != self.rows || self.amended;
        }
        let numbered = self.next_number != number_before;
        if self.rows != rows_before || self.amended || numbered {
            self.revision = self.revision.saturating_add(1);
            self.as_of = at;
        }
        answers
    }

    /// The revision: how often anything changed, and once for the creation.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// The terms.
    #[must_use]
    pub const fn terms(&self) -> &DropTerms {
        &self.terms
    }

    /// Every reservation, by rising number.
    #[must_use]
    pub fn rows(&self) -> &[ModelRow] {
        &self.rows
    }

    /// How many variants there are.
    #[must_use]
    pub const fn sizes(&self) -> usize {
        self.sizes.len()
    }

    /// Total, held and sold units of a variant as a reader sees them at `at`.
    #[must_use]
    pub fn counts(&self, size: usize, at: Timestamp) -> (u32, u32, u32) {
        let total = self.sizes.get(size).map_or(0, |(_, total)| *total);
        let count = |which: &dyn Fn(&ModelRow) -> bool| {
            let rows = self.rows.iter().filter(|row| row.size == size && which(row));
            rows.map(|row| row.quantity).sum()
        };
        let held = count(&|row| row.status == Status::Active && at < row.expires_at);
        let sold = count(&|row| row.status == Status::Completed);
        (total, held, sold)
    }

    /// The units that can be promised at `at`.
    #[must_use]
    pub fn available(&self, size: usize, at: Timestamp) -> u32 {
        let (total, held, sold) = self.counts(size, at);
        total.saturating_sub(held).saturating_sub(sold)
    }

    fn answer(
        &mut self,
        command: &Command,
        touched: bool,
        at: Timestamp,
    ) -> Result<ModelAnswer, Rejection> {
        match command {
            Command::Reserve { customer, variant, quantity } => {
                self.reserve(customer, variant.as_ref(), *quantity, at)
            }
            Command::Release { reservation, customer } => {
                let row = self.find(reservation.number())?;
                if customer.as_ref().is_some_and(|customer| *customer != row.customer) {
                    return Err(Rejection::NotYours);
                }
                match row.status {
                    Status::Completed => return Err(Rejection::AlreadyPurchased),
                    Status::Active => {
                        row.status = Status::Released;
                        row.updated_at = at;
                    }
                    Status::Expired | Status::Released => {}
                }
                Ok(ModelAnswer::Released(row.clone()))
            }
            Command::Purchase { reservation, customer } => {
                let row = self.find(reservation.number())?;
                if *customer != row.customer {
                    return Err(Rejection::NotYours);
                }
                match row.status {
                    Status::Completed => Ok(ModelAnswer::Purchased(row.clone(), true)),
                    Status::Expired | Status::Released => Err(Rejection::ReservationExpired),
                    Status::Active => {
                        row.status = Status::Completed;
                        row.updated_at = at;
                        Ok(ModelAnswer::Purchased(row.clone(), false))
                    }
                }
            }
            Command::Expire => Ok(ModelAnswer::Done),
            Command::Amend(amendment) => self.amend(amendment, touched, at),
            Command::Forget { customer } => {
                if !self.users.contains(customer) {
                    return Err(Rejection::UserNotFound);
                }
                self.rows.retain(|row| row.customer != *customer);
                Ok(ModelAnswer::Done)
            }
        }
    }

    fn find(&mut self, number: u32) -> Result<&mut ModelRow, Rejection> {
        let row = self.rows.iter_mut().find(|row| row.number == number);
        row.ok_or(Rejection::ReservationNotFound)
    }

    fn reserve(
        &mut self,
        customer: &Username,
        variant: Option<&VariantName>,
        quantity: Units,
        at: Timestamp,
    ) -> Result<ModelAnswer, Rejection> {
        let window = self.terms.window;
        if at < window.starts_at() || window.ends_at().is_some_and(|ends_at| ends_at <= at) {
            return Err(Rejection::NotActive);
        }
        let quantity = quantity.get();
        if quantity == 0 {
            return Err(Rejection::NoQuantity);
        }
        let size = match variant {
            None if self.sizes.len() > 1 => return Err(Rejection::VariantRequired),
            None => 0,
            Some(_) => {
                let named = self.sizes.iter().position(|(name, _)| name.as_ref() == variant);
                named.ok_or(Rejection::UnknownVariant)?
            }
        };
        let (hold, longest) = (self.terms.hold.hold(), self.terms.hold.longest());
        let own = |row: &&mut ModelRow| row.status == Status::Active && row.customer == *customer;
        if let Some(row) = self.rows.iter_mut().find(own) {
            if row.size != size || row.quantity != quantity {
                return Err(Rejection::AlreadyHolding);
            }
            let fresh = at.saturating_add(hold).min(row.taken_at.saturating_add(longest));
            if fresh > row.expires_at {
                row.expires_at = fresh;
                row.updated_at = at;
            }
            return Ok(ModelAnswer::Reserved(row.clone(), true));
        }
        let bought = self
            .rows
            .iter()
            .filter(|row| row.status == Status::Completed && row.customer == *customer);
        let bought: u32 = bought.map(|row| row.quantity).sum();
        if self.terms.limit.is_some_and(|limit| bought.saturating_add(quantity) > limit.get()) {
            return Err(Rejection::LimitReached);
        }
        if self.available(size, at) < quantity {
            return Err(Rejection::OutOfStock);
        }
        let row = ModelRow {
            number: self.next_number,
            customer: customer.clone(),
            size,
            quantity,
            price: self.terms.price,
            taken_at: at,
            expires_at: at.saturating_add(hold),
            updated_at: at,
            status: Status::Active,
        };
        self.next_number = self.next_number.saturating_add(1);
        self.rows.push(row.clone());
        Ok(ModelAnswer::Reserved(row, false))
    }

    fn amend(
        &mut self,
        amendment: &Amendment,
        touched: bool,
        at: Timestamp,
    ) -> Result<ModelAnswer, Rejection> {
        let present = |revision: Revision| revision.get() == self.revision;
        if amendment.if_revision.is_some_and(|revision| touched || !present(revision)) {
            return Err(Rejection::Stale);
        }
        let mut terms = self.terms.clone();
        if let Some(limit) = amendment.limit {
            terms.limit = limit;
        }
        if terms.limit == Some(Units::ZERO) {
            return Err(InvalidTerms::Limit.into());
        }
        if let Some(name) = &amendment.name {
            terms.name = name.clone();
        }
        if let Some(price) = amendment.price {
            terms.price = price;
        }
        let starts_at = amendment.starts_at.unwrap_or(terms.window.starts_at());
        let ends_at = amendment.ends_at.unwrap_or(terms.window.ends_at());
        terms.window = Window::new(starts_at, ends_at)?;
        let sizes = self.new_sizes(amendment, at)?;
        if terms != self.terms || sizes != self.sizes {
            self.terms = terms;
            self.sizes = sizes;
            self.amended = true;
        }
        Ok(ModelAnswer::Done)
    }

    fn new_sizes(
        &self,
        amendment: &Amendment,
        at: Timestamp,
    ) -> Result<Vec<(Option<VariantName>, u32)>, Rejection> {
        let mut sizes = self.sizes.clone();
        let mut wanted: Vec<(Option<VariantName>, u32)> = Vec::new();
        for (name, total) in &amendment.variants {
            wanted.push((Some(name.clone()), total.get()));
        }
        if let (Some(total), [(only, _)], []) =
            (amendment.total, sizes.as_slice(), amendment.variants.as_slice())
        {
            wanted.push((only.clone(), total.get()));
        }
        for (name, total) in wanted {
            match sizes.iter().position(|(known, _)| *known == name) {
                Some(size) => {
                    let (_, held, sold) = self.counts(size, at);
                    if total < held.saturating_add(sold) {
                        return Err(Rejection::StockBelowCommitted);
                    }
                    if let Some(entry) = sizes.get_mut(size) {
                        entry.1 = total;
                    }
                }
                None if self.sizes.iter().any(|(name, _)| name.is_none()) => {
                    let plain = "a drop without variants cannot get any";
                    return Err(InvalidTerms::Variants(plain).into());
                }
                None => sizes.push((name, total)),
            }
        }
        if sizes.len() > NewDrop::MAX_VARIANTS {
            return Err(InvalidTerms::Variants("a drop has 1 to 100 variants").into());
        }
        let sum: u64 = sizes.iter().map(|(_, total)| u64::from(*total)).sum();
        if amendment.total.is_some_and(|total| u64::from(total.get()) != sum) {
            let differs = "totalStock differs from the sum of the variants";
            return Err(InvalidTerms::Variants(differs).into());
        }
        if sum == 0 || sum > u64::from(Units::MAX.get()) {
            return Err(InvalidTerms::Total.into());
        }
        Ok(sizes)
    }
}
