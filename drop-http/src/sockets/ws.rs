//! `GET /ws`: text frames, each one flat object with its `event`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, SplitSink, SplitStream};
use futures::{SinkExt, Stream, StreamExt};

use crate::app::App;
use crate::error::Problem;
use crate::extract::Params;
use crate::live::{Filter, Item, Live, Seat, Subscription};
use crate::metrics::Transport;

use super::watch::WatchParams;

/// Clients have nothing to say: what they say may be short and seldom.
const MAX_MESSAGE_BYTES: usize = 4 * 1024;
const MAX_MESSAGES_BETWEEN_PINGS: u32 = 64;
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long the client's side may take no byte.
const SEND_WITHIN: Duration = Duration::from_secs(30);
/// What is set aside for what a client says; the library's own is 128 KiB for each.
const READ_BUFFER_BYTES: usize = 512;

pub(super) async fn connect(
    State(app): State<App>,
    Params(params): Params<WatchParams>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let Ok(upgrade) = upgrade else {
        return Ok(no_websocket());
    };
    let filter = params.filter()?;
    if !app.live.is_ready().await {
        return Err(Problem::busy());
    }
    let seat = app.live.seat(Transport::WebSocket).ok_or_else(Problem::busy)?;
    let live = app.live.clone();
    let upgrade = upgrade
        .max_frame_size(MAX_MESSAGE_BYTES)
        .max_message_size(MAX_MESSAGE_BYTES)
        .read_buffer_size(READ_BUFFER_BYTES)
        // Every frame is sent at once.
        .write_buffer_size(0);
    // Subscribed once the socket is there, so that it begins with the state of that moment.
    Ok(upgrade.on_upgrade(move |socket| serve(socket, live, filter, seat)))
}

fn no_websocket() -> Response {
    let message = "This is a WebSocket";
    let problem = Problem::new(StatusCode::UPGRADE_REQUIRED, "UPGRADE_REQUIRED", message);
    let mut response = problem.into_response();
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    response
}

/// Why a socket is done with.
enum End {
    /// It is gone, or has to be dropped: there is nobody to say goodbye to.
    Gone,
    /// It is told why.
    Close(u16, &'static str),
}

async fn serve(socket: WebSocket, live: Arc<Live>, filter: Filter, seat: Seat) {
    let mut subscription = Subscription::begin(live.clone(), filter, None);
    let (mut out, heard) = socket.split();
    let ended = talk(&mut out, heard, &live, &mut subscription, &seat).await;
    if let End::Close(code, reason) = ended {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let _ = send(&mut out, Message::Close(Some(frame)), &live).await;
    }
}

/// What happens to a socket seldom.
enum Seldom {
    Closing,
    Heard(Message),
    Gone,
    PingTime,
}

/// What happens seldom, as one stream: a part of it is only looked at when it is woken, and not
/// at every frame.
fn seldom(live: &Live, heard: SplitStream<WebSocket>) -> impl Stream<Item = Seldom> + Unpin {
    let closing = stream::once(live.closing().cancelled()).map(|()| Seldom::Closing).boxed();
    let heard = heard.map(|message| message.map_or(Seldom::Gone, Seldom::Heard));
    let heard = heard.chain(stream::iter([Seldom::Gone])).boxed();
    let pings = stream::unfold(live, |live| async move {
        live.clock().sleep(PING_EVERY).await;
        Some((Seldom::PingTime, live))
    });
    stream::select_all([closing, heard, pings.boxed()])
}

async fn talk(
    out: &mut SplitSink<WebSocket, Message>,
    heard: SplitStream<WebSocket>,
    live: &Live,
    subscription: &mut Subscription,
    seat: &Seat,
) -> End {
    let mut seldom = seldom(live, heard);
    let mut heard = true;
    let mut said = 0_u32;
    loop {
        let sent = tokio::select! {
            happened = seldom.next() => match happened {
                Some(Seldom::Closing) => {
                    return End::Close(close_code::AWAY, "the server is going away");
                }
                None | Some(Seldom::Gone | Seldom::Heard(Message::Close(_))) => return End::Gone,
                Some(Seldom::Heard(Message::Ping(_) | Message::Pong(_))) => {
                    heard = true;
                    Ok(())
                }
                Some(Seldom::Heard(Message::Text(_) | Message::Binary(_))) => {
                    heard = true;
                    said = said.saturating_add(1);
                    if said > MAX_MESSAGES_BETWEEN_PINGS {
                        return End::Close(close_code::POLICY, "nothing is expected from you");
                    }
                    Ok(())
                }
                Some(Seldom::PingTime) => {
                    if !heard {
                        return End::Gone;
                    }
                    (heard, said) = (false, 0);
                    send(out, Message::Ping(bytes::Bytes::new()), live).await
                }
            },
            item = subscription.next() => match item {
                None => return End::Close(close_code::AWAY, "the server is going away"),
                Some(Item::First(snapshot)) => {
                    send(out, Message::Text(snapshot.ws()), live).await
                }
                Some(Item::Again(snapshot)) => {
                    seat.resynced();
                    send(out, Message::Text(snapshot.ws()), live).await
                }
                Some(Item::Event(written)) => {
                    send(out, Message::Text(written.ws.clone()), live).await
                }
            },
        };
        if sent.is_err() {
            return End::Gone;
        }
    }
}

/// The client is gone, or takes nothing.
struct NotSent;

async fn send(
    out: &mut SplitSink<WebSocket, Message>,
    message: Message,
    live: &Live,
) -> Result<(), NotSent> {
    // The clock is asked only where the client's side does not take it at once.
    let late = async { live.clock().sleep(SEND_WITHIN).await };
    tokio::select! {
        biased;
        sent = out.send(message) => sent.map_err(|_| NotSent),
        () = late => Err(NotSent),
    }
}
