//! The mutex of the parts that loom models.

#[cfg(drop_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(drop_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};
