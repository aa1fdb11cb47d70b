//! The WebSocket, with a real client on a real socket.

use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::{NOW, Shop, admin, shop, soon};

/// A watcher.
pub(crate) struct Socket(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn open(shop: &Shop, path: &str) -> Self {
        let url = format!("ws://{}{path}", shop.address().await);
        Self(soon(connect_async(url)).await.unwrap().0)
    }

    /// The next text.
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            match soon(self.0.next()).await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_))) => {}
                other => panic!("not a text: {other:?}"),
            }
        }
    }

    /// The next event, which has to be this one.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        let event = self.next().await;
        assert_eq!(event["event"], name, "{event}");
        event
    }
}

const WINDOW: Duration = Duration::from_millis(50);

#[tokio::test]
async fn first_the_present_state_then_changes() {
    let shop = shop();
    let id = shop.plain(2).await;
    let later =
        json!({"name": "Later", "price": 1, "totalStock": 1, "startsAt": "2026-02-01T00:00:00Z"});
    shop.create(later).await;
    let ended = json!({"name": "Ended", "price": 1, "totalStock": 1, "startsAt": "2025-01-01T00:00:00Z", "endsAt": "2025-02-01T00:00:00Z"});
    shop.create(ended).await;
    let mut socket = Socket::open(&shop, "/ws").await;
    let snapshot = socket.event("snapshot").await;
    assert_eq!(snapshot["serverTime"], NOW);
    let mut drops: Value = shop.get("/api/drops?status=all").await.json();
    // All but the ended one, just as REST shows them.
    drops["drops"].as_array_mut().unwrap().remove(0);
    assert_eq!(snapshot["drops"], drops["drops"]);
    assert_eq!(snapshot.as_object().unwrap().len(), 3);

    shop.hold(id, "ann").await;
    assert_eq!(
        socket.next().await,
        json!({
            "event": "stockUpdated", "dropId": id, "availableStock": 1, "heldStock": 1,
            "soldCount": 0, "version": 2,
            "variants": [{"name": null, "totalStock": 2, "availableStock": 1, "heldStock": 1, "soldCount": 0}],
        })
    );
}

#[tokio::test]
async fn a_purchase_is_told_after_its_stock() {
    let shop = shop();
    let id = shop.plain(2).await;
    let hold = shop.hold(id, "Ann").await;
    let mut socket = Socket::open(&shop, "/ws").await;
    socket.event("snapshot").await;
    shop.advance(WINDOW).await;
    shop.purchase(hold, "ann").await;
    let stock = socket.event("stockUpdated").await;
    assert_eq!((&stock["soldCount"], &stock["version"]), (&json!(1), &json!(3)));
    let at = "2026-01-01T12:00:00.050Z";
    assert_eq!(
        socket.next().await,
        json!({
            "event": "purchaseCompleted", "dropId": id, "username": "Ann",
            "topPurchasers": [{"username": "Ann", "purchasedAt": at}], "version": 3,
        })
    );
}

#[tokio::test]
async fn the_last_unit_is_told_apart() {
    let shop = shop();
    let id = shop.plain(1).await;
    let mut socket = Socket::open(&shop, "/ws").await;
    socket.event("snapshot").await;
    shop.buy(id, "ann").await;
    assert_eq!(socket.event("stockUpdated").await["version"], 2);
    assert_eq!(socket.event("stockUpdated").await["version"], 3);
    assert_eq!(socket.event("purchaseCompleted").await["version"], 3);
    let sold_out = json!({"event": "dropSoldOut", "dropId": id, "version": 3});
    assert_eq!(socket.next().await, sold_out);
}

#[tokio::test]
async fn under_load_the_newest_is_told_every_50_ms_and_the_last_always() {
    let shop = shop();
    let id = shop.plain(100).await;
    let mut socket = Socket::open(&shop, "/ws").await;
    socket.event("snapshot").await;
    for n in 0..10 {
        shop.hold(id, &format!("user{n}")).await;
    }
    // The first at once; nine are kept back, and told as one when the time has come.
    assert_eq!(socket.event("stockUpdated").await["availableStock"], 99);
    shop.advance(WINDOW - Duration::from_micros(1)).await;
    shop.hold(id, "user10").await;
    shop.advance(Duration::from_micros(1)).await;
    let newest = socket.event("stockUpdated").await;
    assert_eq!((&newest["availableStock"], &newest["version"]), (&json!(89), &json!(12)));
    // And nothing more, until something moves again.
    shop.advance(WINDOW * 10).await;
    shop.hold(id, "user11").await;
    assert_eq!(socket.event("stockUpdated").await["availableStock"], 88);
}

#[tokio::test]
async fn what_is_kept_back_is_told_before_what_cannot_wait() {
    let shop = shop();
    let id = shop.plain(100).await;
    let mut socket = Socket::open(&shop, "/ws").await;
    socket.event("snapshot").await;
    shop.hold(id, "ann").await;
    shop.buy(id, "bob").await;
    admin(shop.patch(&format!("/api/drops/{id}"), &json!({"price": "1"}))).await;
    assert_eq!(socket.event("stockUpdated").await["version"], 2);
    let stock = socket.event("stockUpdated").await;
    assert_eq!(stock["version"], 5);
    assert_eq!((&stock["heldStock"], &stock["soldCount"]), (&json!(1), &json!(1)));
    assert_eq!(socket.event("purchaseCompleted").await["version"], 5);
    let changed = socket.event("dropChanged").await;
    assert_eq!((&changed["version"], &changed["drop"]["price"]), (&json!(5), &json!("1")));
}

