//! The one table from refusals and faults to answers on the wire.

use std::borrow::Cow;
use std::error::Error;
use std::time::Instant;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use drop_core::{Rejection, ServiceError, StoreError};
use serde::Serialize;

use crate::outage::Outage;

/// What the request was about, where the same refusal has another name on another route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// A drop, or reserving one.
    Drop,
    /// A reservation, read or released.
    Reservation,
    /// A purchase.
    Purchase,
    /// A user.
    User,
}

/// The word for an answer, in metrics: never made from what a client sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome(pub(crate) &'static str);

/// A refusal or a fault: RFC 9457, with the seed's fields as members.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    retry_after_seconds: Option<u64>,
}

impl Problem {
    pub(crate) const REQUIRED_TO_RESERVE: &'static str = "dropId and username are required";
    pub(crate) const REQUIRED_TO_PURCHASE: &'static str = "reservationId and username are required";
    pub(crate) const REQUIRED_TO_CREATE: &'static str = "name, price, and totalStock are required";
    /// The longest text of a client that a message repeats.
    const MAX_MESSAGE_CHARS: usize = 300;

    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, code, message: message.into(), retry_after_seconds: None }
    }

    /// 400: what was sent cannot be meant.
    pub(crate) fn validation(message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        let message = match message.char_indices().nth(Self::MAX_MESSAGE_CHARS) {
            Some((end, _)) => Cow::Owned(message.chars().take(end).collect()),
            None => message,
        };
        Self::new(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", message)
    }

    /// 401: no admin key, or another one.
    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "Invalid or missing API key")
    }

    /// 503: come back in a moment.
    pub(crate) fn busy() -> Self {
        let message = "The service is busy. Please try again in a moment.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "BUSY", message).retry_after(1)
    }

    /// 429: too many of one address.
    pub(crate) fn rate_limit(retry_after_seconds: u64) -> Self {
        let message = "Too many requests. Please try again later.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT", message)
            .retry_after(retry_after_seconds)
    }

    /// 404: no route, or a path that names nothing.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing here")
    }

    /// 405; axum adds `Allow`.
    pub(crate) fn method_not_allowed() -> Self {
        let message = "This method is not allowed here";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)
    }

    /// 500, and nothing of what is inside.
    pub(crate) fn internal() -> Self {
        let message = "Something went wrong. Please try again later.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", message)
    }

    /// The answer to what the service said.
    pub(crate) fn of(about: About, error: &ServiceError) -> Self {
        match error {
            ServiceError::Rejected(rejection) => Self::refusal(about, rejection),
            ServiceError::Busy => Self::busy(),
            ServiceError::Closed => Self::busy().retry_after(5),
            ServiceError::Store(fault) => Self::fault(fault),
            other => {
                tracing::error!(error = %other, "an error that the table does not know");
                Self::internal()
            }
        }
    }

    /// An answer by the rules.
    pub(crate) fn refusal(about: About, rejection: &Rejection) -> Self {
        use Rejection as R;
        let (status, code) = match (rejection, about) {
            (R::DropNotFound, _) => (404, "DROP_NOT_FOUND"),
            (R::NotActive, _) => (400, "DROP_NOT_ACTIVE"),
            (R::OutOfStock, _) => (409, "OUT_OF_STOCK"),
            (R::LimitReached, _) => (409, "LIMIT_REACHED"),
            (R::AlreadyHolding, _) => (409, "ALREADY_HOLDING"),
            (R::InvalidUsername(_), _) => (400, "INVALID_USERNAME"),
            (R::ReservationNotFound, About::Purchase) => (410, "RESERVATION_NOT_FOUND"),
            (R::ReservationNotFound, _) => (404, "NOT_FOUND"),
            (R::ReservationExpired, About::Purchase) => (410, "RESERVATION_EXPIRED"),
            (R::ReservationExpired, _) => (410, "EXPIRED"),
            (R::NotYours, _) => (403, "UNAUTHORIZED"),
            (R::AlreadyPurchased, _) => (409, "ALREADY_PURCHASED"),
            (R::StockBelowCommitted, _) => (409, "STOCK_BELOW_COMMITTED"),
            (R::HasSales, About::User) => (409, "USER_HAS_SALES"),
            (R::HasSales, _) => (409, "DROP_HAS_SALES"),
            (R::UserNotFound, _) => (404, "USER_NOT_FOUND"),
            (R::Stale, _) => (412, "PRECONDITION_FAILED"),
            (R::NumbersUsedUp, _) => (409, "NUMBERS_USED_UP"),
            // VariantRequired, UnknownVariant, NoQuantity, InvalidTerms, and whatever rule
            // comes later: the request has to change before it can succeed.
            _ => (400, "VALIDATION_ERROR"),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        Self::new(status, code, rejection.to_string())
    }

    fn fault(fault: &StoreError) -> Self {
        match fault {
            StoreError::Contended(_) => {
                let message = "Another user just took this item. Please try again.";
                Self::new(StatusCode::CONFLICT, "CONCURRENT_UPDATE", message)
            }
            StoreError::Unavailable(_) | StoreError::Unknown(_) => {
                // Of a batch the service has said so; of what is read, created or deleted
                // nobody else does.
                OUTAGE.tell(&chain(fault), Instant::now());
                Self::busy().retry_after(2)
            }
            fault => {
                tracing::error!(error = %chain(fault), "the store failed");
                Self::internal()
            }
        }
    }

    /// Says when to come back.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The word for it.
    #[cfg(test)]
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }
}

