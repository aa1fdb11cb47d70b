//! One change of the feed, held against the drop before it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{DropTerms, Reservation, Status, UserId, VariantNo, VariantStock};
use crate::rules::{Change, Ledger};

use super::life::Life;
use super::rows::Rows;
use super::story::Story;
use super::violation::{Invariant, Violation};

/// A change about to be replayed.
pub(super) struct Step<'s, 'a> {
    pub(super) story: &'s mut Story<'a>,
    pub(super) rows: &'s mut Rows,
    pub(super) found: &'s mut Vec<Violation>,
    pub(super) before: &'a Change,
    pub(super) change: &'a Change,
    /// The terms before it.
    pub(super) terms: &'a Arc<DropTerms>,
}

impl Step<'_, '_> {
    /// Applies the change as far as it can be, and finds what is wrong with it.
    pub(super) fn take(mut self) {
        self.frame();
        self.rows.variants(self.change.variants.len());
        let mut settled = 0;
        for row in &self.change.updated {
            settled += usize::from(row.status() == Status::Expired);
            self.update(row);
        }
        for user in &self.change.forgotten {
            settled += self.forget(*user);
        }
        let mut next = self.before.next_number;
        let mut buyers = BTreeSet::new();
        for row in &self.change.inserted {
            self.insert(row, next);
            next = row.id().number().saturating_add(1);
            buyers.insert(row.claim().user_id);
        }
        for user in buyers {
            self.customer(user);
        }
        self.counters();
        if let Some((deadline, number)) = self.rows.next_to_lapse()
            && deadline <= self.change.as_of
            && settled < Ledger::SETTLE_LIMIT
        {
            let finding = format!("hold {number} had lapsed by then and is not settled");
            self.convict(Invariant::I7, finding);
        }
    }

    /// What a change says beside its rows.
    fn frame(&mut self) {
        let (before, change) = (self.before, self.change);
        if change.drop_id != before.drop_id {
            self.convict(Invariant::I6, "it is of another drop");
        }
        if change.as_of < before.as_of {
            self.convict(Invariant::I7, "its time is before that of the change before");
        }
        if change.next_number < before.next_number {
            self.convict(Invariant::I5, "the next number went back");
        }
        let name = |variant: &VariantStock| variant.name.clone();
        let kept = change.variants.iter().map(name).take(before.variants.len());
        if !kept.eq(before.variants.iter().map(name)) {
            self.convict(Invariant::I6, "variants are gone or have other names");
        }
        let total = |variant: &VariantStock| variant.stock.total();
        if change.terms.is_none()
            && !change.variants.iter().map(total).eq(before.variants.iter().map(total))
        {
            self.convict(Invariant::I1, "a total changed without an amendment");
        }
        let moved = change.variants != before.variants;
        if change.moved != moved {
            self.convict(Invariant::I6, format!("it says moved: {}", change.moved));
        }
        let rows =
            change.reservations().next().is_some() || change.next_number != before.next_number;
        if !moved && !rows && change.forgotten.is_empty() && change.terms.is_none() {
            self.convict(Invariant::I6, "it changes nothing");
        }
        let sold_out = |change: &Change| change.stock().sold() == change.stock().total();
        if change.sold_out != (sold_out(change) && !sold_out(before)) {
            self.convict(Invariant::I2, format!("it says sold out: {}", change.sold_out));
        }
        if change.purchasers.len() != change.purchases().count() {
            let finding = format!("{} purchasers, other than purchases", change.purchasers.len());
            self.convict(Invariant::I3, finding);
        }
    }

    fn update(&mut self, row: &Reservation) {
        let at = self.change.revision.get();
        let id = row.id();
        let Some(life) = self.story.life_mut(id).filter(|life| life.is_there()) else {
            return self.convict(Invariant::I5, format!("{id} is not there to be updated"));
        };
        if life.status() != Status::Active {
            let finding = format!("{id} was {} before", life.status().as_str());
            return self.convict(Invariant::I5, finding);
        }
        let old = life.clone();
        life.update(row, at);
        let new = life.clone();
        self.rows.remove(&old);
        self.rows.add(&new);
        if row.claim() != &old.claim {
            self.convict(Invariant::I5, format!("the claim of {id} changed"));
        }
        self.transition(&old, row);
    }

