//! What callers asked and were told, in the order in which it happened.

mod call;
mod recorder;

pub use call::{Answer, Ask, Call};
pub use recorder::{Recorder, Ticket};