/// Of all requests together, since they fail together.
static OUTAGE: Outage = Outage::new();

/// An error with its causes, for the log.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[derive(Serialize)]
struct ProblemBody<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    success: bool,
    error: &'static str,
    message: &'a str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.message,
            success: false,
            error: self.code,
            message: &self.message,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        let problem = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, problem);
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(Outcome(self.code));
        response
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use drop_core::model::{InvalidTerms, InvalidUsername};
    use drop_core::{Rejection, ServiceError, StoreError};

    use super::{About, Problem};

    fn row(about: About, rejection: Rejection) -> (u16, &'static str, String) {
        let problem = Problem::of(about, &rejection.into());
        (problem.status.as_u16(), problem.code(), problem.message.into_owned())
    }

    #[test]
    fn every_rejection_has_its_row() {
        use About::{Drop, Purchase, Reservation, User};
        use Rejection as R;
        let table = [
            (Drop, R::DropNotFound, 404, "DROP_NOT_FOUND", "Drop not found"),
            (Drop, R::NotActive, 400, "DROP_NOT_ACTIVE", "This drop is not currently active"),
            (Drop, R::OutOfStock, 409, "OUT_OF_STOCK", "This item is sold out"),
            (Drop, R::LimitReached, 409, "LIMIT_REACHED", ""),
            (Drop, R::AlreadyHolding, 409, "ALREADY_HOLDING", ""),
            (Drop, R::VariantRequired, 400, "VALIDATION_ERROR", ""),
            (Drop, R::UnknownVariant, 400, "VALIDATION_ERROR", ""),
            (Drop, R::NoQuantity, 400, "VALIDATION_ERROR", ""),
            (Drop, R::InvalidTerms(InvalidTerms::Total), 400, "VALIDATION_ERROR", ""),
            (
                Drop,
                R::InvalidUsername(InvalidUsername),
                400,
                "INVALID_USERNAME",
                "Username must be 3-50 alphanumeric characters",
            ),
            (Purchase, R::ReservationNotFound, 410, "RESERVATION_NOT_FOUND", ""),
            (
                Purchase,
                R::ReservationExpired,
                410,
                "RESERVATION_EXPIRED",
                "Your reservation has expired",
            ),
            (
                Purchase,
                R::NotYours,
                403,
                "UNAUTHORIZED",
                "This reservation belongs to another user",
            ),
            (Reservation, R::ReservationNotFound, 404, "NOT_FOUND", ""),
            (Reservation, R::ReservationExpired, 410, "EXPIRED", "Your reservation has expired"),
            (Reservation, R::NotYours, 403, "UNAUTHORIZED", ""),
            (Reservation, R::AlreadyPurchased, 409, "ALREADY_PURCHASED", ""),
            (Drop, R::StockBelowCommitted, 409, "STOCK_BELOW_COMMITTED", ""),
            (Drop, R::HasSales, 409, "DROP_HAS_SALES", ""),
            (User, R::HasSales, 409, "USER_HAS_SALES", ""),
            (User, R::UserNotFound, 404, "USER_NOT_FOUND", ""),
            (Drop, R::Stale, 412, "PRECONDITION_FAILED", ""),
            (Drop, R::NumbersUsedUp, 409, "NUMBERS_USED_UP", ""),
        ];
        for (about, rejection, status, code, message) in table {
            let found = row(about, rejection.clone());
            assert_eq!((found.0, found.1), (status, code), "{rejection:?}");
            assert!(message.is_empty() || message == found.2, "{rejection:?}: {}", found.2);
        }
    }

    #[test]
    fn every_fault_has_its_row_and_tells_nothing() {
        let secret = || Arc::new(std::io::Error::other("postgres://user:pw@host"));
        let table = [
            (ServiceError::Busy, 503, "BUSY", Some(1)),
            (ServiceError::Closed, 503, "BUSY", Some(5)),
            (StoreError::Contended(secret()).into(), 409, "CONCURRENT_UPDATE", None),
            (StoreError::Unavailable(secret()).into(), 503, "BUSY", Some(2)),
            (StoreError::Unknown(secret()).into(), 503, "BUSY", Some(2)),
            (StoreError::Corrupt(secret()).into(), 500, "INTERNAL_ERROR", None),
            (StoreError::Backend(secret()).into(), 500, "INTERNAL_ERROR", None),
        ];
        for (error, status, code, retry_after) in table {
            let problem = Problem::of(About::Drop, &error);
            assert_eq!((problem.status.as_u16(), problem.code), (status, code), "{error:?}");
            assert_eq!(problem.retry_after_seconds, retry_after, "{error:?}");
            assert!(!format!("{problem:?}").contains("postgres"), "{problem:?}");
        }
    }

    #[test]
    fn a_message_repeats_little_of_what_was_sent() {
        let problem = Problem::validation("é".repeat(16_000));
        assert!(problem.message.len() <= 2 * 600, "{}", problem.message.len());
    }
}
