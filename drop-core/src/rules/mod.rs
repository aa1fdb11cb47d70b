//! The pure heart: every rule of selling, without clock, randomness or IO.
//!
//! A store locks a drop, loads a [`Ledger`], calls [`decide`], writes the [`Change`] and
//! commits. Stores know no rule, so they cannot disagree on one.

mod amendment;
mod applied;
mod audit;
mod batch;
mod change;
mod decide;
mod draft;
mod holders;
mod holds;
mod ledger;
mod rejection;
mod roster;
mod slots;

pub use amendment::Amendment;
pub use applied::{Applied, Effect, Outcome};
pub use audit::{Audit, CountedVariant};
pub use batch::{Batch, Command, InvalidBatch};
pub use change::Change;
pub use decide::{Decision, decide};
pub use holds::{ActiveRows, Holds};
pub use ledger::{Customer, Ledger};
pub use rejection::{Corruption, Rejection};
pub use slots::Slots;
