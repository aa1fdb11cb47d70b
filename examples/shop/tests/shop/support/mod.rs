//! Starting and stopping what the tests need.

mod api;
mod cut;
mod faketime;
mod process;
mod session;
mod shop;
mod small_disk;

pub(crate) use api::{Answer, Api};
pub(crate) use cut::{Cut, Cutter};
pub(crate) use faketime::FakeTime;
pub(crate) use process::Process;
pub(crate) use session::Session;
pub(crate) use shop::{Shop, Start};
pub(crate) use small_disk::SmallDisk;

/// A new PostgreSQL database on the server that all tests of this binary share.
pub(crate) async fn database() -> drop_store_postgres::testing::Database {
    let cluster = drop_store_postgres::testing::Cluster::shared().await.expect("PostgreSQL");
    cluster.database().await.expect("a database")
}
