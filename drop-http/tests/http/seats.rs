//! Who gets a WebSocket, who keeps it, and what happens to who is slow.

use std::time::Duration;

use drop_core::conformance::Fault;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::faults::faulty_shop;
use crate::support::{refused, shop, shop_with, soon};
use crate::ws::Socket;

#[tokio::test]
async fn what_is_no_websocket_is_refused_before_the_upgrade() {
    let shop = shop();
    let response = shop.get("/ws").await;
    refused(&response, 426, "UPGRADE_REQUIRED");
    assert_eq!(response.header("upgrade"), "websocket");
    for query in ["drops=", "drops=x", "drops=1,", "drops=-1", "drops=0", "drops=1;2"] {
        let url = format!("ws://{}/ws?{query}", shop.address().await);
        match soon(connect_async(url)).await {
            Err(Error::Http(response)) => {
                assert_eq!(response.status(), 400, "{query}");
                let body: Value =
                    serde_json::from_slice(response.body().as_ref().unwrap()).unwrap();
                assert_eq!(body["error"], "VALIDATION_ERROR");
            }
            other => panic!("{query}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn there_are_only_so_many_seats() {
    let shop = shop_with(|builder| builder.max_sockets(2));
    let mut first = Socket::open(&shop, "/ws").await;
    let mut second = Socket::open(&shop, "/ws").await;
    first.event("snapshot").await;
    second.event("snapshot").await;
    let url = format!("ws://{}/ws", shop.address().await);
    match soon(connect_async(&url)).await {
        Err(Error::Http(response)) => {
            assert_eq!(response.status(), 503);
            assert!(response.headers().contains_key("retry-after"));
        }
        other => panic!("{other:?}"),
    }
    // Who leaves makes room.
    first.0.close(None).await.unwrap();
    while soon(first.0.next()).await.is_some() {}
    let again = async {
        while connect_async(&url).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    soon(again).await;
}

#[tokio::test]
async fn sockets_are_closed_with_1001_when_the_server_goes() {
    let mut shop = shop();
    let mut socket = Socket::open(&shop, "/ws").await;
    socket.event("snapshot").await;
    shop.cancel.cancel();
    match soon(socket.0.next()).await {
        Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), 1001),
        other => panic!("{other:?}"),
    }
    soon(&mut shop.hub).await.unwrap();
    // And nobody is let in any more.
    let url = format!("ws://{}/ws", shop.address().await);
    assert!(
        matches!(soon(connect_async(url)).await, Err(Error::Http(response)) if response.status() == 503)
    );
}

#[tokio::test]
async fn who_does_not_answer_pings_is_gone() {
    let shop = shop();
    let address = shop.address().await;
    let mut answering = Socket::open(&shop, "/ws").await;
    let mut silent = raw_websocket(address).await;
    answering.event("snapshot").await;
    let interval = Duration::from_secs(20);
    for _ in 0..3 {
        shop.advance(interval).await;
        // Reading is what answers.
        match soon(answering.0.next()).await {
            Some(Ok(Message::Ping(_))) => {}
            other => panic!("{other:?}"),
        }
        answering.0.flush().await.unwrap();
        // The pong has to arrive before the next ping is due: it is behind a request.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        shop.get("/api/health").await;
    }
    // The silent one had two pings and then the end of the stream.
    use tokio::io::AsyncReadExt;
    let mut heard = Vec::new();
    let _ = soon(silent.read_to_end(&mut heard)).await;
    let pings = heard.windows(2).filter(|pair| *pair == [0x89, 0x00]).count();
    assert_eq!(pings, 1, "one ping, no answer, gone");
}

/// A client that sends the handshake and then nothing at all.
async fn raw_websocket(address: std::net::SocketAddr) -> TcpStream {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(stream.read_u8()).await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    // The frame with the snapshot, so that the socket is known to be served.
    soon(stream.read_u8()).await.unwrap();
    stream
}

#[tokio::test]
async fn clients_that_talk_are_shown_out() {
    let shop = shop();
    let mut large = Socket::open(&shop, "/ws").await;
    large.event("snapshot").await;
    large.0.send(Message::text("x".repeat(5000))).await.unwrap();
    assert!(!matches!(soon(large.0.next()).await, Some(Ok(Message::Text(_)))));
    let mut chatty = Socket::open(&shop, "/ws").await;
    chatty.event("snapshot").await;
    for _ in 0..64 {
        chatty.0.send(Message::text("hello")).await.unwrap();
    }
    let id = shop.plain(1).await;
    assert_eq!(chatty.event("dropChanged").await["dropId"], id);
    chatty.0.send(Message::text("hello")).await.unwrap();
    match soon(chatty.0.next()).await {
        Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), 1008),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_takes_nothing_is_cut() {
    let shop = shop_with(|builder| builder.max_sockets(1).conflate_within(Duration::ZERO));
    let sizes: Vec<_> =
        (0..100).map(|n| json!({"name": format!("{n:060}"), "totalStock": 1000})).collect();
    let body = json!({"name": "Wide", "price": 1, "variants": sizes});
    let id =
        drop_core::model::DropId::new(shop.create(body).await["id"].as_i64().unwrap()).unwrap();
    let address = shop.address().await;
    let small = tokio::net::TcpSocket::new_v4().unwrap();
    small.set_recv_buffer_size(4096).unwrap();
    let stream = small.connect(address).await.unwrap();
    let (mut silent, _) =
        soon(tokio_tungstenite::client_async(format!("ws://{address}/ws"), stream)).await.unwrap();
    // Far more than the buffers of a connection hold, and nobody takes it.
    for n in 0..1000 {
        let ask = drop_core::Reserve {
            variant: Some(format!("{:060}", n % 100)),
            ..drop_core::Reserve::one(format!("user{n}"))
        };
        shop.service.reserve(id, ask).await.unwrap();
    }
    let url = format!("ws://{address}/ws");
    shop.advance(Duration::from_secs(29)).await;
    shop.get("/api/health").await;
    assert!(
        matches!(soon(connect_async(&url)).await, Err(Error::Http(response)) if response.status() == 503),
        "it had a second left"
    );
    // Who takes nothing for 30 seconds loses the seat, and hears no more.
    let mut seconds = 29;
    while soon(connect_async(&url)).await.is_err() {
        shop.advance(Duration::from_secs(1)).await;
        seconds += 1;
    }
    assert!(seconds < 36, "only unanswered pings, after 40 seconds, ended it");
    let mut heard = 0;
    while let Some(Ok(Message::Text(_))) = soon(silent.next()).await {
        heard += 1;
    }
    assert!(heard < 1000, "{heard} frames were kept for it");
}

#[tokio::test]
async fn a_slow_client_gets_the_newest_state_and_no_version_goes_back() {
    let shop = shop_with(|builder| builder.backlog(4).conflate_within(Duration::ZERO));
    let id = shop.plain(1_000_000).await;
    let mut socket = Socket::open(&shop, "/ws").await;
    socket.event("snapshot").await;
    // Nobody reads while far more is said than sockets and backlog hold.
    let id_of = drop_core::model::DropId::new(id).unwrap();
    for n in 0..20_000 {
        let ask = drop_core::Reserve::one(format!("user{n}"));
        shop.service.reserve(id_of, ask).await.unwrap();
    }
    let mut version = 1;
    let mut frames = 0;
    let mut snapshots = 0;
    while version < 20_001 {
        let frame = socket.next().await;
        frames += 1;
        let next = if frame["event"] == "snapshot" {
            snapshots += 1;
            frame["drops"][0]["version"].as_u64().unwrap()
        } else {
            frame["version"].as_u64().unwrap()
        };
        assert!(next >= version, "{next} after {version}");
        version = next;
    }
    assert!(snapshots > 0, "it never fell behind");
    assert!(frames < 20_000, "{frames} frames are a backlog");
}

#[tokio::test]
async fn newcomers_do_not_read_the_store() {
    let (shop, store) = faulty_shop(|builder| builder);
    let id = shop.plain(3).await;
    Socket::open(&shop, "/ws").await.event("snapshot").await;
    store.fail_all(Some(Fault::Panic));
    for _ in 0..50 {
        let mut socket = Socket::open(&shop, "/ws").await;
        assert_eq!(socket.event("snapshot").await["drops"][0]["id"], id);
    }
}

#[tokio::test]
async fn a_hub_that_fell_behind_gives_everybody_the_present_state() {
    let (shop, store) = faulty_shop(|builder| builder);
    let body = json!({
        "name": "Old", "price": 1, "totalStock": 9,
        "startsAt": "2025-01-01T00:00:00Z", "endsAt": "2025-02-01T00:00:00Z",
    });
    let mut socket = Socket::open(&shop, "/ws").await;
    socket.event("snapshot").await;
    let old = shop.create(body).await["id"].as_i64().unwrap();
    socket.event("dropChanged").await;
    let id = shop.plain(1000).await;
    socket.event("dropChanged").await;
    // Long after, the hub has forgotten the drop that ended, and has to read it at its next
    // change: which takes a while.
    for _ in 0..70 {
        shop.advance(Duration::from_secs(10)).await;
        shop.get("/api/health").await;
        while let Some(Some(message)) = futures::FutureExt::now_or_never(socket.0.next()) {
            message.unwrap();
        }
        socket.0.flush().await.unwrap();
    }
    let slow = store.hold_reads().await;
    let old_id = drop_core::model::DropId::new(old).unwrap();
    let name = drop_core::model::DropName::new("Older").unwrap();
    let rename = drop_core::Amendment { name: Some(name), ..drop_core::Amendment::default() };
    let renaming = shop.service.amend_drop(old_id, rename);
    let crowd = async {
        let new_id = drop_core::model::DropId::new(id).unwrap();
        for n in 0..200 {
            let ask = drop_core::Reserve::one(format!("user{n}"));
            shop.service.reserve(new_id, ask).await.unwrap();
        }
        // More than the service keeps for a slow subscriber.
        drop(slow);
    };
    let (renamed, ()) = futures::join!(renaming, crowd);
    renamed.unwrap();
    loop {
        let frame = socket.next().await;
        if frame["event"] == "snapshot" {
            assert_eq!(frame["drops"][0]["availableStock"], 800);
            break;
        }
    }
}
