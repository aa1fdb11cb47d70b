//! A decision in the making: the ledger as it would stand after the commands so far.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::{
    Claim, DropSnapshot, Hold, Purchaser, Reservation, ReservationId, Stock, Timestamp, Units,
    UserId, Username, VariantName, VariantNo, VariantStock,
};

use super::roster::{Roster, Written};
use super::{
    Amendment, Batch, Change, Command, Corruption, Customer, Effect, Ledger, Outcome, Rejection,
};

#[derive(Debug)]
pub(super) struct Draft {
    ledger: Ledger,
    variants_before: Vec<VariantStock>,
    next_number_before: u32,
    roster: Roster,
    /// Those of the customers who had bought something, and who buy in this decision.
    bought: FxHashMap<UserId, Units>,
    purchasers: Vec<Purchaser>,
    forgotten: Vec<UserId>,
    amended: bool,
    /// Whether a command has changed anything; settling does not count.
    touched: bool,
}

type Answer = Result<Result<Effect, Refusal>, Corruption>;

enum Refusal {
    Rejected(Rejection),
    Deferred,
}

fn refuse(rejection: impl Into<Rejection>) -> Answer {
    Ok(Err(Refusal::Rejected(rejection.into())))
}

impl Draft {
    pub(super) fn open(mut ledger: Ledger, batch: &Batch) -> Result<Self, Corruption> {
        if ledger.customers.len() != batch.commands().len() || ledger.drop_id != batch.drop_id() {
            return Err(Corruption::OtherBatch);
        }
        let loaded = std::mem::take(&mut ledger.rows);
        let mut draft = Self {
            variants_before: ledger.variants.clone(),
            next_number_before: ledger.next_number,
            roster: Roster::load(loaded, batch.commands().len())?,
            bought: FxHashMap::default(),
            purchasers: Vec::new(),
            forgotten: Vec::new(),
            amended: false,
            touched: false,
            ledger,
        };
        for Customer { user, bought } in draft.ledger.customers.iter().flatten() {
            if !bought.is_zero() {
                draft.bought.insert(user.id, *bought);
            }
        }
        Ok(draft)
    }

    /// Lapsed holds first: what lapsed a tick ago is for sale now.
    pub(super) fn settle(&mut self) -> Result<(), Corruption> {
        for index in 0..self.roster.len() {
            let as_of = self.ledger.as_of;
            let Some(Ok(expired)) = self.roster.hold_at(index).map(|hold| hold.expire(as_of))
            else {
                continue;
            };
            self.end(index, expired, Stock::return_held)?;
        }
        Ok(())
    }

    pub(super) fn answer(
        &mut self,
        index: usize,
        command: &Command,
    ) -> Result<Outcome, Corruption> {
        let customer = self.ledger.customers.get_mut(index).and_then(Option::take);
        let answer = match command {
            Command::Reserve { variant, quantity, .. } => self.reserve(
                customer.map(|customer| customer.user.id),
                variant.as_ref(),
                *quantity,
            )?,
            Command::Release { reservation, customer: by } => {
                let asks = by.as_ref().map(|_| customer.map(|customer| customer.user.id));
                self.release(*reservation, asks)?
            }
            Command::Purchase { reservation, .. } => self.purchase(*reservation, customer)?,
            Command::Expire if self.ledger.more_lapsed => Err(Refusal::Deferred),
            Command::Expire => Ok(Effect::Settled),
            Command::Amend(amendment) => self.amend(amendment),
            Command::Forget { .. } => self.forget(customer)?,
        };
        Ok(match answer {
            Ok(effect) => Outcome::Done(effect),
            Err(Refusal::Rejected(rejection)) => Outcome::Rejected(rejection),
            Err(Refusal::Deferred) => Outcome::Deferred,
        })
    }

