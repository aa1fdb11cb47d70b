//! A PostgreSQL for tests and benches: a private cluster, a database per test, manual time, and
//! proxies that are the network in between.
//!
//! ```no_run
//! use drop_store_postgres::testing::Cluster;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let database = Cluster::shared().await?.database().await?;
//! let store = database.connect().await?;
//! # Ok(())
//! # }
//! ```
//!
//! The server's programs are looked for in `PATH` and in `/usr/lib/postgresql`. With
//! `DATABASE_URL` set, that server is used instead, and its role must be allowed to create
//! databases. A missing server is an error that says what to install: a test that needs one
//! fails without it, and never passes by being skipped.

mod address;
mod cluster;
mod database;
mod error;
mod guardian;
mod manual_time;
mod programs;
mod proxy;
mod statements;

pub use cluster::Cluster;
pub use database::Database;
pub use error::ClusterError;
pub use manual_time::ManualTime;
pub use proxy::{Gate, Held, Line, SqlProxy, Step, StepKind, TcpProxy, Verdict};
pub use statements::{HotStatement, hot_statements};
