//! Watchers of each kind, who come back when they are told to.

use std::net::SocketAddr;
use std::sync::Arc;

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};

use super::load::Log;
use super::seen::Seen;

/// How it listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    WebSocket,
    #[cfg(feature = "socketio")]
    SocketIo,
    /// Server-sent events; after a break, with `Last-Event-ID` or without.
    Events {
        resumes: bool,
    },
}

/// A connection.
enum Line {
    Socket(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
    Events(Box<Lines<BufReader<TcpStream>>>),
}

/// Watches until `storms` ends; at each storm it breaks off and comes back at once.
pub(super) async fn watch(
    address: SocketAddr,
    kind: Kind,
    seen: Arc<Seen>,
    log: Arc<Log>,
    mut storms: watch::Receiver<u32>,
) {
    let mut last = None;
    loop {
        let mut line = match connect(address, kind, last.as_deref()).await {
            Ok(line) => line,
            Err(why) => {
                // A crowd may be more than there is room for; whoever is refused asks again.
                seen.complain(format!("{kind:?} is refused: {why}"));
                return;
            }
        };
        let mut fresh = true;
        loop {
            let text = tokio::select! {
                text = next(&mut line, &mut last) => text,
                stormed = storms.changed() => match stormed {
                    Ok(()) => break,
                    Err(_) => return,
                },
            };
            let Some(text) = text else {
                seen.complain(format!("{kind:?} was shown out"));
                return;
            };
            if fresh && last.is_some() && !text.contains("\"drops\":[") && seen.version() > 0 {
                seen.resumed();
            }
            seen.frame(&text, fresh, &log);
            fresh = false;
        }
    }
}

async fn connect(address: SocketAddr, kind: Kind, last: Option<&str>) -> Result<Line, String> {
    let socket = |path: &str| format!("ws://{address}{path}");
    match kind {
        Kind::WebSocket => {
            let (socket, _) =
                connect_async(socket("/ws")).await.map_err(|error| error.to_string())?;
            Ok(Line::Socket(Box::new(socket)))
        }
        #[cfg(feature = "socketio")]
        Kind::SocketIo => {
            let url = socket("/socket.io/?EIO=4&transport=websocket");
            let (mut socket, _) = connect_async(url).await.map_err(|error| error.to_string())?;
            socket.send(Message::text("40")).await.map_err(|error| error.to_string())?;
            Ok(Line::Socket(Box::new(socket)))
        }
        Kind::Events { resumes } => {
            let mut stream = TcpStream::connect(address).await.map_err(|e| e.to_string())?;
            let last = last.filter(|_| resumes).map(|id| format!("Last-Event-ID: {id}\r\n"));
            let last = last.unwrap_or_default();
            let ask = format!("GET /api/events HTTP/1.0\r\nHost: {address}\r\n{last}\r\n");
            stream.write_all(ask.as_bytes()).await.map_err(|error| error.to_string())?;
            let mut lines = Box::new(BufReader::new(stream).lines());
            match lines.next_line().await {
                Ok(Some(status)) if status.contains(" 200 ") => Ok(Line::Events(lines)),
                other => Err(format!("{other:?}")),
            }
        }
    }
}

/// The next text; `None` at the end. `last` is the id of the last event, where there are ids.
async fn next(line: &mut Line, last: &mut Option<String>) -> Option<String> {
    match line {
        Line::Events(lines) => loop {
            let line = lines.next_line().await.ok()??;
            match line.split_once(": ") {
                Some(("id", id)) => *last = Some(id.to_owned()),
                Some(("data", data)) => return Some(data.to_owned()),
                _ => {}
            }
        },
        Line::Socket(socket) => loop {
            match socket.next().await?.ok()? {
                // Socket.IO's own question whether one is there.
                Message::Text(text) if text.as_str() == "2" => {
                    socket.send(Message::text("3")).await.ok()?;
                }
                Message::Text(text) => return Some(text.as_str().to_owned()),
                Message::Close(_) => return None,
                _ => {}
            }
        },
    }
}

/// One who connects and then takes nothing.
pub(super) struct Silent(WebSocketStream<TcpStream>);

impl Silent {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = socket.connect(address).await.unwrap();
        Self(client_async(format!("ws://{address}/ws"), stream).await.unwrap().0)
    }

    /// Begins to read, until it has this version; `false` where it was shown out before.
    pub(super) async fn catch_up(mut self, version: u64, seen: &Seen, log: &Log) -> bool {
        while seen.version() < version {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => seen.frame(&text, true, log),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return false,
                Some(Ok(_)) => {}
            }
        }
        true
    }
}
