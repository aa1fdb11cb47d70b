//! Drops in PostgreSQL: a transaction per batch, any number of instances on one database.
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
//! - **Users are made before the lock, and asked for behind it.** They are made in a transaction
//!   of their own, in one order: nothing else is locked before a drop, and with a drop's lock no
//!   other one is waited for, so there is no circle to wait in. Who the customers are is read behind the lock each time, so
//!   nobody is refused by what was true before.
//! - **Settling and taking are two statements.** The unique index of active holds would see a
//!   customer's old hold and the new one, if one statement ended the first and took the second.
//! - **What was written is counted** and compared with what was decided, and the schema checks
//!   it once more: `held + sold <= total`, one active hold for a user and drop, every purchase
//!   with its reservation. A difference is `Corrupt`, and nothing is committed.
//!
//! # What is kept, and when it is believed
//! Each instance keeps a drop between its batches: terms, counters and all active holds
//! ([`Holds`](drop_core::rules::Holds)). It is believed where the locked row is still at the same
//! revision and time, which everybody who changes a drop raises. Behind by a few changes, the feed
//! brings it up to date, if it has the very change that was kept; else the drop is loaded. Counters
//! are written over those that were decided on, or not at all. Whoever changes rows by hand sets
//! the drop's `updated_at`, so that every instance loads it.
//!
//! # Round trips of a batch, whatever its size
//! | | round trips | when |
//! | --- | --- | --- |
//! | users, BEGIN, the lock, the time, the revision, the customers | 1 | always |
//! | the changes of others, or the drop with its active holds | 1 | where another instance has changed it, or nothing is kept |
//! | begin again with the drop loaded apart | 3 | where that would be more than 1,000 holds |
//! | reservations that are named and have ended | 1 | only where some are |
//! | rows and purchasers of who is forgotten | 2 | only to forget |
//! | remove who is forgotten | 1 | only to forget |
//! | new terms; new variants | 1; 1 | only to amend |
//! | settle | 1 | only where the same change also takes holds; else it is part of the next |
//! | holds, purchases, counters, the drop, the feed | 1 | where anything changed |
//! | COMMIT | 1 | where anything changed |
//!
//! So a batch of holds, of purchases, or of what lapsed takes 3 and one flush, one that settles and
//! takes takes 4, and one of refusals 1: it writes nothing, and its ROLLBACK travels behind the
//! answer. `BEGIN` names `synchronous_commit = on` too: an answer is given once the commit is on
//! disk. Making users is not waited for: nobody is told an id before the commit of a reservation
//! of it, and that flushes everything before.
//!
//! # Several drops in one transaction
//! A transaction costs nearly a millisecond of the server's time, whatever it writes. Where more drops
//! sell than there are connections, one that becomes free takes those along who wait for it: up to 64
//! drops, and 256 commands. Then it is three messages for all of them, one more where
//! one of them settles, one where others have changed some of the drops, one where some are
//! met for the first time, and up to four for drops that are asked for what has ended. Locks are
//! taken where they are free: none is waited for. What is locked, has many holds to load, amends or
//! forgets goes by itself, and so does each batch if
//! the transaction fails before its COMMIT. If the answer to the COMMIT is lost, all of them are
//! `Unknown`. A user's row that somebody keeps is waited for an eighth of the lock timeout, and then
//! by its own drop alone.
//!
//! A batch that finds a connection goes at once and alone; and so does each where nothing is prepared
//! by name, as with Citus. The transaction runs on the runtime of one of those who wait, which has to
//! keep running.
//!
//! # Plans
//! What the first message asks is prepared when a connection is opened, the writes when they are
//! first used, and each is planned once for all values: for a lone caller, planning takes longer
//! than running. A plan that was made while a table was empty does not hurt as the table fills:
//! sequential scans are off in the transaction, and each of these statements has one index that
//! fits all that it asks for. What is seldom asked goes as a script and is planned each time.
//!
//! With [`PostgresBuilder::statement_cache_capacity`] 0 nothing is prepared by name, and everything
//! is planned for the values at hand, as Citus and pgbouncer in transaction mode need it.
//!
//! # Faults
//! By SQLSTATE, never by text.
//!
//! | what | becomes |
//! | --- | --- |
//! | 40001, 40P01 | run again, 5 times in all; then `Contended` |
//! | 55P03, the lock was not had in time | `Unavailable` at once: the caller has waited already. Among several drops: each by itself |
//! | 23503 on a user who is deleted meanwhile, or somebody who was not made a user and can get a unit by now | run again with the user made; then `Contended` |
//! | other 23xxx, XX001, XX002 | `Corrupt` |
//! | a connection that died while nobody used it, or could prepare nothing because the schema was not there | another one, as often as the pool is large |
//! | no connection, a cut one, a silent server, 08, 53, 57, 58, 25006 | `Unavailable`; nothing is written |
//! | any of these, or no answer, once COMMIT was sent | `Unknown` |
//!
//! Nothing but a migration waits without a bound: not the start, not an answer, not the sign of
//! life that the pool asks of a connection that comes back to it, not a listener. Where the network
//! swallows a connection, its place in the pool is free again within the answer timeout, and the
//! server ends what was open on it within the idle timeout.
//!
//! Connections are given in the order of asking, and the one that was used last goes first: a server
//! process that has just done the same is faster than one that begins with it.
//!
//! # Many instances
//! Each change is a row of `drop_changes`, in the same commit. [`hints`](drop_core::Store::hints)
//! tells soon which drops have changed, by LISTEN and a NOTIFY outside of the transaction; behind
//! a pooler in transaction mode there are none, and the feed is polled.
//! Every key begins with the drop, so the tables distribute by it (on Citus: `users` and
//! `drop_ids` as reference tables, the others by the drop and colocated, and with a statement cache
//! capacity of 0).
//!
//! # What it costs
//! A reserve keeps three indexes: its key, the unique hold and the deadline. A purchase keeps
//! its own two. Nothing finds all reservations of one user quickly: forgetting a customer reads
//! the drop's rows, and deleting a user reads all of them, since a reserve would pay for an
//! index that only this needs.
//!
//! What is kept takes about 100 bytes for each active hold, and two million of them at most; a
//! drop without any counts as sixteen. A drop that is met for the first time is loaded with
//! all its active holds: up to 1,000 behind its lock; more without it, in a transaction that sees
//! one moment, and behind the lock the feed has what came about meanwhile. Only where that is more
//! than can be followed, three times, do other instances wait.

mod apply;
mod audit;
mod builder;
mod decode;
mod facts;
mod fault;
mod feed;
mod hints;
mod joint;
mod kept;
mod lease;
mod ledgers;
mod literal;
mod load;
mod opening;
mod reader;
#[cfg(test)]
mod sample;
mod schema;
mod script;
mod seller;
mod server;
mod sql;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod transaction;
mod tries;
mod warm;
mod write;

pub use builder::PostgresBuilder;
pub use store::PostgresStore;
