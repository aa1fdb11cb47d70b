//! What the benches share: stores to measure, shops to compare, crowds, and how figures are
//! reported.

pub mod checkout;
mod drops;
mod lapse;
mod load;
mod machine;
pub mod report;
mod runner;
pub mod shops;
mod stores;
mod usage;

pub use drops::{STOCK, drop_of, new_drop};
pub use lapse::{Lapse, Settled};
pub use load::{Answered, load};
pub use machine::Machine;
pub use runner::Runner;
pub use stores::{Kind, Stores, Time};
pub use usage::Usage;
