//! Kills in the middle of sales: everything acknowledged is there afterwards, and what was
//! unknown converges when it is asked again.
//!
//! The server of these tests has `synchronous_commit = off` and a writer of its log that wakes
//! every ten seconds: what its owner may have set, and what loses acknowledged sales at a kill
//! wherever the store forgets to ask for better.

use std::time::{Duration, Instant};

use drop_core::Store;
use drop_core::conformance::is_long;
use drop_core::model::DropId;
use drop_store_memory::FileStore;
use drop_store_postgres::testing::Cluster;

use super::crowd::Crowd;
use super::run::Run;
use super::witness::Witness;
use crate::support::{Shop, Start};

const CLIENTS: u64 = 8;
const STOCK: u32 = 100_000;
/// Drops that are sold at a time: each lives through as many kills.
const DROPS: usize = 3;
/// What the owner of a server may have set.
const CARELESS: [(&str, &str); 2] = [("synchronous_commit", "off"), ("wal_writer_delay", "10s")];
/// Shops are back within this, where the machine is not shared with anything.
const BACK: Duration = Duration::from_secs(2);

/// Short enough that some holds lapse while their shop is down.
fn start(store: &str) -> Start {
    Start::on(store).with(&["--hold-seconds", "5"])
}

/// A server that may be killed.
async fn careless() -> Cluster {
    Cluster::private_in_memory(&CARELESS).await.expect("PostgreSQL")
}

/// Drops that come and go, so that each has one history of a length to be kept.
#[derive(Debug, Default)]
struct Drops {
    all: Vec<DropId>,
}

impl Drops {
    /// One more, and those that are sold from now on.
    async fn next(&mut self, shop: &Shop) -> Vec<DropId> {
        let id = shop.api.plain_drop(STOCK).await;
        self.all.push(DropId::new(id).expect("an id"));
        self.all.iter().rev().take(DROPS).copied().collect()
    }
}

/// How long it took until something was sold again.
#[derive(Debug, Default)]
struct Returns(Vec<Duration>);

impl Returns {
    /// The crowd's next acknowledged answer ends the time that began at `since`.
    async fn until_sold(&mut self, crowd: &Crowd, since: Instant) {
        crowd.hears(1).await;
        self.0.push(since.elapsed());
    }

    /// Into the report; the limit is asserted where a run is long.
    fn tell(&self, run: &mut Run, what: &str) {
        let longest = self.0.iter().max().copied().unwrap_or_default();
        run.figure(what, &format!("{} ms at most", longest.as_millis()));
        assert!(!is_long() || longest <= BACK, "{what}: {longest:?}");
    }
}

/// The end of a run: everybody has an answer, and what they were told is what is kept.
async fn conclude(mut run: Run, mut crowd: Crowd, drops: &Drops, store: &dyn Store, kills: usize) {
    crowd.leaves(&mut run).await;
    run.figure("kills", &kills);
    run.figure("acknowledged", &crowd.acknowledged());
    crowd.tell(&mut run);
    run.judge(store, &drops.all).await;
    run.end();
}

/// Kills the shop itself while it sells from `store`, and starts it again.
async fn shop_is_killed(run: &mut Run, store: &str, kills: usize) -> (Crowd, Drops, Shop) {
    let mut dice = run.dice(u64::MAX);
    let start = start(store);
    let mut shop = start.run().await;
    let mut drops = Drops::default();
    let first = drops.next(&shop).await;
    let door = |shop: &Shop, run: &Run| Witness::new(shop.api.clone(), &run.recorder);
    let crowd = Crowd::enter(run, CLIENTS, vec![door(&shop, run)], first);
    let mut returns = Returns::default();
    for _ in 0..kills {
        crowd.turns_to(drops.next(&shop).await);
        crowd.hears(20 + dice.below(40)).await;
        shop.process.kill().await;
        let since = Instant::now();
        shop = start.run().await;
        crowd.moves_to(0, door(&shop, run));
        returns.until_sold(&crowd, since).await;
    }
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
    conclude(run, crowd, &drops, &store, kills + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn server_killed_postgres() {
    let kills = Run::share(5, 25);
    let mut run = Run::begin("kills", "shop on PostgreSQL", "kills::server_killed_postgres");
    let cluster = careless().await;
    let database = cluster.database().await.expect("a database");
    let (crowd, drops, _shop) = shop_is_killed(&mut run, &database.url(), kills).await;
    let store = database.connect().await.expect("a store");
    conclude(run, crowd, &drops, &store, kills).await;
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
    let door = Witness::new(shop.api.clone(), &run.recorder);
    let crowd = Crowd::enter(&run, CLIENTS, vec![door.clone()], first);
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
    returns.tell(&mut run, "from the database's return to the next sale");
    let store = database.connect().await.expect("a store");
    conclude(run, crowd, &drops, &store, kills).await;
}