    fn reserve(
        &mut self,
        user_id: Option<UserId>,
        variant: Option<&VariantName>,
        quantity: Units,
    ) -> Answer {
        let as_of = self.ledger.as_of;
        if !self.ledger.terms.window.is_open(as_of) {
            return refuse(Rejection::NotActive);
        }
        if quantity.is_zero() {
            return refuse(Rejection::NoQuantity);
        }
        let variant = match self.variant_named(variant) {
            Ok(variant) => variant,
            Err(rejection) => return refuse(rejection),
        };
        if let Some(index) = user_id.and_then(|user_id| self.roster.active_of(user_id)) {
            return self.repeat(index, variant, quantity);
        }
        let bought = user_id.and_then(|user_id| self.bought.get(&user_id)).copied();
        let bought = bought.unwrap_or_default();
        if self.ledger.terms.limit.is_some_and(|limit| bought.saturating_add(quantity) > limit) {
            return refuse(Rejection::LimitReached);
        }
        let Some(stock) = self.ledger.variants.get_mut(variant.index()).map(|v| &mut v.stock)
        else {
            return refuse(Rejection::UnknownVariant);
        };
        let Ok(held) = stock.hold(quantity) else {
            // Units of holds that lapsed but were not loaded may be what is missing.
            let deferred = self.ledger.more_lapsed && quantity <= stock.total();
            let out = Refusal::Rejected(Rejection::OutOfStock);
            return Ok(Err(if deferred { Refusal::Deferred } else { out }));
        };
        let Ok(id) = ReservationId::new(self.ledger.drop_id, self.ledger.next_number) else {
            return refuse(Rejection::NumbersUsedUp);
        };
        // Nobody was to be left out where there is something to have.
        let user_id = user_id.ok_or(Corruption::OtherBatch)?;
        *stock = held;
        self.ledger.next_number = self.ledger.next_number.saturating_add(1);
        let price = self.ledger.terms.price;
        let claim = Claim { id, user_id, variant, quantity, price, created_at: as_of };
        let reservation = Reservation::from(Hold::take(claim, self.ledger.terms.hold));
        self.roster.insert(reservation)?;
        self.touched = true;
        Ok(Ok(Effect::Reserved { reservation, extended: false }))
    }

    /// The customer already holds something: the same again extends it.
    fn repeat(&mut self, index: usize, variant: VariantNo, quantity: Units) -> Answer {
        let Some(hold) = self.roster.hold_at(index) else {
            return refuse(Rejection::AlreadyHolding);
        };
        if hold.claim().variant != variant || hold.claim().quantity != quantity {
            return refuse(Rejection::AlreadyHolding);
        }
        let extended = hold.extend(self.ledger.as_of, self.ledger.terms.hold);
        let reservation = Reservation::from(extended);
        if extended != hold {
            self.roster.write(index, reservation);
            self.touched = true;
        }
        Ok(Ok(Effect::Reserved { reservation, extended: true }))
    }

    /// `asks` is `None` for the seller, `Some(None)` for a user whom nobody knows.
    fn release(&mut self, id: ReservationId, asks: Option<Option<UserId>>) -> Answer {
        let Some((index, reservation)) = self.roster.find(id) else {
            return refuse(Rejection::ReservationNotFound);
        };
        if asks.is_some_and(|user_id| user_id != Some(reservation.claim().user_id)) {
            return refuse(Rejection::NotYours);
        }
        if reservation.purchase().is_some() {
            return refuse(Rejection::AlreadyPurchased);
        }
        let Some(hold) = reservation.into_hold() else {
            return Ok(Ok(Effect::Released { reservation }));
        };
        let reservation = hold.release(self.ledger.as_of);
        self.end(index, reservation, Stock::return_held)?;
        self.touched = true;
        Ok(Ok(Effect::Released { reservation }))
    }

    fn purchase(&mut self, id: ReservationId, customer: Option<Customer>) -> Answer {
        let Some((index, reservation)) = self.roster.find(id) else {
            return refuse(Rejection::ReservationNotFound);
        };
        let user_id = reservation.claim().user_id;
        let Some(user) = customer.map(|customer| customer.user).filter(|user| user.id == user_id)
        else {
            return refuse(Rejection::NotYours);
        };
        let username = user.username;
        if let Some(purchase) = reservation.purchase() {
            return Ok(Ok(Effect::Purchased { purchase, username, repeated: true }));
        }
        let as_of = self.ledger.as_of;
        let Some(Ok(completed)) = reservation.into_hold().map(|hold| hold.complete(as_of)) else {
            return refuse(Rejection::ReservationExpired);
        };
        let Some(purchase) = completed.purchase() else {
            return refuse(Rejection::ReservationExpired);
        };
        self.end(index, completed, Stock::sell_held)?;
        let bought = self.bought.entry(user_id).or_default();
        *bought = bought.saturating_add(purchase.quantity);
        self.note_purchaser(username.clone(), as_of);
        self.touched = true;
        Ok(Ok(Effect::Purchased { purchase, username, repeated: false }))
    }

