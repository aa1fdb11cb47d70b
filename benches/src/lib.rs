//! What the benches share: stores to measure, and a crowd.

mod crowd;
mod stores;

pub use crowd::{Crowd, new_drop};
pub use stores::{Kind, Stores};
