//! Drops in PostgreSQL: one transaction per batch, any number of instances on one database.
//!
//! ```no_run
//! use drop_core::Store;
//! use drop_store_postgres::PostgresStore;
//!
//! # async fn example() -> Result<(), drop_core::StoreError> {
//! let store = PostgresStore::connect("postgres://shop@localhost/shop").await?;
//! println!("{} at {}", store.describe(), store.ready().await?);
//! # Ok(())
//! # }
//! ```
//!
//! # The lock, and what may be read when
//! The row of a drop in `drops` is its lock. Whoever changes anything of a drop holds it
//! `FOR UPDATE` from before the first thing it reads until its commit.
//!
//! - **Nothing that the lock protects is read in the statement that takes it, or before.** That
//!   statement's snapshot is older than its wait. The statements after it have snapshots of
//!   their own, because the transaction names READ COMMITTED, whatever the database's default:
//!   under REPEATABLE READ all of them would see the time before the wait.
//! - **The time is one of these things.** `as_of` is read behind the lock, is never before the
//!   drop's last change, and goes into the later statements as a parameter.
//! - **Users come before the lock.** They are made in a statement of their own, in one order.
//!   One drop per transaction, nothing else is locked before it: there is no circle to wait in.
//! - **Settling and taking are two statements.** The unique index of active holds would see a
//!   customer's old hold and the new one, if one statement ended the first and took the second.
//! - **What was written is counted** and compared with what was decided, and the schema checks
//!   it once more: `held + sold <= total`, one active hold for a user and drop, every purchase
//!   with its reservation. A difference is `Corrupt`, and nothing is committed.
//!
//! # Round trips of a batch, whatever its size
//! | | round trips | when |
//! | --- | --- | --- |
//! | make or find users | 1 (2 for both) | only for names that this instance has not met for a minute |
//! | BEGIN, the lock, the time, the drop and its variants | 1 | always |
//! | rows: the customers' holds and whether they are users still, holds named, those lapsed, what was bought | 1 | where the drop exists |
//! | rows and purchasers of who is forgotten | 2 | only to forget |
//! | remove who is forgotten | 1 | only to forget |
//! | new terms; new variants | 1; 1 | only to amend |
//! | settle | 1 | only where the same change also takes holds; else it is part of the next |
//! | holds, purchases, counters, the drop, the feed | 1 | where anything changed |
//! | COMMIT | 1 | where anything changed |
//!
//! So a batch of holds, of purchases, or of what lapsed takes 4, one that settles and takes
//! takes 5, and one of refusals 2: it writes nothing, and its ROLLBACK travels behind the answer.
//! `BEGIN` names `synchronous_commit = on` too: an answer is given once the commit is on disk.
//!
//! # Plans
//! Nothing is prepared outside of a transaction; in it, statements are planned anew where the
//! plan matters, and leave nothing to choose where it does not. So a plan that was made while
//! a table was empty cannot stay as the table fills, and pgbouncer in transaction mode works
//! (with [`PostgresBuilder::statement_cache_capacity`] 0).
//!
//! # Faults
//! By SQLSTATE, never by text.
//!
//! | what | becomes |
//! | --- | --- |
//! | 40001, 40P01 | run again, 5 times in all; then `Contended` |
//! | 55P03, the lock was not had in time | `Unavailable` at once: the caller has waited already |
//! | 23503 on a user who is deleted meanwhile | run again with the user made anew; then `Contended` |
//! | other 23xxx, XX001, XX002 | `Corrupt` |
//! | a connection that died in the pool | another one, as often as the pool is large |
//! | no connection, a cut one, a silent server, 08, 53, 57, 58, 25006 | `Unavailable`; nothing is written |
//! | any of these, or no answer, once COMMIT was sent | `Unknown` |
//!
//! Nothing but a migration waits without a bound: not the start, not an answer, not the sign of
//! life that the pool asks of a connection that comes back to it, not a listener. Where the network swallows a connection,
//! its place in the pool is free again within the answer timeout, and the server ends what was
//! open on it within the idle timeout.
//!
//! # Many instances
//! Each change is a row of `drop_changes`, in the same commit. [`hints`](drop_core::Store::hints)
//! tells soon which drops have changed, by LISTEN and a NOTIFY outside of the transaction; behind
//! a pooler in transaction mode there are none, and the feed is polled.
//! Every key begins with the drop, so the tables distribute by it (on Citus: `users` and
//! `drop_ids` as reference tables, the others by the drop and colocated).
//!
//! # What it costs
//! A reserve keeps three indexes: its key, the unique hold and the deadline. A purchase keeps
//! its own two. Nothing finds all reservations of one user quickly: forgetting a customer reads
//! the drop's rows, and deleting a user reads all of them, since a reserve would pay for an
//! index that only this needs.
//! A user whom another instance deletes may be known here for up to a minute. Each batch looks
//! its customers' ids up behind the lock, in the statement that loads their rows, and asks for
//! the names again where one is gone: nobody is refused for who had his name before.

mod apply;
mod audit;
mod builder;
mod decode;
mod fault;
mod feed;
mod hints;
mod kept;
mod lease;
mod ledgers;
mod literal;
mod load;
mod opening;
mod reader;
mod schema;
mod seller;
mod server;
mod sql;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod transaction;
mod tries;
mod write;

pub use builder::PostgresBuilder;
pub use store::PostgresStore;
