//! What the crate's own tests speak of.

use drop_core::model::{DropName, DropTerms, HoldPolicy, Window};

/// The terms of a drop: holds of a minute, no limit, always open.
pub(crate) fn terms() -> DropTerms {
    DropTerms {
        name: DropName::new("Sneaker").unwrap(),
        price: "150.00".parse().unwrap(),
        window: Window::always(),
        limit: None,
        hold: HoldPolicy::seconds(60),
    }
}
