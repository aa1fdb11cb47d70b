//! Socket.IO by polling, in raw HTTP; the JavaScript client is tested with the shop.

use serde_json::{Value, json};

use crate::support::{NOW, Shop, shop, shop_with};

const POLL: &str = "/socket.io/?EIO=4&transport=polling";

/// A session that polls.
struct Session {
    path: String,
    packets: std::collections::VecDeque<String>,
}

impl Session {
    async fn open(shop: &Shop) -> Self {
        let response = shop.get(POLL).await;
        assert_eq!(response.status_code(), 200, "{}", response.text());
        let text = response.text();
        let handshake: Value = serde_json::from_str(text.strip_prefix('0').unwrap()).unwrap();
        assert_eq!(handshake["upgrades"], json!(["websocket"]));
        assert_eq!(handshake["pingInterval"], 20_000);
        let path = format!("{POLL}&sid={}", handshake["sid"].as_str().unwrap());
        let mut session = Self { path, packets: std::collections::VecDeque::new() };
        // Opens the default namespace.
        session.send(shop, "40").await;
        let connected = session.next(shop).await;
        assert!(connected.starts_with("40{\"sid\":"), "{connected}");
        session
    }

    async fn send(&self, shop: &Shop, packet: &str) {
        let (path, query) = self.path.split_once('?').unwrap();
        let request = shop.post_text(path, "text/plain", packet.as_bytes());
        let response = request.add_raw_query_param(query).await;
        assert_eq!(response.text(), "ok");
    }

    async fn next(&mut self, shop: &Shop) -> String {
        while self.packets.is_empty() {
            let response = crate::support::soon(async { shop.get(&self.path).await }).await;
            assert_eq!(response.status_code(), 200, "{}", response.text());
            // Besides, the server asks now and then whether the client is there.
            let text = response.text();
            let packets = text.split('\u{1e}').filter(|packet| *packet != "2");
            self.packets.extend(packets.map(str::to_owned));
        }
        self.packets.pop_front().unwrap()
    }

    /// The next event: its name and its payload.
    async fn event(&mut self, shop: &Shop, name: &str) -> Value {
        let packet = self.next(shop).await;
        let event: Value = serde_json::from_str(packet.strip_prefix("42").expect(&packet)).unwrap();
        assert_eq!((event.as_array().unwrap().len(), &event[0]), (2, &json!(name)), "{packet}");
        event[1].clone()
    }
}

#[tokio::test]
async fn a_new_connection_gets_the_present_state_then_changes() {
    let shop = shop();
    let [one, two] = [shop.plain(3).await, shop.plain(5).await];
    let mut session = Session::open(&shop).await;
    let snapshot = session.event(&shop, "snapshot").await;
    let drops: Value = shop.get("/api/drops").await.json();
    assert_eq!(snapshot, json!({"drops": drops["drops"], "serverTime": NOW}));
    for (id, stock) in [(two, 5), (one, 3)] {
        let update = session.event(&shop, "stockUpdated").await;
        assert_eq!((&update["dropId"], &update["availableStock"]), (&json!(id), &json!(stock)));
    }
    shop.buy(one, "ann").await;
    assert_eq!(
        session.event(&shop, "stockUpdated").await,
        json!({
            "dropId": one, "availableStock": 2, "heldStock": 1, "soldCount": 0, "version": 2,
            "variants": [{"name": null, "totalStock": 3, "availableStock": 2, "heldStock": 1, "soldCount": 0}],
        })
    );
    shop.advance(std::time::Duration::from_millis(50)).await;
    assert_eq!(session.event(&shop, "stockUpdated").await["soldCount"], 1);
    let sale = session.event(&shop, "purchaseCompleted").await;
    assert_eq!((&sale["username"], &sale["dropId"]), (&json!("ann"), &json!(one)));
    assert_eq!(sale["topPurchasers"], json!([{"username": "ann", "purchasedAt": NOW}]));
}

