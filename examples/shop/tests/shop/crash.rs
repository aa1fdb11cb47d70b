//! Kills in the middle of sales: what was acknowledged is there afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use drop_store_postgres::testing::Cluster;
use tokio::sync::{Mutex, Notify};

use crate::support::{Api, Shop, Start, database};

const BUYERS: usize = 8;
/// Acknowledged purchases before the kill.
const BEFORE_KILL: usize = 60;
const STOCK: u32 = 100_000;

/// What the buyers were told.
#[derive(Debug, Default)]
struct Heard {
    /// Purchases by number, with their buyer.
    acknowledged: Mutex<BTreeMap<i64, String>>,
    /// Holds whose purchase was sent, with or without an answer.
    attempted: Mutex<BTreeMap<i64, String>>,
    count: AtomicUsize,
    enough: Notify,
}

/// Buyers who reserve and purchase until their shop does not answer any more.
fn buyers(api: &Api, drop_id: i64, heard: &Arc<Heard>) -> Vec<tokio::task::JoinHandle<()>> {
    let buyer = |buyer: usize| {
        let (api, heard) = (api.clone(), heard.clone());
        async move {
            for turn in 0.. {
                let name = format!("buyer_{buyer}_{turn}");
                let Ok(held) = api.reserve(drop_id, &name).await else { return };
                let Some(id) = held.body["reservation"]["id"].as_i64() else { return };
                heard.attempted.lock().await.insert(id, name.clone());
                let Ok(bought) = api.purchase(id, &name).await else { return };
                if bought.status != 201 {
                    return;
                }
                heard.acknowledged.lock().await.insert(id, name);
                if heard.count.fetch_add(1, Ordering::SeqCst) + 1 == BEFORE_KILL {
                    heard.enough.notify_one();
                }
            }
        }
    };
    (0..BUYERS).map(|number| tokio::spawn(buyer(number))).collect()
}

/// Everything acknowledged is there, counts add up, and what was unknown converges on retry.
async fn nothing_is_lost(shop: &Shop, drop_id: i64, heard: &Heard) {
    let attempted = heard.attempted.lock().await.clone();
    let acknowledged = heard.acknowledged.lock().await.clone();
    assert!(acknowledged.len() >= BEFORE_KILL);
    for (id, name) in &acknowledged {
        let mine = shop.api.get(&format!("/api/purchases?username={name}")).await;
        assert_eq!(mine.body["purchases"][0]["id"].as_i64(), Some(*id), "{name}: {mine:?}");
    }
    // A hold whose purchase got no answer: asked again it is the holder's purchase.
    let mut sold = acknowledged.len();
    for (id, name) in attempted.iter().filter(|(id, _)| !acknowledged.contains_key(id)) {
        let answer = shop.api.purchase(*id, name).await.unwrap();
        assert!([200, 201].contains(&answer.status), "{answer:?}");
        sold += 1;
    }
    let drop = shop.api.drop(drop_id).await;
    let count = |field: &str| drop[field].as_u64().unwrap();
    assert_eq!(count("soldCount"), u64::try_from(sold).unwrap(), "{drop}");
    let all = count("availableStock") + count("heldStock") + count("soldCount");
    assert_eq!(all, u64::from(STOCK));
    let audit = shop.api.get(&format!("/api/drops/{drop_id}/audit")).await;
    assert_eq!(audit.status, 200, "{audit:?}");
}

/// A hold from before the crash ends on its deadline after it, and its unit is for sale.
async fn holds_expire(start: &Start, drop_id: i64, held_by: &str) {
    let shop = start.run().await;
    let mut watch = crate::lifecycle::watch(&shop).await;
    while shop.api.drop(drop_id).await["heldStock"] != 0 {
        watch.change().await;
    }
    let mine = shop.api.get(&format!("/api/drops?username={held_by}")).await;
    assert_eq!(mine.body["drops"][0]["userReservation"], serde_json::Value::Null);
}

/// Kills the shop itself while it sells from `store`.
async fn shop_is_killed(store: &str) {
    let start = Start::on(store).with(&["--hold-seconds", "60"]);
    let mut shop = start.run().await;
    let drop_id = shop.api.plain_drop(STOCK).await;
    let heard = Arc::new(Heard::default());
    let buyers = buyers(&shop.api, drop_id, &heard);
    heard.enough.notified().await;
    shop.process.kill().await;
    for buyer in buyers {
        buyer.await.unwrap();
    }
    let mut shop = start.run().await;
    nothing_is_lost(&shop, drop_id, &heard).await;
    // Once more, with a short hold that nobody buys.
    shop.process.kill().await;
    let short = Start::on(store).with(&["--hold-seconds", "1"]);
    let mut shop = short.run().await;
    let other = shop.api.plain_drop(1).await;
    assert_eq!(shop.api.reserve(other, "sleeper").await.unwrap().status, 201);
    shop.process.kill().await;
    holds_expire(&short, other, "sleeper").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_is_killed_while_it_sells_from_a_file() {
    let directory = tempfile::tempdir().unwrap();
    shop_is_killed(&format!("file:{}", directory.path().display())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_is_killed_while_it_sells_from_postgres() {
    let database = database().await;
    shop_is_killed(&database.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_killed_while_the_shop_sells() {
    let cluster = Cluster::start().await.unwrap();
    let database = cluster.database().await.unwrap();
    let shop = Start::on(&database.url()).with(&["--hold-seconds", "60"]).run().await;
    let drop_id = shop.api.plain_drop(STOCK).await;
    let heard = Arc::new(Heard::default());
    let buyers = buyers(&shop.api, drop_id, &heard);
    heard.enough.notified().await;
    cluster.kill().await.unwrap();
    for buyer in buyers {
        buyer.await.unwrap();
    }
    let down = shop.api.reserve(drop_id, "too_early").await.unwrap();
    assert_eq!(down.status, 503, "{down:?}");
    cluster.restart().await.unwrap();
    // The same process goes on once the database is back.
    while shop.api.get("/readyz").await.status != 200 {
        tokio::task::yield_now().await;
    }
    nothing_is_lost(&shop, drop_id, &heard).await;
}
