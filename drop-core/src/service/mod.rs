//! [`DropService`]: what an embedder holds.

mod answers;
mod builder;
mod drop_service;
mod reader;
mod seller;
mod shopper;

pub use answers::{Purchased, Released, Reserve, Reserved};
pub use builder::Builder;
pub use drop_service::DropService;
