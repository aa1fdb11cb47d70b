//! Who sells: ours, and what it is measured against.

mod arrays;
mod bare;
mod counter;
mod entrants;
mod filled;
mod flush;
mod ours;
mod redis;
mod seed;
mod shop;
mod tables;
mod till;

pub use arrays::ArraysOnly;
pub use bare::BareInsert;
pub use counter::CounterStatement;
pub use entrants::{SERIES, contender};
pub use filled::Filled;
pub use flush::BareFlush;
pub use ours::Ours;
pub use redis::RedisScript;
pub use seed::LockCountInsert;
pub use shop::{Contender, Shop, usernames};
pub use tables::Tables;
pub use till::Till;
