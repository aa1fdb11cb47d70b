//! Socket.IO at `/socket.io`: the default namespace, by WebSocket and by polling, for clients
//! written with socket.io-client 3 and 4.
//!
//! A new connection is sent `snapshot`, and then, for the seed's clients, `stockUpdated` of
//! each drop.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use drop_core::model::Timestamp;
use serde::Serialize;
use socketioxide::extract::SocketRef;
use socketioxide::{SendError, SocketError, SocketIo};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::error::Problem;
use crate::live::{Event, Filter, Item, Live, SNAPSHOT, Seat, Snapshot, Subscription};
use crate::metrics::Transport;

/// Clients have nothing to say but the protocol's own packets.
const MAX_PAYLOAD_BYTES: usize = 16 * 1024;
/// Packets that wait for a client's next poll.
const BUFFER: usize = 256;
/// How long a client may stay connected without opening the namespace.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const PING_EVERY: Duration = Duration::from_secs(20);
const PONG_WITHIN: Duration = Duration::from_secs(20);
/// When a client's buffer is full, look again after this long, and give up after so many looks.
const FULL_PAUSE: Duration = Duration::from_millis(50);
const FULL_PAUSES: u32 = 600;

/// The routes, and what closes all sockets.
pub(crate) fn routes(app: &App, sockets: u32) -> (Router<App>, SocketIo) {
    let (service, io) = SocketIo::builder()
        .max_payload(u64::try_from(MAX_PAYLOAD_BYTES).unwrap_or(u64::MAX))
        .ws_max_message_size(MAX_PAYLOAD_BYTES)
        .ws_max_frame_size(MAX_PAYLOAD_BYTES)
        .max_buffer_size(BUFFER)
        .connect_timeout(CONNECT_WITHIN)
        .ping_interval(PING_EVERY)
        .ping_timeout(PONG_WITHIN)
        .build_svc();
    let live = app.live.clone();
    io.ns("/", move |socket: SocketRef| {
        let live = live.clone();
        async move { welcome(socket, live) }
    });
    let door = Door { live: app.live.clone(), bound: sockets, knocks: Arc::default() };
    let router = Router::new()
        .route_service("/socket.io", service.clone())
        .route_service("/socket.io/", service)
        .route_layer(from_fn_with_state(door, knock));
    (router, io)
}

/// Counts sessions that were opened and are not yet connected, or are gone again: they take
/// memory before they take a seat.
#[derive(Clone, Debug)]
struct Door {
    live: Arc<Live>,
    bound: u32,
    knocks: Arc<Mutex<VecDeque<Timestamp>>>,
}

impl Door {
    fn open(&self) -> bool {
        let now = self.live.clock().now();
        let mut knocks = self.knocks.lock().unwrap_or_else(PoisonError::into_inner);
        while knocks.front().is_some_and(|knock| now.since(*knock) > CONNECT_WITHIN) {
            knocks.pop_front();
        }
        let open = u32::try_from(knocks.len()).is_ok_and(|count| count < self.bound);
        if open {
            knocks.push_back(now);
        }
        open
    }
}

async fn knock(State(door): State<Door>, request: Request, next: Next) -> Response {
    let begins = request.method() == Method::GET && !names_session(request.uri());
    if begins && (!door.live.is_ready().await || !door.open()) {
        return Problem::busy().into_response();
    }
    next.run(request).await
}

fn names_session(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("sid=")))
}

fn welcome(socket: SocketRef, live: Arc<Live>) {
    let Some(seat) = live.seat(Transport::SocketIo) else {
        let _ = socket.disconnect();
        return;
    };
    let gone = CancellationToken::new();
    let leaving = gone.clone();
    socket.on_disconnect(move || {
        leaving.cancel();
        async {}
    });
    // Ends with its socket; the hub waits for its seat.
    tokio::spawn(async move {
        tokio::select! {
            () = gone.cancelled() => {}
            () = live.closing().cancelled() => {}
            Gone = serve(&socket, &live, &seat) => {
                let _ = socket.disconnect();
            }
        }
    });
}

/// The client is gone, or takes nothing.
struct Gone;

async fn serve(socket: &SocketRef, live: &Arc<Live>, seat: &Seat) -> Gone {
    let mut subscription = Subscription::begin(live.clone(), Filter::all_and_stock(), None);
    while let Some(item) = subscription.next().await {
        let sent = match item {
            Item::First(snapshot) => present(socket, live, &snapshot).await,
            Item::Again(snapshot) => {
                seat.resynced();
                present(socket, live, &snapshot).await
            }
            Item::Event(written) => {
                emit(socket, live, written.event.name(), &written.payload).await
            }
        };
        if sent.is_err() {
            break;
        }
    }
    Gone
}

async fn present(socket: &SocketRef, live: &Live, snapshot: &Snapshot) -> Result<(), Gone> {
    match serde_json::value::RawValue::from_string(snapshot.payload()) {
        Ok(payload) => emit(socket, live, SNAPSHOT, &payload).await?,
        Err(error) => tracing::error!(%error, "a snapshot cannot be written"),
    }
    for payload in snapshot.stock.iter() {
        emit(socket, live, Event::StockUpdated.name(), payload).await?;
    }
    Ok(())
}

/// Waits while the client's buffer is full. Meanwhile the subscription falls behind, and what
/// comes after is the newest state.
async fn emit<T: Serialize>(
    socket: &SocketRef,
    live: &Live,
    event: &'static str,
    payload: &T,
) -> Result<(), Gone> {
    for _ in 0..FULL_PAUSES {
        match socket.emit(event, payload) {
            Ok(()) => return Ok(()),
            Err(SendError::Socket(SocketError::InternalChannelFull)) => {
                live.clock().sleep(FULL_PAUSE).await;
            }
            Err(_) => return Err(Gone),
        }
    }
    Err(Gone)
}
