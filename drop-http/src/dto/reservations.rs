//! Reservations on the wire.

use drop_core::model::{Price, Reservation, Status, Timestamp};
use drop_core::store::Held;
use serde::Serialize;

use super::text::text;

/// `Reservation` of the contract.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReservationView {
    id: i64,
    drop_id: i64,
    user_id: i64,
    status: &'static str,
    #[serde(serialize_with = "text")]
    expires_at: Timestamp,
    #[serde(serialize_with = "text")]
    created_at: Timestamp,
    #[serde(serialize_with = "text")]
    updated_at: Timestamp,
    quantity: u32,
    variant: Option<String>,
    #[serde(serialize_with = "text")]
    price: Price,
}

impl ReservationView {
    pub(crate) fn new(reservation: &Reservation, variant: Option<String>) -> Self {
        let claim = reservation.claim();
        Self {
            id: reservation.id().get(),
            drop_id: reservation.id().drop_id().get(),
            user_id: claim.user_id.get(),
            status: reservation.status().as_str(),
            expires_at: reservation.expires_at(),
            created_at: claim.created_at,
            updated_at: reservation.updated_at(),
            quantity: claim.quantity.get(),
            variant,
            price: claim.price,
        }
    }
}

/// The answer to `POST /api/reservations`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReserveAnswer {
    pub(crate) success: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) extended: bool,
    pub(crate) reservation: ReservationView,
    pub(crate) version: u64,
    #[serde(serialize_with = "text")]
    pub(crate) server_time: Timestamp,
}

/// The answer to `DELETE /api/reservations/{id}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReleaseAnswer {
    pub(crate) success: bool,
    pub(crate) version: u64,
    #[serde(serialize_with = "text")]
    pub(crate) server_time: Timestamp,
}

/// The answer to `GET /api/reservations/{id}` while it is active.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ActiveView {
    id: i64,
    drop_id: i64,
    status: &'static str,
    #[serde(serialize_with = "text")]
    expires_at: Timestamp,
    user_id: i64,
}

impl ActiveView {
    pub(crate) fn new(reservation: &Reservation) -> Self {
        Self {
            id: reservation.id().get(),
            drop_id: reservation.id().drop_id().get(),
            status: Status::Active.as_str(),
            expires_at: reservation.expires_at(),
            user_id: reservation.claim().user_id.get(),
        }
    }
}

/// One live hold, as the seller sees it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HeldView {
    username: String,
    #[serde(flatten)]
    reservation: ReservationView,
}

impl HeldView {
    pub(crate) fn new(held: &Held, variant: Option<String>) -> Self {
        Self {
            username: held.username.as_str().to_owned(),
            reservation: ReservationView::new(&held.reservation, variant),
        }
    }
}

/// A list of live holds.
#[derive(Debug, Serialize)]
pub(crate) struct HoldsView {
    pub(crate) reservations: Vec<HeldView>,
}
