//! The locks of the parts that models run through every order of threads.

#[cfg(drop_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
#[cfg(drop_shuttle)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
#[cfg(not(any(drop_loom, drop_shuttle)))]
pub(crate) use std::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

#[cfg(all(drop_loom, any(test, feature = "journal")))]
pub(crate) use loom::sync::Condvar;
#[cfg(all(drop_shuttle, any(test, feature = "journal")))]
pub(crate) use shuttle::sync::Condvar;
#[cfg(all(not(any(drop_loom, drop_shuttle)), any(test, feature = "journal")))]
pub(crate) use std::sync::Condvar;
