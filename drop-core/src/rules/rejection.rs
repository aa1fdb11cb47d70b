//! Answers by the rules, and the one fault the rules can find.

use crate::model::{InvalidStock, InvalidTerms, InvalidUsername, ReservationId};

/// An answer by the rules: the request was understood and refused. Nothing is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// There is no such drop.
    #[error("Drop not found")]
    DropNotFound,
    /// The drop's window is not open at the time of the decision.
    #[error("This drop is not currently active")]
    NotActive,
    /// Fewer units are available than asked for.
    #[error("This item is sold out")]
    OutOfStock,
    /// The customer would hold and have bought more than the drop allows.
    #[error("You have reached the limit per customer for this drop")]
    LimitReached,
    /// The customer holds something else of this drop.
    #[error("You already hold another selection of this drop")]
    AlreadyHolding,
    /// The drop has several variants and none was named.
    #[error("variant is required: this drop has several")]
    VariantRequired,
    /// The drop has no variant of that name.
    #[error("This drop has no such variant")]
    UnknownVariant,
    /// A quantity of nothing.
    #[error("quantity must be at least 1")]
    NoQuantity,
    /// The text is not a username.
    #[error(transparent)]
    InvalidUsername(#[from] InvalidUsername),
    /// There is no such reservation.
    #[error("Reservation not found")]
    ReservationNotFound,
    /// The reservation is over: it lapsed or was released.
    #[error("Your reservation has expired")]
    ReservationExpired,
    /// Somebody else's reservation.
    #[error("This reservation belongs to another user")]
    NotYours,
    /// What was bought cannot be released.
    #[error("This reservation has already been purchased")]
    AlreadyPurchased,
    /// A total below what is held and sold.
    #[error("totalStock cannot go below what is held and sold")]
    StockBelowCommitted,
    /// A drop or user with sales or live holds is only deleted with `force`.
    #[error("There are sales or live holds; use force to delete them too")]
    HasSales,
    /// There is no such user.
    #[error("User not found")]
    UserNotFound,
    /// The drop has changed since the revision that the request names.
    #[error("The drop has changed since you read it")]
    Stale,
    /// The terms contradict themselves.
    #[error(transparent)]
    InvalidTerms(#[from] InvalidTerms),
    /// All numbers of this drop's reservations are used up (2^29).
    #[error("This drop cannot take any more reservations")]
    NumbersUsedUp,
}

/// Rows and counters contradict each other: a fault of the store or of a hand in it.
///
/// The decision is not made, nothing is written, and the drop is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Corruption {
    /// A reservation ends more units than the counters know.
    #[error("reservation {id} contradicts the counters: {source}")]
    Counters {
        /// Which reservation.
        id: ReservationId,
        /// The counters.
        source: InvalidStock,
    },
    /// Two active holds of one user.
    #[error("reservations {0} and {1} are active holds of one user")]
    TwoHolds(ReservationId, ReservationId),
    /// A reservation of a variant that the drop does not have.
    #[error("reservation {0} is of a variant that the drop does not have")]
    NoVariant(ReservationId),
    /// The ledger has another number of customers than the batch has commands.
    #[error("the ledger was loaded for another batch")]
    OtherBatch,
}
