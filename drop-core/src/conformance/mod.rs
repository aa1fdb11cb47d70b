//! The suite that any store must pass (feature `conformance`).
//!
//! Over a hundred named cases, every one run on every store. The author of a store says how a
//! new, empty data set comes about ([`Harness`]) and how its time is moved ([`World`]), and
//! writes one line, [`suite!`](crate::conformance::suite), which becomes one `#[test]` for each case. The
//! list of cases stands in one place (`cases.rs`), so that a new case reaches every store.
//!
//! ```
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use drop_core::conformance::{Harness, Release, START, World};
//! use drop_core::model::{DropId, Timestamp};
//! use drop_core::{ManualClock, Store};
//! use drop_store_memory::MemoryStore;
//!
//! struct InMemory;
//!
//! #[async_trait(?Send)]
//! impl Harness for InMemory {
//!     async fn world(&self) -> Box<dyn World> {
//!         let clock = Arc::new(ManualClock::new(START));
//!         Box::new(OneStore { store: MemoryStore::with_clock(clock.clone()), clock })
//!     }
//! }
//!
//! struct OneStore {
//!     store: MemoryStore,
//!     clock: Arc<ManualClock>,
//! }
//!
//! #[async_trait(?Send)]
//! impl World for OneStore {
//!     fn store(&self, _instance: usize) -> Arc<dyn Store> {
//!         Arc::new(self.store.clone())
//!     }
//!
//!     async fn set_time(&self, at: Timestamp) {
//!         self.clock.jump(at);
//!     }
//!
//!     async fn reopen(&mut self) -> bool {
//!         false // what is only in memory does not come back
//!     }
//!
//!     async fn stall(&self, _drop_id: DropId) -> Option<Release> {
//!         None // or a clock that stands still in the middle of a change
//!     }
//! }
//!
//! drop_core::conformance::suite!(InMemory);
//! # fn main() {}
//! ```
//!
//! What the cases rely on, and nothing else: the contract of [`Store`], and that the time of a
//! world stands still between two calls of [`World::set_time`]. No case sleeps, and none is
//! decided by how long something took; a case that hangs is failed after [`GUARD`].
//!
//! | part | what it holds |
//! | --- | --- |
//! | [`Harness`], [`World`] | what a store's author provides |
//! | [`CASES`], [`run`] | the cases by name, for other runners than `#[test]` |
//! | [`Model`] | the rules once more, written for being obvious: every count is a count of rows |
//! | [`Rows`] | one drop's rows without a store: loads a ledger by the contract, applies changes |
//! | [`Dice`] | seeded randomness |
//! | [`Fault`], [`Faulty`] | a store whose next calls wait, fail or panic on demand |
//! | [`history`] | what callers asked and were told, and whether it can be true |
//! | [`simulation`] | a whole shop in one thread, in which everything that can go wrong does, by a seed |
//! | `explore` | models for every order of threads, or very many; built for loom and shuttle only |
//! | [`Report`], [`is_long`] | what a run did, kept as a file; and whether it is the long run |
//!
//! After each case the suite audits every drop that the case made, and replays its feed:
//! revisions without gap, each written once, and the rows that come out agree with what the
//! store reads out (invariants I1 to I6 of the design).

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a case says what is wrong with a store by failing"
)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::LocalBoxFuture;

use crate::model::{DropId, Timestamp};
use crate::store::Store;

mod cases;
mod commands;
mod dice;
mod fault;
pub mod history;
mod model;
mod report;
mod rows;
pub mod simulation;
mod trial;

mod amend;
mod audit;
mod batch;
mod delete;
mod differential;
mod durable;
mod expiry;
mod feed;
mod forget;
mod limits;
mod lists;
mod pairs;
mod purchase;
mod races;
mod reads;
mod release;
mod repeat;
mod reserve;
mod service;
mod variants;
mod watch;
mod window;
mod wreck;

pub use cases::{CASES, Case, run};
pub use dice::Dice;
pub use fault::{Fault, Faulty};
pub use model::{Model, ModelAnswer, ModelRow};
pub use report::{Report, is_long};
pub use rows::Rows;

#[doc(inline)]
pub use crate::conformance_suite as suite;

/// The time that a world has when it is made: 2026-01-01T12:00:00Z.
pub const START: Timestamp = match Timestamp::from_micros(1_767_268_800_000_000) {
    Ok(start) => start,
    Err(_) => Timestamp::EPOCH,
};

/// How long a case may take. Only a case that hangs takes so long.
pub const GUARD: Duration = Duration::from_secs(60);

/// Makes data sets of one store, each new, empty and apart from all others.
#[async_trait(?Send)]
pub trait Harness {
    /// A new data set whose time is [`START`] and stands still.
    async fn world(&self) -> Box<dyn World>;
}

/// One data set, and its time.
#[async_trait(?Send)]
pub trait World {
    /// The store, as one of two processes holds it. Instances 0 and 1 share the data set and
    /// as little else as can be: for a server, two pools; for what one process only may open,
    /// the same store.
    fn store(&self, instance: usize) -> Arc<dyn Store>;

    /// Sets the store's time, forwards or back. It stands still from then on.
    async fn set_time(&self, at: Timestamp);

    /// Closes the data set, as a process that ends does, and opens it again; stores handed
    /// out before are gone by then. `false`, and nothing done, where nothing outlives the
    /// process: exactly where [`Store::is_durable`] says so.
    async fn reopen(&mut self) -> bool;

    /// Takes a drop's lock as another process does that stands still in the middle of a
    /// change, until the future that it returns is awaited or dropped. `None` where that cannot
    /// be brought about; then nothing shows that time is read behind the lock.
    async fn stall(&self, drop_id: DropId) -> Option<Release>;
}

/// Ends a stall.
pub type Release = LocalBoxFuture<'static, ()>;
