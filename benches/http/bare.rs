//! What is measured beside: axum with nothing around it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, body::Bytes};
use serde::{Deserialize, Serialize};

/// A shop of one drop that keeps no promise but its stock: no deadline, no durability, no feed.
#[derive(Clone, Debug)]
pub(crate) struct Bare(Arc<Mutex<Stock>>);

#[derive(Debug)]
struct Stock {
    available: u64,
    holders: HashMap<String, u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ask {
    drop_id: u64,
    username: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    success: bool,
    reservation: Reservation,
    version: u64,
    server_time: &'static str,
}

/// As many bytes as the real one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reservation {
    id: u64,
    drop_id: u64,
    user_id: u64,
    status: &'static str,
    expires_at: &'static str,
    created_at: &'static str,
    updated_at: &'static str,
    quantity: u32,
    variant: Option<String>,
    price: &'static str,
}

#[derive(Serialize)]
struct Refusal {
    success: bool,
    error: &'static str,
    message: &'static str,
}

const MOMENT: &str = "2026-01-01T12:00:00.000Z";

impl Bare {
    pub(crate) fn new(available: u64) -> Self {
        Self(Arc::new(Mutex::new(Stock { available, holders: HashMap::new() })))
    }

    /// `POST /api/reservations`: a mutex and a map.
    pub(crate) fn router(self) -> Router {
        Router::new().route("/api/reservations", post(reserve)).with_state(self)
    }
}

async fn reserve(State(bare): State<Bare>, Json(ask): Json<Ask>) -> Response {
    let id = {
        let mut stock = bare.0.lock().expect("not poisoned");
        match stock.available.checked_sub(1) {
            Some(rest) => {
                stock.available = rest;
                let id = u64::try_from(stock.holders.len()).unwrap_or_default();
                stock.holders.insert(ask.username, id);
                Some(id)
            }
            None => None,
        }
    };
    let Some(id) = id else {
        let message = "This item is sold out";
        let refusal = Refusal { success: false, error: "OUT_OF_STOCK", message };
        return (StatusCode::CONFLICT, Json(refusal)).into_response();
    };
    let reservation = Reservation {
        id: (ask.drop_id << 29) + id,
        drop_id: ask.drop_id,
        user_id: id,
        status: "active",
        expires_at: MOMENT,
        created_at: MOMENT,
        updated_at: MOMENT,
        quantity: 1,
        variant: None,
        price: "149.99",
    };
    let answer = Answer { success: true, reservation, version: id, server_time: MOMENT };
    (StatusCode::CREATED, Json(answer)).into_response()
}

/// `GET /api/drops`: these bytes, and 304 for who has them.
pub(crate) fn bytes(body: String, tag: HeaderValue) -> Router {
    let shared = (Bytes::from(body), tag);
    let answer = |State((body, tag)): State<(Bytes, HeaderValue)>, headers: HeaderMap| async move {
        if headers.get(IF_NONE_MATCH) == Some(&tag) {
            return (StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response();
        }
        let json = HeaderValue::from_static("application/json");
        ([(CONTENT_TYPE, json), (ETAG, tag)], body).into_response()
    };
    Router::new().route("/api/drops", get(answer)).with_state(shared)
}
