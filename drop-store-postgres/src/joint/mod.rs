//! Several drops in one transaction, where their batches would wait for a connection each.
//!
//! A transaction has a cost of its own, whatever it writes: three messages, a flush, the start and
//! end of each statement. A hot drop shares it among its batch; where a crowd is spread over more
//! drops than there are connections, nobody would. So a connection that becomes free takes all
//! of them along who wait for one.
//!
//! Nobody waits for a drop that he does not want: a lock that is not free is not waited for, a drop
//! with many holds to load is left out, and each of these batches goes by itself. So does each
//! batch of a transaction that fails before its COMMIT, with the retries and the answers of its
//! own. What fails at the COMMIT is unknown for all of them.

pub(crate) mod sql;
pub(crate) mod waiting;

mod flow;
mod follow;
mod load;
mod met;
mod opening;
mod ticket;
mod write;
