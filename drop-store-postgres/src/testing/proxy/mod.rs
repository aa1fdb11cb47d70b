//! Proxies between a client and a server: the network in a test's hand.
//!
//! [`SqlProxy`] understands the framing of PostgreSQL's protocol (version 3), so that a test
//! names the very step at which something happens: hold it, cut before or after it, lose its
//! answer, answer it with an error. [`TcpProxy`] knows bytes only and serves any protocol.
//!
//! ```no_run
//! use drop_store_postgres::testing::{Cluster, SqlProxy, Verdict};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let database = Cluster::shared().await?.database().await?;
//! let proxy = SqlProxy::before(&database.options()).await?;
//! let store = drop_store_postgres::PostgresStore::builder_with(proxy.options()).connect().await?;
//! // The server commits, and nobody hears of it.
//! proxy.set_judge(|step| if step.is_commit() { Verdict::CutAfter } else { Verdict::Pass });
//! # Ok(())
//! # }
//! ```

mod board;
mod gate;
mod link;
mod message;
mod serve;
mod sql_proxy;
mod step;
mod tcp_proxy;
mod verdict;
mod wire;

pub use gate::{Gate, Held};
pub use sql_proxy::SqlProxy;
pub use step::{Step, StepKind};
pub use tcp_proxy::{Line, TcpProxy};
pub use verdict::Verdict;
