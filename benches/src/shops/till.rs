//! [`Till`]: a shop that sells what is held.

use super::shop::Shop;

/// A shop that also sells what is held.
pub trait Till: Shop {
    /// Buys a hold, for the one who has it.
    fn purchase(&self, drop_id: i64, hold: i64, username: &str) -> impl Future<Output = ()> + Send;

    /// How many units were bought, counted from the rows.
    fn sold(&self, drop_id: i64) -> impl Future<Output = u64> + Send;
}