    /// From active to what the row says now, at the time of the change.
    fn transition(&mut self, old: &Life, row: &Reservation) {
        let (id, as_of) = (row.id(), self.change.as_of);
        let lapsed = old.deadline() <= as_of;
        let word = row.status().as_str();
        if lapsed != (row.status() == Status::Expired) {
            let word = if row.status() == Status::Active { "extended" } else { word };
            let finding = format!(
                "{id} was {word} at {} us, its deadline is {} us",
                as_of.as_micros(),
                old.deadline().as_micros()
            );
            self.convict(Invariant::I7, finding);
        }
        let fresh = self.terms.hold.expires_at(old.claim.created_at, as_of);
        let moved = row.expires_at() != old.deadline();
        let allowed = row.expires_at() == fresh && fresh > old.deadline() && !lapsed;
        if moved && !allowed {
            let finding = format!(
                "{id} has the deadline {} us, it may have {} us",
                row.expires_at().as_micros(),
                fresh.max(old.deadline()).as_micros()
            );
            self.convict(Invariant::I7, finding);
        }
        if row.updated_at() != as_of {
            self.convict(Invariant::I6, format!("{id} was not updated at the change's time"));
        }
    }

    /// Removes a user's rows; says how many had lapsed, which were settled on the way.
    fn forget(&mut self, user: UserId) -> usize {
        let at = self.change.revision.get();
        let mut lapsed = 0;
        for id in self.story.present(user) {
            let Some(life) = self.story.life_mut(id) else { continue };
            self.rows.remove(life);
            life.forgotten = Some(at);
            let active = life.status() == Status::Active;
            lapsed += usize::from(active && life.deadline() <= self.change.as_of);
        }
        lapsed
    }

    fn insert(&mut self, row: &Reservation, next: u32) {
        let at = self.change.revision.get();
        let as_of = self.change.as_of;
        let (id, claim) = (row.id(), row.claim());
        if id.number() < next || id.number() >= self.change.next_number {
            self.convict(Invariant::I5, format!("{id} is not a new number in its order"));
        }
        if self.story.life(id).is_some() || Some(id.drop_id()) != self.story.drop_id() {
            return self.convict(Invariant::I5, format!("{id} was given before"));
        }
        self.story.insert(row, at);
        if let Some(life) = self.story.life(id) {
            self.rows.add(life);
        }
        if claim.variant.index() >= self.change.variants.len() {
            self.convict(Invariant::I2, format!("{id} is of no variant"));
        }
        if claim.quantity.is_zero() {
            self.convict(Invariant::I1, format!("{id} holds nothing"));
        }
        if claim.created_at != as_of || row.updated_at() != as_of {
            self.convict(Invariant::I6, format!("{id} was not taken at the change's time"));
        }
        let fresh = self.terms.hold.expires_at(claim.created_at, as_of);
        if row.expires_at() != fresh || fresh <= as_of {
            let deadline = row.expires_at().as_micros();
            let finding = format!("{id} has the deadline {deadline} us, it may have {fresh}");
            self.convict(Invariant::I7, finding);
        }
        if row.status() == Status::Expired {
            self.convict(Invariant::I7, format!("{id} expired when it was taken"));
        }
        // Amendments of the same change may have come before it or after it.
        if self.change.terms.is_none() {
            if !self.terms.window.is_open(as_of) {
                self.convict(Invariant::I7, format!("{id} was taken outside the window"));
            }
            if claim.price != self.terms.price {
                self.convict(Invariant::I5, format!("{id} has another price than the drop"));
            }
        }
    }

    /// What a customer has who took something in this change.
    fn customer(&mut self, user: UserId) {
        let units = self.rows.units_of(user);
        let limit = self.terms.limit.map(|limit| u64::from(limit.get()));
        if self.change.terms.is_none() && limit.is_some_and(|limit| units > limit) {
            let finding = format!("user {user} has {units} units, above the limit");
            self.convict(Invariant::I4, finding);
        }
        if self.rows.holds_of(user) > 1 {
            self.convict(Invariant::I4, format!("user {user} holds twice"));
        }
    }

    fn counters(&mut self) {
        for (index, variant) in self.change.variants.iter().enumerate() {
            let number = VariantNo::new(u16::try_from(index).unwrap_or(u16::MAX));
            let (held, sold) = self.rows.of_variant(number);
            let stock = variant.stock;
            let total = u64::from(stock.total().get());
            if held.saturating_add(sold) > total {
                let finding = format!("oversold: {held} held and {sold} sold of {total}");
                self.convict(Invariant::I1, finding);
            }
            let counters = (u64::from(stock.held().get()), u64::from(stock.sold().get()));
            if counters != (held, sold) {
                let finding = format!(
                    "variant {index}: counters say {} held and {} sold, rows {held} and {sold}",
                    counters.0, counters.1
                );
                self.convict(Invariant::I2, finding);
            }
        }
    }

    fn convict(&mut self, invariant: Invariant, finding: impl Into<String>) {
        let at = self.change.revision.get();
        self.found.push(Violation::at_revision(invariant, at, finding));
    }
}