    fn amend(&mut self, amendment: &Amendment) -> Result<Effect, Refusal> {
        let stale = |revision| self.touched || revision != self.ledger.revision;
        if amendment.if_revision.is_some_and(stale) {
            return Err(Refusal::Rejected(Rejection::Stale));
        }
        let reject = |rejection: Rejection| Refusal::Rejected(rejection);
        let terms = amendment.terms(&self.ledger.terms).map_err(|terms| reject(terms.into()))?;
        let variants = match amendment.variants(&self.ledger.variants) {
            Ok(variants) => variants,
            // Holds that lapsed but were not loaded may be what is in the way.
            Err(Rejection::StockBelowCommitted) if self.ledger.more_lapsed => {
                return Err(Refusal::Deferred);
            }
            Err(rejection) => return Err(reject(rejection)),
        };
        if terms != *self.ledger.terms || variants != self.ledger.variants {
            self.ledger.terms = Arc::new(terms);
            self.ledger.variants = variants;
            self.amended = true;
            self.touched = true;
        }
        Ok(Effect::Amended)
    }

    fn forget(&mut self, customer: Option<Customer>) -> Answer {
        let Some(user) = customer.map(|customer| customer.user) else {
            return refuse(Rejection::UserNotFound);
        };
        for reservation in self.roster.forget(user.id) {
            self.touched = true;
            if reservation.into_hold().is_some() {
                self.count(reservation.claim(), Stock::return_held)?;
            } else if reservation.purchase().is_some() {
                self.count(reservation.claim(), Stock::return_sold)?;
            }
        }
        self.bought.remove(&user.id);
        self.purchasers.retain(|purchaser| purchaser.username != user.username);
        self.ledger.recent.retain(|purchaser| purchaser.username != user.username);
        if !self.forgotten.contains(&user.id) {
            self.forgotten.push(user.id);
        }
        Ok(Ok(Effect::Forgotten))
    }

    /// What there is to write; `None` when every answer left the drop as it was.
    pub(super) fn close(mut self) -> Option<Change> {
        let moved = self.ledger.variants != self.variants_before;
        let Written { updated, inserted, removed } = self.roster.written();
        // Of whom nothing was stored, nothing goes: who reserved in this batch is not named.
        self.forgotten.retain(|user| removed.binary_search(user).is_ok());
        // A number that a caller was told is used up, even where its row is forgotten at once.
        let numbered = self.ledger.next_number != self.next_number_before;
        let removes = !self.forgotten.is_empty();
        let writes = removes || numbered || !updated.is_empty() || !inserted.is_empty();
        if !moved && !writes && !self.amended {
            return None;
        }
        // The newest first: who bought now, and behind them who bought before.
        let newest = self.purchasers.iter().rev().take(DropSnapshot::RECENT);
        let mut recent: Vec<Purchaser> = newest.cloned().collect();
        recent.append(&mut self.ledger.recent);
        recent.truncate(DropSnapshot::RECENT);
        let sold_out = |variants: &[VariantStock]| {
            let stock = Stock::sum(variants.iter().map(|variant| variant.stock));
            stock.sold() == stock.total()
        };
        Some(Change {
            drop_id: self.ledger.drop_id,
            revision: self.ledger.revision.next(),
            as_of: self.ledger.as_of,
            sold_out: sold_out(&self.ledger.variants) && !sold_out(&self.variants_before),
            variants: self.ledger.variants,
            next_number: self.ledger.next_number,
            updated,
            inserted,
            forgotten: self.forgotten,
            purchasers: self.purchasers,
            recent,
            terms: self.amended.then_some(self.ledger.terms),
            moved,
        })
    }

    fn variant_named(&self, name: Option<&VariantName>) -> Result<VariantNo, Rejection> {
        let variants = &self.ledger.variants;
        let index = match name {
            Some(_) => variants
                .iter()
                .position(|variant| variant.name.as_ref() == name)
                .ok_or(Rejection::UnknownVariant)?,
            None if variants.len() == 1 => 0,
            None => return Err(Rejection::VariantRequired),
        };
        u16::try_from(index).map(VariantNo::new).map_err(|_| Rejection::UnknownVariant)
    }

    /// Ends a hold: the row and the counters go together.
    fn end(
        &mut self,
        index: usize,
        ended: Reservation,
        count: fn(Stock, Units) -> Result<Stock, crate::model::InvalidStock>,
    ) -> Result<(), Corruption> {
        self.count(ended.claim(), count)?;
        self.roster.write(index, ended);
        Ok(())
    }

    fn count(
        &mut self,
        claim: &Claim,
        count: fn(Stock, Units) -> Result<Stock, crate::model::InvalidStock>,
    ) -> Result<(), Corruption> {
        let variant = self.ledger.variants.get_mut(claim.variant.index());
        let variant = variant.ok_or(Corruption::NoVariant(claim.id))?;
        variant.stock = count(variant.stock, claim.quantity)
            .map_err(|source| Corruption::Counters { id: claim.id, source })?;
        Ok(())
    }

    fn note_purchaser(&mut self, username: Username, purchased_at: Timestamp) {
        self.purchasers.push(Purchaser { username, purchased_at });
    }
}
