//! The same drops, durable: every commit is in an embedded database file before its answer.

mod error;
mod file_store;
mod load;
mod open;
mod redb_log;
mod tables;

pub use error::OpenError;
pub use file_store::FileStore;
