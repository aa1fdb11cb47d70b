//! A drop on the wire.

use std::collections::HashMap;

use drop_core::model::{
    DropId, DropSnapshot, DropStatus, Purchaser, Reservation, Stock, Timestamp, Units, VariantName,
    VariantStock,
};
use serde::Serialize;

use super::text::{text, text_or_null};

/// `Drop` of the contract.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DropView<'a> {
    id: i64,
    name: &'a str,
    #[serde(serialize_with = "text")]
    price: drop_core::model::Price,
    total_stock: u32,
    available_stock: u32,
    #[serde(serialize_with = "text")]
    starts_at: Timestamp,
    #[serde(serialize_with = "text_or_null")]
    ends_at: Option<Timestamp>,
    #[serde(serialize_with = "text")]
    created_at: Timestamp,
    #[serde(serialize_with = "text")]
    updated_at: Timestamp,
    top_purchasers: Vec<PurchaserView<'a>>,
    user_reservation: Option<OwnHold<'a>>,
    status: &'static str,
    held_stock: u32,
    sold_count: u32,
    version: u64,
    max_per_customer: Option<u32>,
    variants: Vec<VariantView<'a>>,
}

impl<'a> DropView<'a> {
    /// The drop as it stands at `as_of`, for nobody in particular.
    pub(crate) fn new(snapshot: &'a DropSnapshot, as_of: Timestamp) -> Self {
        let stock = snapshot.stock();
        Self {
            id: snapshot.id.get(),
            name: snapshot.terms.name.as_str(),
            price: snapshot.terms.price,
            total_stock: stock.total().get(),
            available_stock: stock.available().get(),
            starts_at: snapshot.terms.window.starts_at(),
            ends_at: snapshot.terms.window.ends_at(),
            created_at: snapshot.created_at,
            updated_at: snapshot.updated_at,
            top_purchasers: PurchaserView::all(&snapshot.recent),
            user_reservation: None,
            status: status_word(snapshot.status(as_of)),
            held_stock: stock.held().get(),
            sold_count: stock.sold().get(),
            version: snapshot.revision.get(),
            max_per_customer: snapshot.terms.limit.map(Units::get),
            variants: VariantView::all(&snapshot.variants),
        }
    }

    /// With the hold of the one who asks.
    pub(crate) fn held_by(mut self, own: Option<Reservation>) -> Self {
        self.user_reservation = own.map(|hold| OwnHold {
            id: hold.id().get(),
            expires_at: hold.expires_at(),
            quantity: hold.claim().quantity.get(),
            variant: self.variants.get(hold.claim().variant.index()).and_then(|own| own.name),
            price: hold.claim().price,
        });
        self
    }
}

/// A list of drops.
#[derive(Debug, Serialize)]
pub(crate) struct DropsView<'a> {
    drops: Vec<DropView<'a>>,
}

impl<'a> DropsView<'a> {
    /// Each as it stood when it was read, with the holds of the one who asks.
    pub(crate) fn new(
        snapshots: &'a [DropSnapshot],
        mut own: HashMap<DropId, Reservation>,
    ) -> Self {
        let each = snapshots.iter().map(|snapshot| {
            DropView::new(snapshot, snapshot.as_of).held_by(own.remove(&snapshot.id))
        });
        Self { drops: each.collect() }
    }
}

/// `Drop`, as the answer to a write.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DropAnswer<'a> {
    #[serde(flatten)]
    drop_view: DropView<'a>,
    #[serde(serialize_with = "text")]
    server_time: Timestamp,
}

impl<'a> DropAnswer<'a> {
    pub(crate) fn new(snapshot: &'a DropSnapshot) -> Self {
        let drop_view = DropView::new(snapshot, snapshot.as_of);
        Self { drop_view, server_time: snapshot.as_of }
    }
}

/// `userReservation`: enough to go on with a hold after a reload.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OwnHold<'a> {
    id: i64,
    #[serde(serialize_with = "text")]
    expires_at: Timestamp,
    quantity: u32,
    variant: Option<&'a str>,
    #[serde(serialize_with = "text")]
    price: drop_core::model::Price,
}

/// One of `topPurchasers`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PurchaserView<'a> {
    username: &'a str,
    #[serde(serialize_with = "text")]
    purchased_at: Timestamp,
}

impl<'a> PurchaserView<'a> {
    pub(crate) fn all(purchasers: &'a [Purchaser]) -> Vec<Self> {
        purchasers
            .iter()
            .map(|purchaser| Self {
                username: purchaser.username.as_str(),
                purchased_at: purchaser.purchased_at,
            })
            .collect()
    }
}

/// One of `variants`; a plain drop has one whose name is `null`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VariantView<'a> {
    name: Option<&'a str>,
    total_stock: u32,
    available_stock: u32,
    held_stock: u32,
    sold_count: u32,
}

impl<'a> VariantView<'a> {
    pub(crate) fn new(name: Option<&'a str>, stock: Stock) -> Self {
        Self {
            name,
            total_stock: stock.total().get(),
            available_stock: stock.available().get(),
            held_stock: stock.held().get(),
            sold_count: stock.sold().get(),
        }
    }

    pub(crate) fn all(variants: &'a [VariantStock]) -> Vec<Self> {
        variants
            .iter()
            .map(|variant| Self::new(variant.name.as_ref().map(VariantName::as_str), variant.stock))
            .collect()
    }
}

fn status_word(status: DropStatus) -> &'static str {
    match status {
        DropStatus::Upcoming => "upcoming",
        DropStatus::Open => "open",
        DropStatus::SoldOut => "soldOut",
        DropStatus::Ended => "ended",
    }
}
