//! Kills in the middle of sales: everything acknowledged is there afterwards, and what was
//! unknown converges when it is asked again.

use std::time::Instant;

use drop_store_memory::FileStore;

use super::crowd::Crowd;
use super::run::Run;
use super::stage::{CLIENTS, Drops, Returns, careless, conclude, door, start};
use crate::support::Shop;

/// Kills the shop itself while it sells from `store`, and starts it again.
async fn shop_is_killed(run: &mut Run, store: &str, kills: usize) -> (Crowd, Drops, Shop) {
    let mut dice = run.dice(u64::MAX);
    let start = start(store);
    let mut shop = start.run().await;
    let mut drops = Drops::default();
    let first = drops.next(&shop).await;
    let crowd = Crowd::enter(run, ("buyer", CLIENTS), door(&shop, run), first);
    let mut returns = Returns::default();
    for _ in 0..kills {
        crowd.turns_to(drops.next(&shop).await);
        crowd.hears(20 + dice.below(40)).await;
        shop.process.kill().await;
        let since = Instant::now();
        shop = start.run().await;
        crowd.moves_to(door(&shop, run));
        returns.until_sold(&crowd, since).await;
    }
    run.figure("kills", &kills);
    returns.tell(run, "from a kill to the next sale");
    (crowd, drops, shop)
}

#[tokio::test(flavor = "multi_thread")]
async fn server_killed_file() {
    let kills = Run::share(5, 25);
    let mut run = Run::begin("kills", "shop on a file", "kills::server_killed_file");
    let directory = tempfile::tempdir().expect("a directory");
    let store = format!("file:{}", directory.path().display());
    let (mut crowd, drops, mut shop) = shop_is_killed(&mut run, &store, kills).await;
    crowd.leaves(&mut run).await;
    // Once more, so that the file is read as a kill leaves it.
    shop.process.kill().await;
    let store = FileStore::open(directory.path()).expect("the file opens");
    crowd.tell(&mut run);
    conclude(run, vec![crowd], &drops, &store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn server_killed_postgres() {
    let kills = Run::share(5, 25);
    let mut run = Run::begin("kills", "shop on PostgreSQL", "kills::server_killed_postgres");
    let cluster = careless().await;
    let database = cluster.database().await.expect("a database");
    let (mut crowd, drops, _shop) = shop_is_killed(&mut run, &database.url(), kills).await;
    crowd.leaves(&mut run).await;
    crowd.tell(&mut run);
    let store = database.connect().await.expect("a store");
    conclude(run, vec![crowd], &drops, &store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_killed() {
    let kills = Run::share(6, 30);
    let mut run = Run::begin("kills", "PostgreSQL", "kills::postgres_killed");
    let mut dice = run.dice(u64::MAX);
    let cluster = careless().await;
    let database = cluster.database().await.expect("a database");
    let shop = start(&database.url()).run().await;
    let mut drops = Drops::default();
    let first = drops.next(&shop).await;
    let door = door(&shop, &run);
    let mut crowd = Crowd::enter(&run, ("buyer", CLIENTS), door.clone(), first);
    let mut returns = Returns::default();
    for round in 0..kills {
        let present = drops.next(&shop).await;
        crowd.turns_to(present.clone());
        crowd.hears(20 + dice.below(40)).await;
        cluster.kill().await.expect("killed");
        let down = door.reserve(present[0], &format!("too_early_{round}")).await;
        assert_eq!(down.status, Some(503), "{down:?}");
        cluster.restart().await.expect("restarted");
        // The same process goes on once the database is back.
        returns.until_sold(&crowd, Instant::now()).await;
    }
    run.figure("kills", &kills);
    returns.tell(&mut run, "from the database's return to the next sale");
    crowd.leaves(&mut run).await;
    crowd.tell(&mut run);
    let store = database.connect().await.expect("a store");
    conclude(run, vec![crowd], &drops, &store).await;
}
