//! What outlives a kill of the shop: a delayed duplicate does nothing twice, and holds live on
//! and expire on time.

use drop_core::Store;
use drop_core::conformance::history::Answer;
use drop_core::model::{DropId, ReservationId, Status, Timestamp};
use drop_core::{Clock, SystemClock};
use drop_store_memory::FileStore;
use serde_json::json;

use super::run::Run;
use super::stage::door;
use super::witness::{Told, feed};
use crate::lifecycle::watch;
use crate::support::{Shop, Start, database};

/// Holds here last so long where they are to lapse.
const SHORT: &str = "2";

/// A drop of a few units, one for each customer.
async fn some_drop(shop: &Shop, stock: u32) -> DropId {
    let terms = json!({"name": "Air One", "price": 1, "totalStock": stock, "maxPerCustomer": 1});
    DropId::new(shop.api.create_drop(terms).await).expect("an id")
}

/// The hold that was just taken, and its deadline.
fn hold(told: &Told) -> (ReservationId, Timestamp) {
    match told.answer {
        Answer::Reserved { reservation, expires_at, .. } => (reservation, expires_at),
        _ => panic!("no hold: {told:?}"),
    }
}

/// Requests that were answered are sent once more, as by a proxy that kept them, after a kill.
async fn duplicates(run: &Run, store: &str) -> (Shop, DropId) {
    let start = Start::on(store).with(&["--hold-seconds", "60"]);
    let mut shop = start.run().await;
    let drop_id = some_drop(&shop, 10).await;
    let at = door(&shop, run);
    let (bought, _) = hold(&at.reserve(drop_id, "buyer").await);
    assert_eq!(at.purchase(bought, "buyer").await.status, Some(201));
    let (given_back, _) = hold(&at.reserve(drop_id, "quitter").await);
    assert_eq!(at.release(given_back, "quitter").await.status, Some(200));
    let (kept, _) = hold(&at.reserve(drop_id, "keeper").await);

    shop.process.kill().await;
    let shop = start.run().await;
    let at = door(&shop, run);
    for _ in 0..2 {
        let again = at.purchase(bought, "buyer").await;
        assert_eq!(again.status, Some(200), "{again:?}");
        let again = at.reserve(drop_id, "buyer").await;
        assert_eq!((again.status, again.error.as_str()), (Some(409), "LIMIT_REACHED"));
        let again = at.release(given_back, "quitter").await;
        assert_eq!(again.status, Some(200), "{again:?}");
        let again = at.purchase(given_back, "quitter").await;
        assert_eq!(again.status, Some(410), "{again:?}");
        let again = at.release(bought, "buyer").await;
        assert_eq!((again.status, again.error.as_str()), (Some(409), "ALREADY_PURCHASED"));
        let again = at.reserve(drop_id, "keeper").await;
        assert_eq!(hold(&again).0, kept, "{again:?}");
    }
    let counts = at.read(drop_id).await.answer;
    assert!(matches!(counts, Answer::Stock { available: 8, held: 1, sold: 1, .. }), "{counts:?}");
    (shop, drop_id)
}

/// Holds from before a kill: one drop's shop is back before their deadline, and the other's hold
/// lapses while nobody is there.
async fn holds(run: &mut Run, store: &str) -> (Shop, [DropId; 2], [ReservationId; 2]) {
    let start = Start::on(store).with(&["--hold-seconds", SHORT]);
    let mut shop = start.run().await;
    let drops = [some_drop(&shop, 1).await, some_drop(&shop, 1).await];
    let at = door(&shop, run);
    let (alone, deadline) = hold(&at.reserve(drops[0], "sleeper").await);
    shop.process.kill().await;
    SystemClock.sleep(deadline.since(SystemClock.now())).await;
    assert!(SystemClock.now() >= deadline);
    shop = start.run().await;
    let at = door(&shop, run);
    let told = at.reserve(drops[0], "next").await;
    assert_eq!(told.status, Some(201), "what lapsed meanwhile is for sale at once: {told:?}");

    let (second, deadline) = hold(&at.reserve(drops[1], "sleeper").await);
    shop.process.kill().await;
    shop = start.run().await;
    let mut events = watch(&shop).await;
    let path = format!("/api/reservations/{second}");
    let seen = shop.api.get(&path).await;
    if seen.status == 200 {
        let kept = seen.body["expiresAt"].as_str().map(Timestamp::parse_rfc3339);
        assert_eq!(kept, Some(Ok(deadline)), "the deadline is the one that was told");
    }
    // Nobody asks for the unit: watchers hear of its end all the same.
    while shop.api.drop(drops[1].get()).await["heldStock"] != 0 {
        events.change().await;
    }
    let at = door(&shop, run);
    let told = at.reserve(drops[1], "next").await;
    assert_eq!(told.status, Some(201), "{told:?}");
    (shop, drops, [alone, second])
}

/// How late the holds were settled, by the feed; never before their deadline.
async fn lateness(run: &mut Run, store: &dyn Store, drops: [DropId; 2], ids: [ReservationId; 2]) {
    let words = ["that lapsed while the shop was down", "that lapsed after it was back"];
    for ((drop_id, id), words) in drops.into_iter().zip(ids).zip(words) {
        let changes = feed(store, drop_id).await;
        let ended = changes.iter().find_map(|change| {
            let row = change.reservations().find(|row| row.id() == id)?;
            (row.status() == Status::Expired).then(|| change.as_of.since(row.expires_at()))
        });
        let late = ended.expect("it has expired");
        run.figure(&format!("hold {words}: settled after"), &format!("{} ms", late.as_millis()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn delayed_duplicate_after_a_restart_file() {
    let test = "late::delayed_duplicate_after_a_restart_file";
    let mut run = Run::begin("kills", "delayed duplicates, shop on a file", test);
    let directory = tempfile::tempdir().expect("a directory");
    let store = format!("file:{}", directory.path().display());
    let (mut shop, drop_id) = duplicates(&run, &store).await;
    shop.process.kill().await;
    let store = FileStore::open(directory.path()).expect("the file opens");
    run.judge(&store, &[drop_id]).await;
    run.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn delayed_duplicate_after_a_restart_postgres() {
    let test = "late::delayed_duplicate_after_a_restart_postgres";
    let mut run = Run::begin("kills", "delayed duplicates, shop on PostgreSQL", test);
    let database = database().await;
    let (_shop, drop_id) = duplicates(&run, &database.url()).await;
    let store = database.connect().await.expect("a store");
    run.judge(&store, &[drop_id]).await;
    run.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn server_killed_holds_live_on_and_expire_on_time_file() {
    let test = "late::server_killed_holds_live_on_and_expire_on_time_file";
    let mut run = Run::begin("kills", "holds over a kill, shop on a file", test);
    let directory = tempfile::tempdir().expect("a directory");
    let store = format!("file:{}", directory.path().display());
    let (mut shop, drops, ids) = holds(&mut run, &store).await;
    shop.process.kill().await;
    let store = FileStore::open(directory.path()).expect("the file opens");
    lateness(&mut run, &store, drops, ids).await;
    run.judge(&store, &drops).await;
    run.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn server_killed_holds_live_on_and_expire_on_time_postgres() {
    let test = "late::server_killed_holds_live_on_and_expire_on_time_postgres";
    let mut run = Run::begin("kills", "holds over a kill, shop on PostgreSQL", test);
    let database = database().await;
    let (_shop, drops, ids) = holds(&mut run, &database.url()).await;
    let store = database.connect().await.expect("a store");
    lateness(&mut run, &store, drops, ids).await;
    run.judge(&store, &drops).await;
    run.end();
}
