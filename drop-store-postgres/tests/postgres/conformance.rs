//! The conformance suite of drop-core: two instances, each with its own pool, on one database.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use drop_core::Store;
use drop_core::conformance::{Harness, Release, START, World};
use drop_core::model::{DropId, Timestamp};
use drop_store_postgres::PostgresStore;
use drop_store_postgres::testing::{Cluster, Database, ManualTime};
use sqlx::Connection;

drop_core::conformance::suite!(OnPostgres);

struct OnPostgres;

#[async_trait(?Send)]
impl Harness for OnPostgres {
    async fn world(&self) -> Box<dyn World> {
        let database = Cluster::in_memory().await.unwrap().database().await.unwrap();
        let time = database.with_manual_time(START).await.unwrap();
        let stores = connect(&time).await;
        Box::new(PostgresWorld { stores, time, database })
    }
}

struct PostgresWorld {
    stores: [PostgresStore; 2],
    time: ManualTime,
    database: Database,
}

/// Two instances that are patient: the suite decides nothing by how long something took.
async fn connect(time: &ManualTime) -> [PostgresStore; 2] {
    const PATIENCE: Duration = Duration::from_secs(30);
    let builder = time.builder().acquire_timeout(PATIENCE).lock_timeout(PATIENCE);
    let builder = builder.answer_timeout(2 * PATIENCE).pool_size(5);
    let first = builder.clone().connect().await.unwrap();
    [first, builder.connect_unmigrated().await.unwrap()]
}

#[async_trait(?Send)]
impl World for PostgresWorld {
    fn store(&self, instance: usize) -> Arc<dyn Store> {
        Arc::new(self.stores[instance].clone())
    }

    async fn set_time(&self, at: Timestamp) {
        self.time.set_time(at).await.unwrap();
    }

    async fn reopen(&mut self) -> bool {
        self.stores = connect(&self.time).await;
        true
    }

    async fn stall(&self, drop_id: DropId) -> Option<Release> {
        let mut connection = self.database.connection().await.unwrap();
        sqlx::query("BEGIN").execute(&mut connection).await.unwrap();
        sqlx::query("SELECT 1 FROM drops WHERE id = $1 FOR UPDATE")
            .bind(drop_id.get())
            .execute(&mut connection)
            .await
            .unwrap();
        Some(Box::pin(async move { connection.close().await.unwrap() }))
    }
}
