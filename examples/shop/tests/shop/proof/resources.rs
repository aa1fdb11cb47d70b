//! What is scarce: connections, disk, a lock that somebody keeps. A fast 503, other drops
//! unaffected, and recovery without a restart.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use drop_core::Store;
use drop_core::conformance::history::Recorder;
use drop_core::conformance::{Report, is_long};
use drop_core::model::DropId;
use drop_store_memory::FileStore;
use drop_store_postgres::testing::{Cluster, Database};

use super::shoppers::{Counts, buyers, finished, purchase, reserve, verdict};
use super::witness::Witness;
use crate::support::{Session, Shop, SmallDisk, Start, database};

const REPLAY: &str = "cargo test -p drop-shop --test shop -- proof::resources --test-threads=1";
/// Nobody's hold may lapse because the machine is slow.
const HOLD: [&str; 2] = ["--hold-seconds", "300"];
/// What a disk is before it is made small, and after it is enlarged.
const ROOMY: u64 = 256 << 10;
/// A guard against hanging, not a measure.
const PATIENCE: Duration = Duration::from_secs(60);

async fn new_drop(shop: &Shop, total: u32) -> DropId {
    DropId::new(shop.api.plain_drop(total).await).expect("an id")
}

/// Waits until the shop says that it is ready, and returns how long that took.
async fn ready_again(shop: &Shop) -> Duration {
    let began = Instant::now();
    while shop.api.get("/readyz").await.status != 200 {
        assert!(began.elapsed() < PATIENCE, "it is not ready again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

/// A limit on answers, five times as wide in a share of CI: a loaded machine is slow for reasons
/// of its own. Who waits behind a batch that fails waits twice what a lock (800 ms) or a
/// connection (2 s) may take.
fn assert_fast(what: &str, took: Duration, limit: Duration) {
    println!("{what}: {took:?}");
    let limit = if is_long() { limit } else { limit * 5 };
    assert!(took <= limit, "{what} took {took:?}");
}

/// Sells to 8 buyers while the disk is full and once it is not any more.
async fn disk_full_then_enlarged(
    shop: &Shop,
    drop_id: DropId,
    recorder: &Recorder,
    shrink: impl FnOnce(),
    enlarge: impl FnOnce(),
) -> (Counts, Duration) {
    let purchases = if is_long() { 2000 } else { 40 };
    let witness = Witness::new(shop.api.clone(), recorder);
    let counts = Counts::default();
    finished(buyers(&witness, &counts, drop_id, 1, 1)).await;
    assert_eq!(counts.refused(), 0);
    shrink();
    // Names of their own, so many that they cannot all fit.
    let crowd: Vec<_> = (0..8)
        .map(|buyer| {
            let (witness, counts) = (witness.clone(), counts.clone());
            tokio::spawn(async move {
                for turn in 0.. {
                    let name = format!("crowd_{buyer}_{turn}");
                    let held = reserve(&witness, &counts, drop_id, &name).await.expect("a unit");
                    purchase(&witness, &counts, held, &name).await;
                    if turn >= purchases && counts.refused() > 0 {
                        return;
                    }
                }
            })
        })
        .collect();
    counts.refused_at_least(40).await;
    // Full: whoever reads is served.
    for _ in 0..5 {
        assert!(matches!(witness.read(drop_id).await.status, Some(200)));
        assert_eq!(shop.api.get("/healthz").await.status, 200);
    }
    let full = counts.refused();
    enlarge();
    let back = Instant::now();
    finished(crowd).await;
    assert!(full >= 40 && counts.broken() == 0, "{counts:?}");
    ready_again(shop).await;
    (counts, back.elapsed())
}

fn begin(name: &str) -> Report {
    Report::begin("resources", name, REPLAY)
}

fn save(report: Report, counts: &Counts, back: Duration) {
    let slowest = counts.slowest_refusal();
    report
        .figure("answers to come back later, each repeated with success", &counts.refused())
        .figure("slowest refusal, ms", &slowest.as_millis())
        .figure("until every shopper was served after it, ms", &back.as_millis())
        .save();
}

async fn file_history(directory: &Path, recorder: &Recorder, drop_id: DropId) {
    let store = FileStore::open(directory).expect("the file opens again");
    verdict(recorder, &store, drop_id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disk_full_then_enlarged_on_a_file() {
    let report = begin("disk full, then enlarged: file");
    let Some(disk) = SmallDisk::mount(ROOMY, &std::env::temp_dir()) else {
        // The same by a limit on the size of files, which needs no privilege: see below.
        println!("no file system can be mounted here: only the size of files is limited");
        return file_that_may_not_grow().await;
    };
    let directory = disk.path().join("data");
    let start = Start::on(&format!("file:{}", directory.display())).quiet().with(&HOLD);
    let mut shop = start.run().await;
    let drop_id = new_drop(&shop, 1_000_000).await;
    let recorder = Recorder::new();
    let shrink = || disk.resize(disk.used() + 128);
    let enlarge = || disk.resize(ROOMY);
    let (counts, back) = disk_full_then_enlarged(&shop, drop_id, &recorder, shrink, enlarge).await;
    shop.process.kill().await;
    file_history(&directory, &recorder, drop_id).await;
    assert_fast("a refusal of the full disk", counts.slowest_refusal(), Duration::from_secs(2));
    save(report, &counts, back);
}

#[tokio::test(flavor = "multi_thread")]
async fn disk_full_then_enlarged_as_a_limit_on_the_size_of_files() {
    file_that_may_not_grow().await;
}

async fn file_that_may_not_grow() {
    let report = begin("disk full, then enlarged: limit on files");
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("data");
    let mut start = Start::on(&format!("file:{}", directory.display())).quiet().with(&HOLD);
    // Else the first write above the limit would be a signal, and the end of the process.
    let ignoring = "trap '' XFSZ; exec \"$0\" \"$@\"";
    start.prefix = ["sh", "-c", ignoring].map(str::to_owned).to_vec();
    let mut shop = start.run().await;
    let drop_id = new_drop(&shop, 1_000_000).await;
    let recorder = Recorder::new();
    let pid = shop.process.id().to_string();
    let limit = |limit: &str| {
        let mut prlimit = Command::new("prlimit");
        let set = prlimit.args(["--pid", &pid, &format!("--fsize={limit}:")]).status();
        assert!(set.expect("prlimit (util-linux)").success());
    };
    let size = std::fs::metadata(directory.join("drop.redb")).unwrap().len();
    let shrink = || limit(&size.to_string());
    let enlarge = || limit("unlimited");
    let (counts, back) = disk_full_then_enlarged(&shop, drop_id, &recorder, shrink, enlarge).await;
    shop.process.kill().await;
    file_history(&directory, &recorder, drop_id).await;
    // And a restart serves on from there.
    let shop = start.run().await;
    let witness = Witness::new(shop.api.clone(), &recorder);
    assert_eq!(witness.reserve(drop_id, "later").await.status, Some(201));
    save(report, &counts, back);
}

#[tokio::test(flavor = "multi_thread")]
async fn disk_full_then_enlarged_under_postgres() {
    let report = begin("disk full, then enlarged: PostgreSQL");
    let cluster = Cluster::private(&[]).await.unwrap();
    let data = cluster.directory().unwrap().join("data");
    // No limit on the size of files stands in for it: PostgreSQL takes that for another error
    // than a full disk, and it is a full disk that must be told as 503.
    let disk = SmallDisk::mount(ROOMY, &data).expect(
        "this test needs root: it puts a database on a small file system of its own and makes \
         that full, and nobody else may mount one",
    );
    let database = cluster.database().await.unwrap();
    let mut seller = Session::open(&cluster.url());
    let place = format!("CREATE TABLESPACE small LOCATION '{}';", disk.path().display());
    seller.run(&place).await.unwrap();
    let moved = format!("ALTER DATABASE {} SET TABLESPACE small;", name_of(&database));
    seller.run(&moved).await.unwrap();
    let shop = Start::on(&database.url()).quiet().with(&HOLD).run().await;
    let drop_id = new_drop(&shop, 1_000_000).await;
    let recorder = Recorder::new();
    let used = disk.used();
    assert!(used > 4 << 10, "the database is not on the small disk: {used} KiB");
    let shrink = || disk.resize(disk.used() + 64);
    let enlarge = || disk.resize(ROOMY);
    let (counts, back) = disk_full_then_enlarged(&shop, drop_id, &recorder, shrink, enlarge).await;
    verdict(&recorder, &database.connect().await.unwrap(), drop_id).await;
    assert_fast("a refusal of the full disk", counts.slowest_refusal(), Duration::from_secs(2));
    save(report, &counts, back);
    drop(shop);
    cluster.stop().await.unwrap();
}

fn name_of(database: &Database) -> String {
    let url = database.url();
    let path = url.split('?').next().expect("a path");
    path.rsplit('/').next().expect("a name").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn pool_of_2_with_500_clients() {
    let report = begin("pool of 2 with 500 clients");
    const CLIENTS: u32 = 500;
    const DROPS: u32 = 25;
    const STOCK: u32 = 10;
    let database = database().await;
    let shop =
        Start::on(&database.url()).quiet().with(&HOLD).with(&["--pool-size", "2"]).run().await;
    let recorder = Recorder::new();
    let witness = Witness::new(shop.api.clone(), &recorder);
    let counts = Counts::default();
    let began = Instant::now();
    let rounds = if is_long() { 50 } else { 2 };
    for _ in 0..rounds {
        let mut drops = Vec::new();
        for _ in 0..DROPS {
            drops.push(new_drop(&shop, STOCK).await);
        }
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (witness, counts) = (witness.clone(), counts.clone());
                let drop_id = drops[usize::try_from(client % DROPS).unwrap()];
                tokio::spawn(async move {
                    let name = format!("client_{client}");
                    if let Some(held) = reserve(&witness, &counts, drop_id, &name).await {
                        purchase(&witness, &counts, held, &name).await;
                    }
                })
            })
            .collect();
        finished(clients).await;
        let store = database.connect().await.unwrap();
        for drop_id in drops {
            verdict(&recorder, &store, drop_id).await;
            let stock = store.snapshot(drop_id).await.unwrap().unwrap().stock();
            assert_eq!((stock.held().get(), stock.sold().get()), (0, STOCK));
        }
        store.close().await;
    }
    assert_eq!(counts.broken(), 0);
    assert_fast(
        "a refusal for want of a connection",
        counts.slowest_refusal(),
        Duration::from_secs(5),
    );
    report
        .figure("rounds", &rounds)
        .figure("clients at once", &CLIENTS)
        .figure("drops", &DROPS)
        .figure("503 answers, all repeated with success", &counts.refused())
        .figure("slowest of them, ms", &counts.slowest_refusal().as_millis())
        .figure("all of it, ms", &began.elapsed().as_millis())
        .save();
}

#[tokio::test(flavor = "multi_thread")]
async fn max_connections_reached() {
    let report = begin("max_connections reached");
    let settings = [("max_connections", "20"), ("superuser_reserved_connections", "0")];
    let cluster = Cluster::private(&settings).await.unwrap();
    let database = cluster.database().await.unwrap();
    let shop = Start::on(&database.url()).quiet().with(&HOLD).run().await;
    let drop_id = new_drop(&shop, 100).await;
    let recorder = Recorder::new();
    let witness = Witness::new(shop.api.clone(), &recorder);
    let counts = Counts::default();
    finished(buyers(&witness, &counts, drop_id, 2, 2)).await;

    // Others take every connection that there is, the shop's own too. It stands still meanwhile:
    // whoever opens connections faster is not the question.
    shop.process.signal("STOP").await;
    let mut others = Vec::new();
    let name = name_of(&database);
    let began = Instant::now();
    loop {
        let mut other = Session::open(&cluster.url());
        if other.run("SELECT 1;").await.is_some() {
            others.push(other);
            continue;
        }
        let of_shop = format!("FROM pg_stat_activity WHERE datname = '{name}'");
        let ended = format!("SELECT pg_terminate_backend(pid) {of_shop};");
        let ended = others.first_mut().expect("a connection").run(&ended).await.unwrap();
        if ended.is_empty() {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "the shop keeps {} connections", ended.len());
    }
    shop.process.signal("CONT").await;
    let crowd = buyers(&witness, &counts, drop_id, 4, 5);
    counts.refused_at_least(8).await;
    assert_eq!(shop.api.get("/healthz").await.status, 200);
    assert_eq!(shop.api.get("/readyz").await.status, 503);
    drop(others);
    let back = Instant::now();
    finished(crowd).await;
    let back = back.elapsed();
    ready_again(&shop).await;
    verdict(&recorder, &database.connect().await.unwrap(), drop_id).await;
    assert_eq!(counts.broken(), 0);
    assert_fast("a refusal at max_connections", counts.slowest_refusal(), Duration::from_secs(5));
    save(report, &counts, back);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outsider_holding_the_drop_row() {
    let report = begin("an outsider holding the drop row");
    let kept = Duration::from_secs(if is_long() { 30 } else { 5 });
    let database = database().await;
    let shop =
        Start::on(&database.url()).quiet().with(&HOLD).with(&["--pool-size", "2"]).run().await;
    let (locked, other) = (new_drop(&shop, 100).await, new_drop(&shop, 100).await);
    let recorder = Recorder::new();
    let witness = Witness::new(shop.api.clone(), &recorder);
    let (counts, unaffected) = (Counts::default(), Counts::default());

    let mut outsider = Session::open(&database.url());
    let lock = format!("BEGIN; SELECT 'locked' FROM drops WHERE id = {locked} FOR UPDATE;");
    assert_eq!(outsider.run(&lock).await.unwrap(), ["locked"]);
    let since = Instant::now();
    let crowd = buyers(&witness, &counts, locked, 8, 2);
    let mut sold = 0;
    while since.elapsed() < kept {
        // The other drop is sold from, and the locked one is read, all the time.
        let name = format!("other_{sold}");
        let held = reserve(&witness, &unaffected, other, &name).await.expect("a unit");
        if sold < 40 {
            purchase(&witness, &unaffected, held, &name).await;
            sold += 1;
        }
        assert_eq!(witness.read(locked).await.status, Some(200));
        assert_eq!(shop.api.get("/readyz").await.status, 200, "one drop is not the store");
    }
    assert!(counts.refused() > 0, "nobody noticed");
    assert_eq!(unaffected.refused(), 0, "another drop was affected");
    assert_eq!(outsider.run("COMMIT; SELECT 'gone';").await.unwrap(), ["gone"]);
    let back = Instant::now();
    finished(crowd).await;
    let back = back.elapsed();
    let store = database.connect().await.unwrap();
    for drop_id in [locked, other] {
        verdict(&recorder, &store, drop_id).await;
    }
    // Twice the wait for a lock, and on any machine not until the outsider has gone.
    let slowest = counts.slowest_refusal();
    assert!(slowest < Duration::from_secs(10), "a refusal took {slowest:?}");
    assert_fast("a refusal of the locked drop", slowest, Duration::from_millis(2500));
    save(report, &counts, back);
}
