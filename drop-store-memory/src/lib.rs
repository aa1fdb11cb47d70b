//! Drops in memory: the store for tests, for simulations, and for hosts that can lose
//! everything at a restart; and, with the feature `journal`, the same drops durable in an
//! embedded database file.
//!
//! Two mutexes per drop: the gate is the lock of the design, and behind it the store loads, lets
//! [`decide`](drop_core::rules::decide) decide, and writes; the other keeps the rows for the
//! moment in which they are read or changed, so that readers never wait for a disk. In memory,
//! drops do not delay each other; in a file they share its one writer: what comes while a disk
//! transaction is under way, of whichever drops, goes together with the next.
//!
//! | store | after a crash | one commit |
//! | --- | --- | --- |
//! | [`MemoryStore`] | nothing is left | a mutex |
//! | `FileStore` (`journal`) | everything that was acknowledged | one disk transaction for what waits |
//!
//! # Costs
//! Everything ever reserved stays in memory, the file store's too: about 120 bytes a
//! reservation, and more while it is active.

#[cfg(any(test, feature = "journal"))]
mod group;
#[cfg(feature = "journal")]
mod journal;
mod log;
mod recount;
mod shared_shelf;
mod shelf;
mod shelves;
mod store;
mod sync;
mod users;

#[cfg(feature = "journal")]
pub use journal::{FileStore, OpenError};
pub use store::MemoryStore;
