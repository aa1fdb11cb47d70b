//! The payloads of events: the same on each transport.

use drop_core::model::{DropId, DropSnapshot, Revision, Timestamp, Username};
use serde::Serialize;

use super::drops::{DropView, PurchaserView, VariantView};

/// `stockUpdated`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StockUpdated<'a> {
    drop_id: i64,
    available_stock: u32,
    held_stock: u32,
    sold_count: u32,
    version: u64,
    variants: Vec<VariantView<'a>>,
}

impl<'a> StockUpdated<'a> {
    pub(crate) fn new(snapshot: &'a DropSnapshot) -> Self {
        let stock = snapshot.stock();
        Self {
            drop_id: snapshot.id.get(),
            available_stock: stock.available().get(),
            held_stock: stock.held().get(),
            sold_count: stock.sold().get(),
            version: snapshot.revision.get(),
            variants: VariantView::all(&snapshot.variants),
        }
    }
}

/// `purchaseCompleted`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PurchaseCompleted<'a> {
    drop_id: i64,
    username: &'a str,
    top_purchasers: Vec<PurchaserView<'a>>,
    version: u64,
}

impl<'a> PurchaseCompleted<'a> {
    pub(crate) fn new(snapshot: &'a DropSnapshot, buyer: &'a Username) -> Self {
        Self {
            drop_id: snapshot.id.get(),
            username: buyer.as_str(),
            top_purchasers: PurchaserView::all(&snapshot.recent),
            version: snapshot.revision.get(),
        }
    }
}

/// `dropChanged`, `dropOpened` and `dropEnded`: with the drop as it is then.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DropNews<'a> {
    drop_id: i64,
    version: u64,
    #[serde(rename = "drop")]
    drop_view: DropView<'a>,
}

impl<'a> DropNews<'a> {
    pub(crate) fn new(snapshot: &'a DropSnapshot, as_of: Timestamp) -> Self {
        Self {
            drop_id: snapshot.id.get(),
            version: snapshot.revision.get(),
            drop_view: DropView::new(snapshot, as_of),
        }
    }
}

/// `dropSoldOut`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SoldOut {
    drop_id: i64,
    version: u64,
}

impl SoldOut {
    pub(crate) fn new(snapshot: &DropSnapshot) -> Self {
        Self { drop_id: snapshot.id.get(), version: snapshot.revision.get() }
    }
}

/// `dropChanged` of a drop that is gone; its last version, if anybody here ever saw one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deleted {
    drop_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    deleted: bool,
}

impl Deleted {
    pub(crate) fn new(drop_id: DropId, last: Option<Revision>) -> Self {
        Self { drop_id: drop_id.get(), version: last.map(Revision::get), deleted: true }
    }
}
