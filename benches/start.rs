//! How long after its start the shop answers.
//!
//! `cargo bench -p drop-benches --bench start`; the shop is the one that
//! `cargo build --release -p drop-shop` makes, which the bench calls first.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drop_benches::report::{Cell, Goal, Question, Round, float};
use drop_benches::shops::{Contender, Ours, Shop};
use drop_benches::{Kind, STOCK, Stores};
use drop_core::model::HoldPolicy;
use drop_store_memory::FileStore;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

const RESERVATIONS: [u64; 4] = [0, 10_000, 100_000, 1_000_000];
/// The goal's.
const MANY: u64 = 1_000_000;
const CALLERS: usize = 1_024;

#[tokio::main]
async fn main() {
    let mut question =
        Question::new("start", "How long after its start does the shop answer `/readyz`?")
            .parameter("from", &"before the process is made")
            .parameter("until", &"the 200 of the first request that is answered");
    let shop = build().await;
    let rounds = question.rounds(3, 9);
    let memory = Cell::new("first answer", Kind::Memory.name(), "reservations", 0);
    let postgres = memory.by(Kind::Postgres.name());
    let mut stores = Stores::default();
    let database =
        if question.wants(&postgres) { Some(stores.database().await.url()) } else { None };
    for _ in 0..rounds {
        if question.wants(&memory) {
            question.record(&memory, "ms", start(&shop, "memory").await);
        }
        if let Some(url) = &database {
            question.record(&postgres, "ms", start(&shop, url).await);
        }
    }
    for reservations in RESERVATIONS {
        let cell = memory.by(Kind::File.name()).at(reservations);
        if !question.wants(&cell) {
            continue;
        }
        let directory = tempfile::tempdir().expect("a directory");
        fill(directory.path(), reservations).await;
        let store = format!("file:{}", directory.path().display());
        for _ in 0..rounds {
            let round = start(&shop, &store).await;
            question.record(&cell, "ms", round);
        }
        if reservations > 0 {
            let bytes = float(size(directory.path())) / float(reservations);
            let on_disk = Cell { work: "a reservation on disk".to_owned(), ..cell };
            question.record(&on_disk, "bytes", Round::of(bytes));
        }
    }
    let file = memory.by(Kind::File.name());
    for cell in [&memory, &file, &postgres] {
        question.goal(Goal::figure(cell).at_most(200.0));
    }
    question.goal(Goal::figure(&file.at(MANY)).at_most(2_000.0));
    question.finish();
}

/// The shop's binary, made anew where anything changed.
async fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--release", "-q", "-p", "drop-shop", "--bin", "drop-shop"]);
    let status = cargo.current_dir(&root).status().await.expect("cargo");
    assert!(status.success(), "the shop builds");
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or(root.join("target")).join("release/drop-shop")
}

/// Holds in one drop of a file, by a service that is closed in order.
async fn fill(directory: &Path, reservations: u64) {
    let store = Arc::new(FileStore::open(directory).expect("a file store"));
    let hold = HoldPolicy::seconds(3600);
    let ours = Ours::over(store.clone(), Stores::default(), Kind::File, hold);
    let drop_id = Shop::open(&ours, STOCK).await;
    if let Ok(count @ 1..) = usize::try_from(reservations) {
        let answered = ours.crowd(CALLERS, &[drop_id], count).await;
        assert!(answered.answers.iter().all(Option::is_some), "stock for everybody");
    }
    drop(ours);
    // Its workers let it go a moment after they were told to.
    while Arc::strong_count(&store) > 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Starts the shop on a store, and stops it once it has answered.
async fn start(shop: &Path, store: &str) -> Round {
    let arguments = ["--store", store, "--bind", "127.0.0.1:0", "--demo", "off"];
    let began = Instant::now();
    let mut process: Child = Command::new(shop)
        .args(arguments)
        .env("RUST_LOG", "off")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the shop");
    let stdout = process.stdout.take().expect("its output");
    let mut lines = BufReader::new(stdout).lines();
    let line = lines.next_line().await.expect("its output").expect("a line with its address");
    let address = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("http://"))
        .expect("an address")
        .trim_end_matches([',', '/'])
        .to_owned();
    ready(&address).await;
    let took = began.elapsed();
    let pid = process.id().expect("it runs").to_string();
    let status = Command::new("kill").args(["-TERM", &pid]).status().await.expect("kill");
    assert!(status.success(), "it is told to stop");
    let status = process.wait().await.expect("it stops");
    assert!(status.success(), "it stops in order");
    Round::of(took.as_secs_f64() * 1000.0)
}

async fn ready(address: &str) {
    loop {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let request = "GET /readyz HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        if answer.starts_with("HTTP/1.1 200") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn size(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory).expect("the directory");
    files.map(|file| file.and_then(|file| file.metadata()).expect("a file").len()).sum()
}
