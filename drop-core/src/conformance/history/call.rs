//! One call, as its caller saw it.

use crate::error::{ServiceError, StoreError};
use crate::model::{
    DropId, DropSnapshot, ReservationId, Revision, Timestamp, UserId, Username, VariantName,
};
use crate::rules::{Amendment, Rejection};
use crate::service::{Purchased, Released, Reserved};

/// What a caller asked of a drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// To hold units.
    Reserve {
        /// Of which drop.
        drop_id: DropId,
        /// For whom.
        username: Username,
        /// Of which variant.
        variant: Option<VariantName>,
        /// How many.
        quantity: u32,
    },
    /// To give a hold back; `None` is the seller.
    Release {
        /// Which hold.
        reservation: ReservationId,
        /// Who asks.
        username: Option<Username>,
    },
    /// To buy what a hold holds.
    Purchase {
        /// Which hold.
        reservation: ReservationId,
        /// Who asks.
        username: Username,
    },
    /// To change terms or totals.
    Amend {
        /// Of which drop.
        drop_id: DropId,
        /// What to change.
        amendment: Amendment,
    },
    /// To settle what has lapsed.
    Expire {
        /// In which drop.
        drop_id: DropId,
    },
    /// To remove a customer's rows.
    Forget {
        /// In which drop.
        drop_id: DropId,
        /// Whose.
        username: Username,
    },
    /// To read the counts.
    Read {
        /// Of which drop.
        drop_id: DropId,
    },
}

impl Ask {
    /// The drop that it concerns.
    #[must_use]
    pub fn drop_id(&self) -> DropId {
        match self {
            Self::Reserve { drop_id, .. }
            | Self::Amend { drop_id, .. }
            | Self::Expire { drop_id }
            | Self::Forget { drop_id, .. }
            | Self::Read { drop_id } => *drop_id,
            Self::Release { reservation, .. } | Self::Purchase { reservation, .. } => {
                reservation.drop_id()
            }
        }
    }
}

/// What the caller was told. Only what every way of asking tells: an answer over HTTP has as
/// much as one of a `DropService`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Units are held.
    Reserved {
        /// The hold's number.
        reservation: ReservationId,
        /// Whose, by the store's number.
        user_id: UserId,
        /// How many units.
        quantity: u32,
        /// Until when.
        expires_at: Timestamp,
        /// Whether it was held before.
        extended: bool,
        /// The drop's revision after it.
        revision: Revision,
    },
    /// The hold is over.
    Released {
        /// The hold's number.
        reservation: ReservationId,
        /// The drop's revision after it.
        revision: Revision,
    },
    /// Units are bought.
    Purchased {
        /// The purchase's number, which is the hold's.
        reservation: ReservationId,
        /// Whose, by the store's number.
        user_id: UserId,
        /// How many units.
        quantity: u32,
        /// Whether they were bought before.
        repeated: bool,
        /// The drop's revision after it.
        revision: Revision,
    },
    /// Terms changed, rows removed or lapsed holds settled.
    Done {
        /// The drop's revision after it.
        revision: Revision,
    },
    /// The counts over all variants, as read; what has lapsed counts as available.
    Stock {
        /// For sale.
        available: u32,
        /// Held.
        held: u32,
        /// Sold.
        sold: u32,
        /// The drop's revision.
        revision: Revision,
    },
    /// Refused by the rules.
    Refused(Rejection),
    /// A fault, and certainly nothing was done: busy, unavailable, contended.
    NotDone,
    /// It may have been done, or may yet be: no answer, or one that says so.
    Unknown,
}

impl Answer {
    /// The revision that it names.
    #[must_use]
    pub const fn revision(&self) -> Option<Revision> {
        match self {
            Self::Reserved { revision, .. }
            | Self::Released { revision, .. }
            | Self::Purchased { revision, .. }
            | Self::Done { revision }
            | Self::Stock { revision, .. } => Some(*revision),
            Self::Refused(_) | Self::NotDone | Self::Unknown => None,
        }
    }
}

impl From<&Reserved> for Answer {
    fn from(reserved: &Reserved) -> Self {
        let claim = reserved.reservation.claim();
        Self::Reserved {
            reservation: claim.id,
            user_id: claim.user_id,
            quantity: claim.quantity.get(),
            expires_at: reserved.reservation.expires_at(),
            extended: reserved.extended,
            revision: reserved.revision,
        }
    }
}

impl From<&Released> for Answer {
    fn from(released: &Released) -> Self {
        Self::Released { reservation: released.reservation.id(), revision: released.revision }
    }
}

impl From<&Purchased> for Answer {
    fn from(purchased: &Purchased) -> Self {
        Self::Purchased {
            reservation: purchased.purchase.id,
            user_id: purchased.purchase.user_id,
            quantity: purchased.purchase.quantity.get(),
            repeated: purchased.repeated,
            revision: purchased.revision,
        }
    }
}

impl From<&DropSnapshot> for Answer {
    fn from(snapshot: &DropSnapshot) -> Self {
        let stock = snapshot.stock();
        Self::Stock {
            available: stock.available().get(),
            held: stock.held().get(),
            sold: stock.sold().get(),
            revision: snapshot.revision,
        }
    }
}

impl From<&ServiceError> for Answer {
    fn from(error: &ServiceError) -> Self {
        match error {
            ServiceError::Rejected(rejection) => Self::Refused(rejection.clone()),
            ServiceError::Busy | ServiceError::Closed => Self::NotDone,
            ServiceError::Store(fault) => match fault {
                StoreError::Unknown(_) => Self::Unknown,
                // That is what the contract says of them, so who does it all the same is convicted.
                StoreError::Contended(_)
                | StoreError::Unavailable(_)
                | StoreError::Corrupt(_)
                | StoreError::Backend(_) => Self::NotDone,
            },
        }
    }
}

/// A call from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What was asked.
    pub ask: Ask,
    /// The moment before it was sent. Moments are numbers that only rise; one before the
    /// other happened before it.
    pub began: u64,
    /// The moment after the answer came; `None` where none ever did.
    pub ended: Option<u64>,
    /// What was told; [`Answer::Unknown`] where no answer came.
    pub answer: Answer,
}
