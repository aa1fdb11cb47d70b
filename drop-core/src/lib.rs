//! Placeholder.
mod clock;
mod error;
pub mod model;
pub mod rules;
mod runtime;
mod service;
pub mod store;
mod sync;

pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{Cause, ServiceError, StoreError};
pub use rules::{Amendment, Audit, Rejection};
pub use runtime::{Update, Updates, Workers};
pub use service::{Builder, DropService, Purchased, Released, Reserve, Reserved};
pub use store::Store;
