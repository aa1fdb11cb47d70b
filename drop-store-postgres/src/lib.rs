//! Drops in PostgreSQL.

mod apply;
mod audit;
mod builder;
mod decode;
mod fault;
mod feed;
mod hints;
mod literal;
mod load;
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
mod users;
mod write;

pub use builder::PostgresBuilder;
pub use store::PostgresStore;
