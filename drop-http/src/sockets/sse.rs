//! `GET /api/events`: server-sent events, resumed by `Last-Event-ID`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;

use crate::app::App;
use crate::error::Problem;
use crate::extract::Params;
use crate::live::{Item, Live, Position, Seat, Subscription};
use crate::metrics::Transport;

use super::watch::WatchParams;

/// A comment now and then: proxies close what is silent, and a client that is gone is noticed.
const COMMENT_EVERY: Duration = Duration::from_secs(20);
const COMMENT: Bytes = Bytes::from_static(b": still here\n\n");
/// How soon a browser connects again.
const RETRY: Bytes = Bytes::from_static(b"retry: 1000\n\n");

pub(super) async fn connect(
    State(app): State<App>,
    Params(params): Params<WatchParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let filter = params.filter()?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let last = last.and_then(Position::parse);
    if !app.live.is_ready().await {
        return Err(Problem::busy());
    }
    let seat = app.live.seat(Transport::Sse).ok_or_else(Problem::busy)?;
    let subscription = Subscription::begin(app.live.clone(), filter, last.as_ref());
    let watcher = Watcher { subscription, live: app.live.clone(), seat, begun: false };
    let body = Body::from_stream(stream::unfold(watcher, |mut watcher| async {
        let chunk = watcher.next().await?;
        Some((Ok::<_, Infallible>(chunk), watcher))
    }));
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, body).into_response())
}

struct Watcher {
    subscription: Subscription,
    live: Arc<Live>,
    seat: Seat,
    begun: bool,
}

impl Watcher {
    async fn next(&mut self) -> Option<Bytes> {
        if !self.begun {
            self.begun = true;
            return Some(RETRY);
        }
        let item = tokio::select! {
            () = self.live.closing().cancelled() => return None,
            item = self.subscription.next() => item?,
            () = self.live.clock().sleep(COMMENT_EVERY) => return Some(COMMENT),
        };
        Some(match item {
            Item::First(snapshot) => snapshot.sse(),
            Item::Again(snapshot) => {
                self.seat.resynced();
                snapshot.sse()
            }
            Item::Event(written) => written.sse.clone(),
        })
    }
}
