//! How often a transaction is run again, and after which pause.

use std::time::Duration;

use drop_core::StoreError;

use crate::fault::Fault;

/// The tries of one transaction so far.
#[derive(Debug)]
pub(crate) struct Tries {
    conflicts: u32,
    stale: u32,
    stale_limit: u32,
}

impl Tries {
    /// So often a transaction runs that others undo, or whose users others delete.
    const CONFLICTS: u32 = 5;
    /// The pause after the first conflict; each later one is twice as long, and each is
    /// shortened at random by up to a half, so that two do not meet again.
    const PAUSE: Duration = Duration::from_millis(4);

    /// `pool_size` connections may have died at once, when their server did.
    pub(crate) const fn new(pool_size: u32) -> Self {
        Self { conflicts: 0, stale: 0, stale_limit: pool_size.saturating_add(1) }
    }

    /// Returns when the transaction may run again.
    ///
    /// # Errors
    /// The fault, when it was the last try, or trying again would not help. A lock that was
    /// not had in time is not tried for again: the caller has waited for it already.
    pub(crate) async fn again(&mut self, fault: Fault) -> Result<(), StoreError> {
        let (count, limit) = match &fault {
            Fault::Conflict(_) | Fault::UserGone(_) | Fault::Unmet(_) => {
                (&mut self.conflicts, Self::CONFLICTS)
            }
            Fault::Stale(_) => (&mut self.stale, self.stale_limit),
            Fault::Locked(_) | Fault::Final(_) => return Err(fault.into()),
        };
        *count = count.saturating_add(1);
        if *count >= limit {
            return Err(fault.into());
        }
        if !matches!(fault, Fault::Stale(_)) {
            let pause = Self::PAUSE.saturating_mul(1 << self.conflicts.saturating_sub(1).min(8));
            tokio::time::sleep(pause.mul_f64(1.0 - fastrand::f64() / 2.0)).await;
        }
        Ok(())
    }
}
