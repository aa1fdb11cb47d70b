//! What the benches share: stores to measure, a crowd, and how figures are reported.

mod crowd;
mod machine;
pub mod report;
mod stores;

pub use crowd::{Crowd, new_drop};
pub use machine::Machine;
pub use stores::{Kind, Stores};
