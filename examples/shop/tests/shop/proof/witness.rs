//! A client whose every call and answer is written down.

use drop_core::conformance::history::{Answer, Ask, Recorder, Ticket};
use drop_core::model::{DropId, ReservationId, Revision, Timestamp, UserId, Username};
use drop_core::rules::Change;
use drop_core::{Rejection, Store};
use serde_json::Value;
use std::sync::Arc;

use crate::support;

/// A client of one shop that writes into a history; histories may be shared by the clients of
/// several shops.
#[derive(Clone, Debug)]
pub(crate) struct Witness {
    api: support::Api,
    recorder: Recorder,
}

/// What an answer said, and what the history has of it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// The status; `None` where the connection broke.
    pub(crate) status: Option<u16>,
    /// The word of an error, else nothing.
    pub(crate) error: String,
    /// What went into the history.
    pub(crate) answer: Answer,
}

impl Told {
    /// The hold that it tells of.
    pub(crate) const fn reservation(&self) -> Option<ReservationId> {
        match self.answer {
            Answer::Reserved { reservation, .. } => Some(reservation),
            _ => None,
        }
    }
}

impl Witness {
    pub(crate) fn new(api: support::Api, recorder: &Recorder) -> Self {
        Self { api, recorder: recorder.clone() }
    }

    /// Reserves one unit.
    pub(crate) async fn reserve(&self, drop_id: DropId, name: &str) -> Told {
        let ticket = self.begin_reserve(drop_id, name);
        let answer = self.api.reserve(drop_id.get(), name).await;
        self.end(ticket, answer, reserved)
    }

    /// A reserve of one unit that is sent by other means than this client's.
    pub(crate) fn begin_reserve(&self, drop_id: DropId, name: &str) -> Ticket {
        let ask = Ask::Reserve { drop_id, username: username(name), variant: None, quantity: 1 };
        self.recorder.begin(ask)
    }

    /// Its answer.
    pub(crate) fn end_reserve(&self, ticket: Ticket, answer: support::Answer) -> Told {
        self.end(ticket, Ok(answer), reserved)
    }

    /// Buys what a hold holds.
    pub(crate) async fn purchase(&self, id: ReservationId, name: &str) -> Told {
        let ask = Ask::Purchase { reservation: id, username: username(name) };
        let ticket = self.recorder.begin(ask);
        let answer = self.api.purchase(id.get(), name).await;
        let repeated = answer.as_ref().is_ok_and(|answer| answer.status == 200);
        self.end(ticket, answer, |body| {
            let bought = &body["purchase"];
            Answer::Purchased {
                reservation: reservation(&bought["reservationId"]),
                user_id: user(bought),
                quantity: quantity(bought),
                repeated,
                revision: revision(body),
            }
        })
    }

    /// Gives a hold back.
    pub(crate) async fn release(&self, id: ReservationId, name: &str) -> Told {
        let ask = Ask::Release { reservation: id, username: Some(username(name)) };
        let ticket = self.recorder.begin(ask);
        let path = format!("/api/reservations/{id}?username={name}");
        let answer = self.api.ask(reqwest::Method::DELETE, &path, None).await;
        self.end(ticket, answer, |body| Answer::Released {
            reservation: id,
            revision: revision(body),
        })
    }

    /// Reads the counts.
    pub(crate) async fn read(&self, drop_id: DropId) -> Told {
        let ticket = self.recorder.begin(Ask::Read { drop_id });
        let path = format!("/api/drops/{drop_id}");
        let answer = self.api.ask(reqwest::Method::GET, &path, None).await;
        self.end(ticket, answer, |body| Answer::Stock {
            available: count(&body["availableStock"]),
            held: count(&body["heldStock"]),
            sold: count(&body["soldCount"]),
            revision: revision(body),
        })
    }

    fn end(
        &self,
        ticket: Ticket,
        answer: Result<support::Answer, reqwest::Error>,
        done: impl FnOnce(&Value) -> Answer,
    ) -> Told {
        let told = match answer {
            Ok(answer) if answer.status < 300 => Told {
                status: Some(answer.status),
                error: String::new(),
                answer: done(&answer.body),
            },
            Ok(answer) => {
                let error = answer.body["error"].as_str().unwrap_or_default().to_owned();
                let answer_kept = refused(&error);
                Told { status: Some(answer.status), error, answer: answer_kept }
            }
            Err(_) => Told { status: None, error: String::new(), answer: Answer::Unknown },
        };
        self.recorder.end(ticket, told.answer.clone());
        told
    }
}

/// What the answer to a reserve says for the history.
fn reserved(body: &Value) -> Answer {
    let held = &body["reservation"];
    Answer::Reserved {
        reservation: reservation(&held["id"]),
        user_id: user(held),
        quantity: quantity(held),
        expires_at: time(&held["expiresAt"]),
        extended: body["extended"] == true,
        revision: revision(body),
    }
}

/// What an error's word says for the history. A 503 does not say whether a commit whose answer
/// was lost stands behind it.
fn refused(error: &str) -> Answer {
    Answer::Refused(match error {
        "OUT_OF_STOCK" => Rejection::OutOfStock,
        "LIMIT_REACHED" => Rejection::LimitReached,
        "ALREADY_HOLDING" => Rejection::AlreadyHolding,
        "DROP_NOT_ACTIVE" => Rejection::NotActive,
        "DROP_NOT_FOUND" => Rejection::DropNotFound,
        "RESERVATION_NOT_FOUND" | "NOT_FOUND" => Rejection::ReservationNotFound,
        "RESERVATION_EXPIRED" | "EXPIRED" => Rejection::ReservationExpired,
        "UNAUTHORIZED" => Rejection::NotYours,
        "ALREADY_PURCHASED" => Rejection::AlreadyPurchased,
        "CONCURRENT_UPDATE" | "RATE_LIMIT" => return Answer::NotDone,
        _ => return Answer::Unknown,
    })
}

/// The whole feed of a drop, from its creation.
pub(crate) async fn feed(store: &dyn Store, drop_id: DropId) -> Vec<Arc<Change>> {
    store.changes(drop_id, Revision::ZERO, 1_000_000).await.expect("the feed is read")
}

fn username(name: &str) -> Username {
    name.parse().expect("a username")
}

fn reservation(value: &Value) -> ReservationId {
    value.as_i64().and_then(|id| ReservationId::from_i64(id).ok()).expect("a reservation's id")
}

fn user(row: &Value) -> UserId {
    row["userId"].as_i64().and_then(|id| UserId::new(id).ok()).expect("a user's id")
}

fn quantity(row: &Value) -> u32 {
    count(&row["quantity"])
}

fn count(value: &Value) -> u32 {
    value.as_u64().and_then(|count| u32::try_from(count).ok()).expect("a count")
}

fn time(value: &Value) -> Timestamp {
    value.as_str().and_then(|text| Timestamp::parse_rfc3339(text).ok()).expect("a time")
}

fn revision(body: &Value) -> Revision {
    Revision::new(body["version"].as_u64().expect("a version"))
}
