//! What it costs in counts that no clock is needed for, each against a stored bound.
//!
//! Rates depend on the machine and on who else is on it; instructions, allocations, messages and
//! bytes of log do not. So they can be held against bounds in every run. The bounds are in
//! `benches/counts.json` and nowhere else; with `DROP_BLESS=1` the tests write it.

mod bounds;
mod callgrind;
mod measured;

pub use bounds::{Bound, Bounds};
pub use callgrind::{Profile, profile};
pub use measured::Measured;
