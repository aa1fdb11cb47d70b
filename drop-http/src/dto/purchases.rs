//! Purchases on the wire.

use drop_core::model::{Amount, Purchase, Timestamp, Username};
use serde::Serialize;

use super::text::text;

/// `Purchase` of the contract.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PurchaseView {
    id: i64,
    drop_id: i64,
    user_id: i64,
    reservation_id: i64,
    #[serde(serialize_with = "text")]
    amount_paid: Amount,
    #[serde(serialize_with = "text")]
    created_at: Timestamp,
    #[serde(serialize_with = "text")]
    updated_at: Timestamp,
    user: Buyer,
    #[serde(rename = "User")]
    user_as_the_seed_spells_it: Buyer,
    quantity: u32,
    variant: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Buyer {
    username: String,
}

impl PurchaseView {
    pub(crate) fn new(purchase: &Purchase, username: &Username, variant: Option<String>) -> Self {
        let buyer = Buyer { username: username.as_str().to_owned() };
        Self {
            id: purchase.id.get(),
            drop_id: purchase.id.drop_id().get(),
            user_id: purchase.user_id.get(),
            reservation_id: purchase.id.get(),
            amount_paid: purchase.amount_paid,
            created_at: purchase.purchased_at,
            updated_at: purchase.purchased_at,
            user: buyer.clone(),
            user_as_the_seed_spells_it: buyer,
            quantity: purchase.quantity.get(),
            variant,
        }
    }
}

/// The answer to `POST /api/purchases`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PurchaseAnswer {
    pub(crate) success: bool,
    pub(crate) purchase: PurchaseView,
    pub(crate) version: u64,
    #[serde(serialize_with = "text")]
    pub(crate) server_time: Timestamp,
}

/// A list of purchases.
#[derive(Debug, Serialize)]
pub(crate) struct PurchasesView {
    pub(crate) purchases: Vec<PurchaseView>,
}
