//! Opening the store that the settings name.

use std::num::NonZeroU32;
use std::sync::Arc;

use drop_core::Store;
use drop_store_memory::{FileStore, MemoryStore};
#[cfg(feature = "postgres")]
use drop_store_postgres::PostgresStore;
#[cfg(feature = "postgres")]
use secrecy::ExposeSecret;

use crate::settings::StoreSetting;

/// Opens it, whole, before anything is served.
pub(crate) async fn open(
    setting: &StoreSetting,
    pool_size: NonZeroU32,
) -> Result<Arc<dyn Store>, Box<dyn std::error::Error>> {
    match setting {
        StoreSetting::Memory => Ok(Arc::new(MemoryStore::new())),
        StoreSetting::File(directory) => {
            let directory = directory.clone();
            let store = tokio::task::spawn_blocking(move || FileStore::open(directory)).await??;
            Ok(Arc::new(store))
        }
        #[cfg(feature = "postgres")]
        StoreSetting::Postgres(url) => {
            let builder = PostgresStore::builder(url.expose_secret())?;
            Ok(Arc::new(builder.pool_size(pool_size.get()).connect().await?))
        }
        #[cfg(not(feature = "postgres"))]
        StoreSetting::Postgres(_) => Err("this shop was built without PostgreSQL".into()),
    }
}
