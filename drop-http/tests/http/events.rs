//! The order of events under concurrency: a watcher can always reconstruct the truth.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use crate::support::{shop, shop_with};
use crate::ws::Socket;

/// What a client keeps of each drop.
#[derive(Default)]
struct Page(HashMap<i64, (u64, i64)>);

impl Page {
    /// Takes a frame in; panics where a version goes back.
    fn take(&mut self, frame: &Value) {
        if frame["event"] == "snapshot" {
            for one in frame["drops"].as_array().unwrap() {
                self.put(one["id"].as_i64(), one);
            }
        } else {
            let stock = if frame["event"] == "stockUpdated" { frame } else { &frame["drop"] };
            self.put(frame["dropId"].as_i64(), if stock.is_null() { frame } else { stock });
        }
    }

    fn put(&mut self, id: Option<i64>, stock: &Value) {
        let entry = self.0.entry(id.unwrap()).or_default();
        let version = stock["version"].as_u64().unwrap();
        assert!(version >= entry.0, "{version} after {}: {stock}", entry.0);
        entry.0 = version;
        if let Some(available) = stock["availableStock"].as_i64() {
            entry.1 = available;
        }
    }
}

#[tokio::test]
async fn every_watcher_ends_with_the_truth_whenever_it_came() {
    let shop = shop_with(|builder| builder.conflate_within(Duration::from_millis(5)));
    let [one, two] = [shop.plain(40).await, shop.plain(7).await];
    let mut watchers = vec![];
    for round in 0..10 {
        // A new watcher in the middle of the crowd.
        watchers.push((Socket::open(&shop, "/ws").await, Page::default()));
        let crowd = (0..8).map(|n| {
            let shop = &shop;
            async move {
                let name = format!("user{round}x{n}");
                let hold = shop.reserve(if n % 2 == 0 { one } else { two }, &name).await;
                if hold.status_code() == 201 && n % 4 < 2 {
                    let id = hold.json::<Value>()["reservation"]["id"].as_i64().unwrap();
                    shop.purchase(id, &name).await;
                }
            }
        });
        futures::future::join_all(crowd).await;
        shop.advance(Duration::from_millis(3)).await;
    }
    shop.advance(Duration::from_secs(1)).await;
    let truth: Value = shop.get("/api/drops").await.json();
    let truth: HashMap<i64, (u64, i64)> = truth["drops"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let number = |name: &str| one[name].as_i64().unwrap();
            (number("id"), (number("version").unsigned_abs(), number("availableStock")))
        })
        .collect();
    for (socket, page) in &mut watchers {
        while page.0 != truth {
            page.take(&socket.next().await);
        }
    }
}

#[tokio::test]
async fn every_purchase_is_told_once() {
    let shop = shop();
    let id = shop.plain(30).await;
    let mut socket = Socket::open(&shop, "/ws").await;
    socket.event("snapshot").await;
    let crowd = (0..30).map(|n| {
        let shop = &shop;
        async move { shop.buy(id, &format!("user{n}")).await }
    });
    futures::future::join_all(crowd).await;
    let mut buyers = std::collections::BTreeSet::new();
    let mut told = 0;
    loop {
        let frame = socket.next().await;
        match frame["event"].as_str().unwrap() {
            "stockUpdated" => told = frame["version"].as_u64().unwrap(),
            "purchaseCompleted" => {
                let version = frame["version"].as_u64().unwrap();
                assert!(version >= told && told > 0, "{version} before its stock ({told})");
                assert!(buyers.insert(frame["username"].to_string()), "twice: {frame}");
            }
            "dropSoldOut" => break,
            other => panic!("{other}"),
        }
    }
    assert_eq!(buyers.len(), 30);
}
