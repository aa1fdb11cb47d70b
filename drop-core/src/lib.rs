//! Sell a limited stock to a crowd without ever selling a unit twice.
//!
//! Thousands press the button in the same second; each winner holds a unit for a minute, pays,
//! or lets it lapse back to the others; and everybody watches the number move. This crate is
//! the whole of that business: the rules, the queue in front of them, the clockwork behind
//! them, and the contract of a [`Store`]. Stores and the network are crates of their own.
//!
//! # One flow
//! Every change of a drop's stock takes the same road, and there is no other:
//!
//! ```text
//! caller -> DropService -> lane (queue of one drop) -> Store::apply(batch)
//!                                                     lock -> load -> decide -> write -> commit
//!        <- outcome for each caller <-               -> change -> bus -> subscribers
//! ```
//!
//! - [`rules::decide`] holds every rule and is pure: no clock, no randomness, no IO.
//! - What queues while a transaction is in flight is the next batch. No timer: a lone request
//!   goes at once.
//! - Each commit raises the drop's revision by one and puts one [`rules::Change`] into the feed.
//! - A decision's time is the store's, read under the lock. A hold is valid while
//!   `as_of < expires_at`, everywhere.
//! - Refusals ([`Rejection`]) are answers, faults ([`StoreError`]) are errors.
//!
//! [`DropService`] has an example that runs. A store's author reads [`Store`] and runs the suite
//! of the feature `conformance`.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used)]
#![warn(clippy::expect_used, clippy::panic)]
mod clock;
#[cfg(all(feature = "conformance", not(any(drop_loom, drop_shuttle))))]
pub mod conformance;
/// What explores models, in the builds that run them: they run nothing else of the suite.
#[cfg(all(feature = "conformance", any(drop_loom, drop_shuttle)))]
pub mod conformance {
    pub mod explore;
    mod report;

    pub use report::{Report, is_long};
}
mod error;
pub mod model;
pub mod rules;
mod runtime;
mod service;
pub mod store;
mod sync;

pub use clock::{Clock, ManualClock, SteadyClock, SystemClock};
pub use error::{Cause, ServiceError, StoreError};
pub use rules::{Amendment, Audit, Rejection};
pub use runtime::{Update, Updates, Watermark, Workers};
pub use service::{Builder, DropService, Purchased, Released, Reserve, Reserved};
pub use store::Store;
