//! What a [`Model`](super::Model) has and says.

use crate::model::{Price, Reservation, Status, Timestamp, Username};
use crate::rules::{Effect, Outcome, Rejection};

/// One reservation of a [`Model`](super::Model).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRow {
    /// The number within the drop.
    pub number: u32,
    /// Whose.
    pub customer: Username,
    /// Of which variant, from 0.
    pub size: usize,
    /// How many units.
    pub quantity: u32,
    /// The price of one unit when it was taken.
    pub price: Price,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// When it lapses.
    pub expires_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Where it stands.
    pub status: Status,
}

impl ModelRow {
    /// Whether a reservation is this row; who holds it, the caller compares.
    #[must_use]
    pub fn is(&self, other: &Reservation) -> bool {
        let claim = other.claim();
        claim.id.number() == self.number
            && claim.variant.index() == self.size
            && claim.quantity.get() == self.quantity
            && claim.price == self.price
            && claim.created_at == self.taken_at
            && other.expires_at() == self.expires_at
            && other.updated_at() == self.updated_at
            && other.status() == self.status
    }
}

/// What a [`Model`](super::Model) answers to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelAnswer {
    /// Units are held; whether they were before.
    Reserved(ModelRow, bool),
    /// A hold is over.
    Released(ModelRow),
    /// Units are bought; whether they were before.
    Purchased(ModelRow, bool),
    /// Done, and nothing more to say.
    Done,
    /// Refused.
    Rejected(Rejection),
}

impl ModelAnswer {
    /// Whether a store's answer says the same.
    #[must_use]
    pub fn agrees_with(&self, outcome: &Outcome) -> bool {
        match (self, outcome) {
            (
                Self::Reserved(row, again),
                Outcome::Done(Effect::Reserved { reservation, extended }),
            ) => row.is(reservation) && again == extended,
            (Self::Released(row), Outcome::Done(Effect::Released { reservation })) => {
                row.is(reservation)
            }
            (
                Self::Purchased(row, again),
                Outcome::Done(Effect::Purchased { purchase, username, repeated }),
            ) => {
                purchase.id.number() == row.number
                    && purchase.variant.index() == row.size
                    && purchase.quantity.get() == row.quantity
                    && purchase.amount_paid == row.price.times(purchase.quantity)
                    && purchase.purchased_at == row.updated_at
                    && row.customer == *username
                    && again == repeated
            }
            (Self::Done, Outcome::Done(Effect::Settled | Effect::Amended | Effect::Forgotten)) => {
                true
            }
            (Self::Rejected(expected), Outcome::Rejected(rejection)) => expected == rejection,
            _ => false,
        }
    }
}
