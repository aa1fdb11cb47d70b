//! What a decision needs to know, loaded under the drop's lock.

use std::sync::Arc;

use crate::model::{
    DropId, DropTerms, Purchaser, Reservation, Revision, Timestamp, Units, User, VariantStock,
};

use super::Batch;

/// The user behind a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Who.
    pub user: User,
    /// Units of this drop bought so far, over all variants. Only looked at where the drop
    /// has a limit, or where a command of the batch amends it; a store need not count otherwise.
    pub bought: Units,
}

/// One drop as it stands under its lock, and the rows that a batch needs of it.
///
/// To be correct a store fills it so:
/// - everything is read after the lock is held, in a statement of its own;
/// - `as_of` is the store's time, read after the lock was obtained, and never before the
///   `as_of` of an earlier decision on this drop;
/// - `customers` has one entry per command of the batch: the user of its customer, `None` for an
///   unknown user or no customer. For [`Command::Reserve`](super::Command::Reserve) an unknown
///   user is created before the lock is taken, except where the ledger
///   [has nothing](Ledger::has_nothing_for) for the batch: a crowd that comes too late leaves
///   nothing behind;
/// - `rows` holds, in any order and without regard to repeats: the active reservations of
///   the customers; the reservations that the commands name, in any state; the oldest
///   [`Ledger::SETTLE_LIMIT`] active reservations that have lapsed at `as_of`; and for
///   [`Command::Forget`](super::Command::Forget) every reservation of that customer.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Which drop.
    pub drop_id: DropId,
    /// Its last committed change.
    pub revision: Revision,
    /// The time of the decision.
    pub as_of: Timestamp,
    /// Its terms.
    pub terms: Arc<DropTerms>,
    /// Its variants with their counters.
    pub variants: Vec<VariantStock>,
    /// The number that its next reservation gets, from 1.
    pub next_number: u32,
    /// Its newest purchasers, newest first. For a batch that forgets somebody, also the
    /// newest ones that are not forgotten.
    pub recent: Vec<Purchaser>,
    /// The user of each command.
    pub customers: Vec<Option<Customer>>,
    /// The rows that the batch needs.
    pub rows: Vec<Reservation>,
    /// Whether more holds have lapsed than were loaded.
    pub more_lapsed: bool,
}

impl Ledger {
    /// The most lapsed holds that one batch settles, so that a hundred thousand holds that
    /// lapse in one second do not keep a caller waiting.
    pub const SETTLE_LIMIT: usize = 1024;

    /// Whether no command of a batch can get a unit: none is available, none becomes so by
    /// settling what has lapsed, and the batch itself frees none. Looks at the rows and the
    /// variants, not at the customers, who need not be users then.
    #[must_use]
    pub fn has_nothing_for(&self, batch: &Batch) -> bool {
        let available = self.variants.iter().any(|variant| !variant.stock.available().is_zero());
        let has_lapsed =
            |row: &Reservation| row.into_hold().is_some_and(|hold| !hold.is_valid(self.as_of));
        batch.frees_nothing() && !available && !self.rows.iter().any(has_lapsed)
    }
}
