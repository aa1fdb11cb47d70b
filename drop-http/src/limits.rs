//! Refusing what is above a client's limit, and saying what is left of it.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::Once;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::client;
use crate::error::Problem;
use crate::throttle::{Throttle, Verdict};

/// Refuses what is above the limit of reserving.
pub(crate) async fn reserves(State(app): State<App>, request: Request, next: Next) -> Response {
    limited(app.reserves.as_deref(), &app, request, next).await
}

/// Refuses what is above the limit of purchasing.
pub(crate) async fn purchases(State(app): State<App>, request: Request, next: Next) -> Response {
    limited(app.purchases.as_deref(), &app, request, next).await
}

async fn limited(throttle: Option<&Throttle>, app: &App, request: Request, next: Next) -> Response {
    let Some(throttle) = throttle else {
        return next.run(request).await;
    };
    let (parts, body) = request.into_parts();
    let address = client::address(&parts, app.trusted_proxies).unwrap_or_else(no_address);
    match throttle.check(address) {
        Verdict::Within { remaining } => {
            let mut response = next.run(Request::from_parts(parts, body)).await;
            announce(&mut response, throttle.limit(), remaining, None);
            response
        }
        Verdict::Above { retry_after_seconds } => {
            let mut response = Problem::rate_limit(retry_after_seconds).into_response();
            announce(&mut response, throttle.limit(), 0, Some(retry_after_seconds));
            response
        }
    }
}

/// Without addresses all clients are one: that is noticed at once, and limits nothing less.
fn no_address() -> IpAddr {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            "requests carry no ConnectInfo<SocketAddr>: all clients share one rate limit. \
             Serve with into_make_service_with_connect_info, or switch the limits off"
        );
    });
    IpAddr::V4(Ipv4Addr::UNSPECIFIED)
}

/// The headers of draft-ietf-httpapi-ratelimit-headers-06, as Express's limiters send them.
fn announce(response: &mut Response, limit: NonZeroU32, remaining: u32, reset: Option<u64>) {
    // Within the limit one more is allowed after this long.
    let refill = 60_u64.div_ceil(u64::from(limit.get()));
    let headers = response.headers_mut();
    headers.insert("ratelimit-limit", HeaderValue::from(limit.get()));
    headers.insert("ratelimit-remaining", HeaderValue::from(remaining));
    headers.insert("ratelimit-reset", HeaderValue::from(reset.unwrap_or(refill)));
}
