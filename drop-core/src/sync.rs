//! The locks and shared pointers of the parts that models run through every order of threads.

#[cfg(drop_loom)]
pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};
#[cfg(drop_shuttle)]
pub(crate) use shuttle::sync::{Arc, Mutex, MutexGuard};
#[cfg(not(any(drop_loom, drop_shuttle)))]
pub(crate) use std::sync::{Arc, Mutex, MutexGuard};
