//! What is sold.

use drop_core::model::{DropTerms, HoldPolicy, NewDrop, Units};

/// Stock for everybody.
pub const STOCK: u32 = 500_000_000;

/// A plain drop with stock for everybody.
///
/// # Panics
/// Never: the terms are constant.
#[must_use]
pub fn new_drop(hold: HoldPolicy) -> NewDrop {
    drop_of(STOCK, hold)
}

/// A plain drop with so many units.
///
/// # Panics
/// Where they are more than a drop can have.
#[must_use]
pub fn drop_of(stock: u32, hold: HoldPolicy) -> NewDrop {
    let terms = DropTerms::new("Air One", "149.99", hold).expect("terms");
    NewDrop::plain(terms, Units::new(i64::from(stock)).expect("units")).expect("a drop")
}
