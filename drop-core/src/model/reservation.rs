//! The reservation, a state machine whose transitions consume the old state.
//!
//! ```text
//! take -> Hold (active) -> complete -> completed (and a purchase)
//!            |  ^  |  \---> release -> released
//!            |  '--' extend
//!            '-----------> expire   -> expired
//! ```

use serde::{Deserialize, Serialize};

use super::{Amount, HoldPolicy, Price, ReservationId, Timestamp, Units, UserId, VariantNo};

/// What a reservation claims; it never changes after it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Its number, which carries the drop's.
    pub id: ReservationId,
    /// Who claims.
    pub user_id: UserId,
    /// Which variant.
    pub variant: VariantNo,
    /// How many units, at least one.
    pub quantity: Units,
    /// The price of one unit when it was taken: what the shopper will pay.
    pub price: Price,
    /// When it was first taken.
    pub created_at: Timestamp,
}

/// Where a reservation stands. It leaves `Active` once and never returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Holds its units until the deadline.
    Active,
    /// Bought.
    Completed,
    /// Given back by the deadline.
    Expired,
    /// Given back by its holder or by the seller.
    Released,
}

impl Status {
    /// The word on the wire and in a database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Completed => "completed",
            Self::Expired => "expired",
            Self::Released => "released",
        }
    }

    /// The status that `word` names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Active, Self::Completed, Self::Expired, Self::Released]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}

/// A reservation in any state, as it stands in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    claim: Claim,
    expires_at: Timestamp,
    updated_at: Timestamp,
    status: Status,
}

impl Reservation {
    /// A reservation as a store has it. Stores only: rules make reservations through
    /// [`Hold`].
    #[must_use]
    pub const fn restore(
        claim: Claim,
        expires_at: Timestamp,
        updated_at: Timestamp,
        status: Status,
    ) -> Self {
        Self { claim, expires_at, updated_at, status }
    }

    /// What it claims.
    #[must_use]
    pub const fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Its number.
    #[must_use]
    pub const fn id(&self) -> ReservationId {
        self.claim.id
    }

    /// Its deadline: valid while `as_of < expires_at`.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// When it last changed.
    #[must_use]
    pub const fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// Where it stands in the store. A hold that lapsed by time alone is still `Active`
    /// here until it is settled; see [`Reservation::status_at`].
    #[must_use]
    pub const fn status(&self) -> Status {
        self.status
    }

    /// Where it stands for a reader at `as_of`: a lapsed hold counts as expired.
    #[must_use]
    pub fn status_at(&self, as_of: Timestamp) -> Status {
        match self.status {
            Status::Active if self.expires_at <= as_of => Status::Expired,
            status => status,
        }
    }

    /// The hold, if it is active.
    #[must_use]
    pub fn into_hold(self) -> Option<Hold> {
        (self.status == Status::Active).then_some(Hold {
            claim: self.claim,
            expires_at: self.expires_at,
            updated_at: self.updated_at,
        })
    }

    /// The purchase, if it is completed.
    #[must_use]
    pub fn purchase(&self) -> Option<Purchase> {
        (self.status == Status::Completed).then(|| Purchase {
            id: self.claim.id,
            user_id: self.claim.user_id,
            variant: self.claim.variant,
            quantity: self.claim.quantity,
            amount_paid: self.claim.price.times(self.claim.quantity),
            purchased_at: self.updated_at,
        })
    }
}

/// An active reservation. Only this can be extended, completed, expired or released, and
/// each of these consumes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    claim: Claim,
    expires_at: Timestamp,
    updated_at: Timestamp,
}

impl Hold {
    /// Takes what `claim` says; the deadline follows from `policy`.
    #[must_use]
    pub fn take(claim: Claim, policy: HoldPolicy) -> Self {
        let created_at = claim.created_at;
        let expires_at = policy.expires_at(created_at, created_at);
        Self { claim, expires_at, updated_at: created_at }
    }

    /// What it claims.
    #[must_use]
    pub const fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Its deadline.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// The one expiry rule: valid while `as_of < expires_at`.
    #[must_use]
    pub fn is_valid(&self, as_of: Timestamp) -> bool {
        as_of < self.expires_at
    }

    /// Gives it a fresh deadline, which never moves back and never passes the policy's
    /// longest.
    #[must_use]
    pub fn extend(self, as_of: Timestamp, policy: HoldPolicy) -> Self {
        let fresh = policy.expires_at(self.claim.created_at, as_of);
        if fresh <= self.expires_at {
            return self;
        }
        Self { expires_at: fresh, updated_at: as_of, ..self }
    }

    /// Buys it.
    ///
    /// # Errors
    /// The hold itself when it has lapsed at `as_of`.
    pub fn complete(self, as_of: Timestamp) -> Result<Reservation, Self> {
        if self.is_valid(as_of) { Ok(self.end(as_of, Status::Completed)) } else { Err(self) }
    }

    /// Writes down that it lapsed.
    ///
    /// # Errors
    /// The hold itself when it is still valid at `as_of`.
    pub fn expire(self, as_of: Timestamp) -> Result<Reservation, Self> {
        if self.is_valid(as_of) { Err(self) } else { Ok(self.end(as_of, Status::Expired)) }
    }

    /// Gives it back.
    #[must_use]
    pub fn release(self, as_of: Timestamp) -> Reservation {
        self.end(as_of, Status::Released)
    }

    fn end(self, as_of: Timestamp, status: Status) -> Reservation {
        Reservation::restore(self.claim, self.expires_at, as_of, status)
    }
}

impl From<Hold> for Reservation {
    fn from(hold: Hold) -> Self {
        Self::restore(hold.claim, hold.expires_at, hold.updated_at, Status::Active)
    }
}

/// The sale that completed a reservation, one to one: it carries the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purchase {
    /// The reservation's number, and the purchase's.
    pub id: ReservationId,
    /// Who bought.
    pub user_id: UserId,
    /// Which variant.
    pub variant: VariantNo,
    /// How many units.
    pub quantity: Units,
    /// The price at the hold, times the quantity.
    pub amount_paid: Amount,
    /// When.
    pub purchased_at: Timestamp,
}
