//! The same drops, durable: every commit is in an embedded database file before its answer.

mod compare;
mod entry;
mod error;
mod file_store;
mod load;
mod medium;
mod open;
mod pause;
mod redb_log;
mod resync;
mod tables;

pub use error::OpenError;
pub use file_store::FileStore;

#[cfg(test)]
mod faults;
#[cfg(test)]
mod tampered;
