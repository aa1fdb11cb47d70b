//! What is asked of the service and what it answers.

use crate::model::{Purchase, Reservation, ReservationId, Revision, Timestamp, Units, Username};

/// A request to hold units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// For whom; checked when it is asked.
    pub username: String,
    /// Which variant, by name; needed where the drop has several.
    pub variant: Option<String>,
    /// How many units: all of them or none.
    pub quantity: Units,
}

impl Reserve {
    /// One unit of a drop without variants.
    pub fn one(username: impl Into<String>) -> Self {
        Self { username: username.into(), variant: None, quantity: Units::ONE }
    }

    /// Of this variant.
    #[must_use]
    pub fn variant(mut self, name: impl Into<String>) -> Self {
        self.variant = Some(name.into());
        self
    }

    /// So many units.
    #[must_use]
    pub const fn quantity(mut self, quantity: Units) -> Self {
        self.quantity = quantity;
        self
    }
}

/// Units are held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The hold.
    pub reservation: Reservation,
    /// Whether it is the hold that the customer had already.
    pub extended: bool,
    /// The drop's revision after the decision.
    pub revision: Revision,
    /// The store's time of the decision.
    pub as_of: Timestamp,
}

impl Reserved {
    /// The reservation's number, to purchase or release by.
    #[must_use]
    pub const fn id(&self) -> ReservationId {
        self.reservation.id()
    }
}

/// A hold is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// The reservation as it ended, now or before.
    pub reservation: Reservation,
    /// The drop's revision after the decision.
    pub revision: Revision,
    /// The store's time of the decision.
    pub as_of: Timestamp,
}

/// Units are bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchased {
    /// The purchase.
    pub purchase: Purchase,
    /// The buyer, in the spelling that the store keeps.
    pub username: Username,
    /// Whether it was made before and this is the same again.
    pub repeated: bool,
    /// The drop's revision after the decision.
    pub revision: Revision,
    /// The store's time of the decision.
    pub as_of: Timestamp,
}
