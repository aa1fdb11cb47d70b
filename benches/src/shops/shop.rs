//! [`Shop`]: whoever sells a stock, ours or a baseline; and [`Contender`], one of them in a race.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use crate::load::{Answered, load};

/// Somebody who sells drops.
///
/// Clones are one shop. All of it panics where the shop fails: a bench has nothing to say then.
pub trait Shop: Clone + Send + Sync + 'static {
    /// Its name in a table.
    fn series(&self) -> &'static str;

    /// A new drop with so many units.
    fn open(&self, stock: u32) -> impl Future<Output = i64> + Send;

    /// Holds a unit for a customer; nothing where it is sold out.
    fn reserve(&self, drop_id: i64, username: String) -> impl Future<Output = Option<i64>> + Send;

    /// How many units are held, counted from the rows.
    fn held(&self, drop_id: i64) -> impl Future<Output = u64> + Send;
}

/// A [`Shop`] of any kind, asked by a crowd.
#[async_trait]
pub trait Contender: Send + Sync {
    /// Its name in a table.
    fn series(&self) -> &'static str;

    /// A new drop with so many units.
    async fn open(&self, stock: u32) -> i64;

    /// Reserves by `callers` at a time, each of a new customer, dealt to the drops in turn. The
    /// answers are the numbers of the holds; nothing where it was sold out.
    async fn crowd(&self, callers: usize, drops: &[i64], reserves: usize) -> Answered<Option<i64>>;

    /// How many units are held, counted from the rows.
    async fn held(&self, drop_id: i64) -> u64;
}

#[async_trait]
impl<S: Shop> Contender for S {
    fn series(&self) -> &'static str {
        Shop::series(self)
    }

    async fn open(&self, stock: u32) -> i64 {
        Shop::open(self, stock).await
    }

    async fn crowd(&self, callers: usize, drops: &[i64], reserves: usize) -> Answered<Option<i64>> {
        let asks = drops.iter().copied().cycle().zip(usernames(reserves)).collect();
        let shop = self.clone();
        load(callers, asks, move |(drop_id, username)| {
            let shop = shop.clone();
            async move { shop.reserve(drop_id, username).await }
        })
        .await
    }

    async fn held(&self, drop_id: i64) -> u64 {
        Shop::held(self, drop_id).await
    }
}

/// Names that nobody had yet in this process.
#[must_use]
pub fn usernames(count: usize) -> Vec<String> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let first = NEXT.fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
    (first..).take(count).map(|number| format!("u{number:09}")).collect()
}
