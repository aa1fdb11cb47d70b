//! The shapes of the wire: camelCase JSON, as the contract has it.

mod admin;
mod audits;
mod drops;
mod events;
mod field;
mod purchases;
mod reservations;
mod shopper;
mod text;

pub(crate) use admin::{AmendBody, CreateBody};
pub(crate) use audits::AuditView;
pub(crate) use drops::{DropAnswer, DropView, DropsView};
pub(crate) use events::{Deleted, DropNews, PurchaseCompleted, SoldOut, StockUpdated};
pub(crate) use purchases::{PurchaseAnswer, PurchaseView, PurchasesView};
pub(crate) use reservations::{
    ActiveView, HeldView, HoldsView, ReleaseAnswer, ReservationView, ReserveAnswer,
};
pub(crate) use shopper::{PurchaseBody, ReserveBody};