#[tokio::test]
async fn a_hold_that_lapses_is_told() {
    let shop = shop();
    let body = json!({"name": "Short", "price": 1, "totalStock": 1, "holdSeconds": 1.5});
    let id = shop.create(body).await["id"].as_i64().unwrap();
    shop.hold(id, "ann").await;
    let mut socket = Socket::open(&shop, "/ws").await;
    assert_eq!(socket.event("snapshot").await["drops"][0]["availableStock"], 0);
    shop.advance(Duration::from_micros(1_500_000)).await;
    let stock = socket.event("stockUpdated").await;
    assert_eq!((&stock["availableStock"], &stock["heldStock"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn the_sellers_acts_are_told() {
    let shop = shop();
    let mut socket = Socket::open(&shop, "/ws").await;
    assert_eq!(socket.event("snapshot").await["drops"], json!([]));
    let id = shop.plain(1).await;
    let created = socket.event("dropChanged").await;
    let drop_view: Value = shop.get(&format!("/api/drops/{id}")).await.json();
    assert_eq!(
        created,
        json!({"event": "dropChanged", "dropId": id, "version": 1, "drop": drop_view})
    );
    shop.advance(WINDOW).await;
    admin(shop.patch(&format!("/api/drops/{id}"), &json!({"totalStock": 7}))).await;
    assert_eq!(socket.event("stockUpdated").await["availableStock"], 7);
    assert_eq!(socket.event("dropChanged").await["drop"]["totalStock"], 7);
    admin(shop.delete(&format!("/api/drops/{id}"))).await;
    let deleted = json!({"event": "dropChanged", "dropId": id, "version": 2, "deleted": true});
    assert_eq!(socket.next().await, deleted);
    let mut newcomer = Socket::open(&shop, "/ws").await;
    assert_eq!(newcomer.event("snapshot").await["drops"], json!([]));
}

#[tokio::test]
async fn a_window_that_opens_and_closes_is_told() {
    let shop = shop();
    let body = json!({
        "name": "Short", "price": 1, "totalStock": 1,
        "startsAt": "2026-01-01T12:00:10Z", "endsAt": "2026-01-01T12:00:20Z",
    });
    let id = shop.create(body).await["id"].clone();
    let mut socket = Socket::open(&shop, "/ws").await;
    assert_eq!(socket.event("snapshot").await["drops"][0]["status"], "upcoming");
    shop.advance(Duration::from_secs(10)).await;
    let opened = socket.event("dropOpened").await;
    assert_eq!((&opened["dropId"], &opened["drop"]["status"]), (&id, &json!("open")));
    let mut newcomer = Socket::open(&shop, "/ws").await;
    assert_eq!(newcomer.event("snapshot").await["drops"][0]["status"], "open");
    // A hold outlives the window, and its sale is told after the end.
    let hold = shop.hold(id.as_i64().unwrap(), "ann").await;
    assert_eq!(socket.event("stockUpdated").await["heldStock"], 1);
    shop.advance(Duration::from_secs(10)).await;
    let ended = socket.event("dropEnded").await;
    assert_eq!((&ended["dropId"], &ended["drop"]["status"]), (&id, &json!("ended")));
    let mut newcomer = Socket::open(&shop, "/ws").await;
    assert_eq!(newcomer.event("snapshot").await["drops"], json!([]));
    shop.purchase(hold, "ann").await;
    assert_eq!(socket.event("stockUpdated").await["soldCount"], 1);
    assert_eq!(socket.event("purchaseCompleted").await["username"], "ann");
    assert_eq!(newcomer.event("stockUpdated").await["soldCount"], 1);
}

#[tokio::test]
async fn a_drop_that_ended_before_the_hub_began_is_told_too() {
    let clock = crate::support::clock();
    let store = drop_store_memory::MemoryStore::with_clock(clock.clone());
    let (other, _workers) = drop_core::DropService::builder(store.clone()).build();
    let end = |at: &str| drop_core::model::Timestamp::parse_rfc3339(at).unwrap();
    let mut terms = drop_core::model::DropTerms::new("Old", "5", Default::default()).unwrap();
    terms.window = drop_core::model::Window::new(
        end("2026-01-01T11:00:00Z"),
        Some(end("2026-01-01T12:00:01Z")),
    )
    .unwrap();
    let new = drop_core::model::NewDrop::plain(terms, drop_core::model::Units::ONE).unwrap();
    let id = other.create_drop(new).await.unwrap().id;
    let hold = other.reserve(id, drop_core::Reserve::one("ann")).await.unwrap().id().get();
    clock.advance(Duration::from_secs(1)).await;
    let shop = crate::support::shop_on(std::sync::Arc::new(store), clock, |builder| builder);
    let mut socket = Socket::open(&shop, "/ws").await;
    assert_eq!(socket.event("snapshot").await["drops"], json!([]));
    assert_eq!(shop.purchase(hold, "ann").await.status_code(), 201);
    assert_eq!(socket.event("stockUpdated").await["soldCount"], 1);
    assert_eq!(socket.event("purchaseCompleted").await["dropId"], id.get());
}

#[tokio::test]
async fn a_watcher_of_some_drops_hears_of_those() {
    let shop = shop();
    let [one, two, three] = [shop.plain(9).await, shop.plain(9).await, shop.plain(9).await];
    let mut socket = Socket::open(&shop, &format!("/ws?drops={three},{one}")).await;
    let snapshot = socket.event("snapshot").await;
    let ids: Vec<_> = snapshot["drops"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, [three, one]);
    shop.hold(two, "ann").await;
    shop.hold(one, "ann").await;
    assert_eq!(socket.event("stockUpdated").await["dropId"], one);
}