#[tokio::test]
async fn paths_with_and_without_a_slash() {
    let shop = shop();
    for path in ["/socket.io/?EIO=4&transport=polling", "/socket.io?EIO=4&transport=polling"] {
        assert!(shop.get(path).await.text().starts_with("0{\"sid\""), "{path}");
    }
    for path in [
        "/socket.io/?EIO=3&transport=polling",
        "/socket.io/",
        "/socket.io/?EIO=4&transport=x",
        "/socket.io/?EIO=4&transport=polling&sid=x",
    ] {
        assert_eq!(shop.get(path).await.status_code(), 400, "{path}");
    }
}

#[tokio::test]
async fn sessions_are_bounded() {
    let shop = shop_with(|builder| builder.max_sockets(2));
    for _ in 0..2 {
        assert_eq!(shop.get(POLL).await.status_code(), 200);
    }
    crate::support::refused(&shop.get(POLL).await, 503, "BUSY");
    shop.advance(std::time::Duration::from_secs(11)).await;
    assert_eq!(shop.get(POLL).await.status_code(), 200);
}

#[tokio::test]
async fn sockets_leave_with_the_server() {
    let mut shop = shop();
    let mut session = Session::open(&shop).await;
    session.event(&shop, "snapshot").await;
    shop.cancel.cancel();
    crate::support::soon(&mut shop.hub).await.unwrap();
    crate::support::refused(&shop.get(POLL).await, 503, "BUSY");
}

#[tokio::test]
async fn the_same_by_websocket() {
    use futures::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    let shop = shop();
    let id = shop.plain(3).await;
    let path = "/socket.io/?EIO=4&transport=websocket";
    let mut socket = crate::ws::Socket::open(&shop, path).await;
    let mut packets = Vec::new();
    while !packets.iter().any(|packet: &String| packet.contains("\"heldStock\":1")) {
        match crate::support::soon(socket.0.next()).await {
            Some(Ok(Message::Text(text))) if text.starts_with('0') => {
                socket.0.send(Message::text("40")).await.unwrap();
            }
            Some(Ok(Message::Text(text))) if text.starts_with("42") => {
                packets.push(text.to_string());
                if packets.len() == 2 {
                    shop.hold(id, "ann").await;
                }
            }
            Some(Ok(Message::Text(_))) => {}
            other => panic!("{other:?}"),
        }
    }
    let names = packets.iter().map(|packet| packet.split('"').nth(1).unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["snapshot", "stockUpdated", "stockUpdated"]);
}

#[tokio::test]
async fn who_does_not_poll_gets_the_newest_state_later() {
    let shop = shop_with(|builder| builder.backlog(4).conflate_within(std::time::Duration::ZERO));
    let id = shop.plain(100_000).await;
    let mut session = Session::open(&shop).await;
    session.event(&shop, "snapshot").await;
    session.event(&shop, "stockUpdated").await;
    let drop_id = drop_core::model::DropId::new(id).unwrap();
    for n in 0..2_000 {
        let ask = drop_core::Reserve::one(format!("user{n}"));
        shop.service.reserve(drop_id, ask).await.unwrap();
    }
    let (mut version, mut packets) = (1, 0);
    while version < 2_001 {
        let tick = async {
            loop {
                shop.advance(std::time::Duration::from_millis(50)).await;
            }
        };
        let packet = tokio::select! {
            packet = session.next(&shop) => packet,
            () = tick => continue,
        };
        packets += 1;
        let event: Value = serde_json::from_str(packet.strip_prefix("42").unwrap()).unwrap();
        let state = if event[0] == "snapshot" { &event[1]["drops"][0] } else { &event[1] };
        let next = state["version"].as_u64().unwrap();
        assert!(next >= version, "{next} after {version}");
        version = next;
    }
    assert!(packets < 1_000, "{packets} packets are a backlog");
}
