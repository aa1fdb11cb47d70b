//! A whole shop in one thread, in which everything that can go wrong does, by a seed.
//!
//! The real [`DropService`](crate::DropService) with its lanes and workers runs on the real
//! store, as two to four instances that share one data set. Every call of the store waits until
//! the scheduler lets it go; time stands still until the scheduler moves it; and the scheduler
//! goes by seeded [`Dice`](super::Dice). So a seed is a run: the same calls, the same answers,
//! the same changes, which is what [`Summary::trace_hash`] says.
//!
//! | what goes wrong | how |
//! | --- | --- |
//! | crash | an instance is gone at any step, also between a commit and its answer; another one may start in its place |
//! | answer lost, unknown | the store's answer becomes `Unknown`, after the commit or instead of it |
//! | unavailable, contended, panic | the store's call fails before or after its work |
//! | delay, pause | a call is left lying, an instance stands still, while others go on |
//! | duplicate | a request is sent again, late, to any instance |
//! | caller gone | the future of a call is dropped |
//! | clocks | up to an hour passes at once; the store's clock goes back; an instance's clock is wrong |
//! | sweeper dead | an instance's workers are killed |
//! | hints | some are lost, and reads of workers come late or fail |
//!
//! After every step everything that any store has done is compared with the rules as
//! [`Model`](super::Model) has them and with the rows that the changes tell of
//! ([`Rows`](super::Rows)): invariants I1 to I8. Every read is compared with these rows, every
//! answer to a caller with a decision made for that caller, every update that a watcher hears
//! with what was committed. At the end nothing goes wrong any more: everybody is answered, what
//! was not acknowledged is asked again until it has one answer, what has lapsed is settled,
//! watchers know what there is, the history of all calls is checked
//! ([`violations`](super::history::violations)), and the instances stop.
//!
//! The author of a store says what a data set is ([`DataSet`]) and plays some seeds:
//!
//! ```
//! use std::sync::Arc;
//!
//! use drop_core::conformance::START;
//! use drop_core::conformance::simulation::{DataSet, Play, simulate, simulate_all};
//! use drop_core::model::Timestamp;
//! use drop_core::{ManualClock, Store};
//! use drop_store_memory::MemoryStore;
//!
//! struct InMemory {
//!     store: MemoryStore,
//!     clock: Arc<ManualClock>,
//! }
//!
//! impl DataSet for InMemory {
//!     fn store(&self, _instance: usize) -> Arc<dyn Store> {
//!         Arc::new(self.store.clone())
//!     }
//!
//!     fn set_time(&self, at: Timestamp) {
//!         self.clock.jump(at);
//!     }
//! }
//!
//! fn in_memory() -> InMemory {
//!     let clock = Arc::new(ManualClock::new(START));
//!     InMemory { store: MemoryStore::with_clock(clock.clone()), clock }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let once = simulate(Play::new(7), in_memory)?;
//! let again = simulate(Play::new(7), in_memory)?;
//! assert_eq!(once.trace_hash, again.trace_hash);
//!
//! // Many, on all cores. What a run finds does not depend on how many there are.
//! let some = simulate_all(1..=20, Play::OPERATIONS, in_memory)?;
//! assert_eq!(some.runs, 20);
//! println!("{}", some.coverage.table());
//! # Ok(())
//! # }
//! ```
//!
//! A [`Failure`] says the seed, what was wrong and what happened before; [`trace()`] tells of any
//! run what happens in it.
//!
//! # What it does not see
//! One call of a store runs to its end before the next begins, so what two calls do to each
//! other inside a store is not seen: the suite's races, loom and real servers are for that.

mod asking;
mod asks;
mod calls;
mod clients;
mod clock;
mod coverage;
mod desk;
mod ending;
mod gated;
mod instance;
mod known;
mod mood;
mod play;
mod request;
mod run;
mod stage;
mod states;
mod steps;
mod trace;
mod verdicts;
mod watcher;
mod witness;

pub use coverage::{Cell, Coverage};
pub use play::{DataSet, Failure, Play, Summary};
pub use run::{simulate, simulate_all, trace};
pub use states::{CommandKind, DropState, HoldState, Trouble};
