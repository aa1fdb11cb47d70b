//! The network between client and shop: cut before and after each step, drip, black hole, the
//! answer lost. The client asks the same again; it is done exactly once, and every connection's
//! permit is given back.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use drop_core::conformance::history::{Answer, Recorder};
use drop_core::conformance::{Report, is_long};
use drop_core::model::{DropId, ReservationId};
use drop_store_memory::FileStore;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::shoppers::verdict;
use super::witness::{Told, Witness};
use crate::support::{Api, Cut, Cutter, Shop, Start, database};

const REPLAY: &str = "cargo test -p drop-shop --test shop -- proof::network --test-threads=1";
/// A guard against hanging, not a measure.
const PATIENCE: Duration = Duration::from_secs(60);
/// When a client in a black hole gives up.
const GIVE_UP: Duration = Duration::from_millis(300);
/// File descriptors of the shop, of which 256 are for other things: 64 connections.
const FILES: u32 = 320;
const CONNECTIONS: usize = 64;

fn address(shop: &Shop) -> SocketAddr {
    shop.origin.trim_start_matches("http://").parse().expect("an address")
}

/// Sockets that the shop has open.
fn sockets(shop: &Shop) -> usize {
    let folder = format!("/proc/{}/fd", shop.process.id());
    let files = std::fs::read_dir(folder).expect("its files").flatten();
    let links = files.filter_map(|file| std::fs::read_link(file.path()).ok());
    links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
}

/// All connections that a shop may have, at once, each of which is answered.
async fn every_permit_is_usable(shop: &Shop) {
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(address(shop)).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
        let mut head = [0; 12];
        let answer = stream.read_exact(&mut head);
        tokio::time::timeout(PATIENCE, answer).await.expect("a permit").unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
        streams.push(stream);
    }
}

/// The clients of one run, and what their history is kept in.
struct Clients {
    shop: Shop,
    proxy: Cutter,
    through: Witness,
    recorder: Recorder,
}

impl Clients {
    async fn of(store: &str) -> Self {
        let mut start = Start::on(store).quiet().with(&["--hold-seconds", "300"]);
        start.file_limit = Some(FILES);
        let shop = start.run().await;
        let proxy = Cutter::before(address(&shop)).await;
        let recorder = Recorder::new();
        // A connection for each request, so that each has its plan.
        let api = Api::unpooled(&proxy.origin(), Shop::KEY);
        let through = Witness::new(api, &recorder);
        Self { shop, proxy, through, recorder }
    }

    /// The request fails in the way planned; whether it was done the repetition says.
    async fn cut_then_again(&self, cut: Cut, ask: impl AsyncFn() -> Told) -> Told {
        self.proxy.plan(cut);
        match tokio::time::timeout(PATIENCE, ask()).await {
            Ok(told) => {
                assert!(told.status.is_none() && told.answer == Answer::Unknown, "{told:?}");
            }
            Err(_) => panic!("{cut:?} was not noticed"),
        }
        let told = ask().await;
        assert!(matches!(told.status, Some(200 | 201)), "{cut:?}: {told:?}");
        told
    }
}

fn hold_of(told: &Told) -> (ReservationId, bool) {
    match told.answer {
        Answer::Reserved { reservation, extended, .. } => (reservation, extended),
        _ => panic!("{told:?}"),
    }
}

fn repeated(told: &Told) -> bool {
    match told.answer {
        Answer::Purchased { repeated, .. } => repeated,
        _ => panic!("{told:?}"),
    }
}

/// Cuts at `positions` of the request, or of its answer.
async fn cut_everywhere(clients: &Clients, drop_id: DropId) -> usize {
    let through = &clients.through;
    // How long requests and answers are.
    let first = through.reserve(drop_id, "measure_0001").await;
    let (reserve_bytes, held_bytes) = settled(&clients.proxy).await;
    through.purchase(hold_of(&first).0, "measure_0001").await;
    let (purchase_bytes, bought_bytes) = settled(&clients.proxy).await;
    let stride = if is_long() { 1 } else { 9 };
    let mut cuts = 0;
    let requests = (0..reserve_bytes.max(purchase_bytes)).step_by(stride).map(Cut::Request);
    let answers = (0..held_bytes.max(bought_bytes)).step_by(stride).map(Cut::Answer);
    // Inside of whichever is cut: ids grow, so the first was the shortest.
    let within = |cut, request: usize, answer: usize| match cut {
        Cut::Request(at) => Cut::Request(at.min(request - 1)),
        Cut::Answer(at) => Cut::Answer(at.min(answer - 1)),
        other => other,
    };
    for (number, cut) in requests.chain(answers).enumerate() {
        // Names of one length, so that requests are.
        let name = format!("client_{number:05}");
        let here = within(cut, reserve_bytes, held_bytes);
        let held = clients.cut_then_again(here, async || through.reserve(drop_id, &name).await);
        let (reservation, extended) = hold_of(&held.await);
        let here = within(cut, purchase_bytes, bought_bytes);
        let bought =
            clients.cut_then_again(here, async || through.purchase(reservation, &name).await);
        let repeated = repeated(&bought.await);
        // What was cut before its end was never asked; where an answer had begun it was done.
        let done = matches!(cut, Cut::Answer(_));
        assert_eq!((extended, repeated), (done, done), "{cut:?}");
        cuts += 2;
    }
    // Between the last byte of a request and its answer: done or not, and never twice.
    for number in 0..20 {
        let name = format!("middle_{number:05}");
        let cut = Cut::Request(reserve_bytes);
        clients.cut_then_again(cut, async || through.reserve(drop_id, &name).await).await;
        cuts += 1;
    }
    cuts
}

/// The counts of a connection that passed whole, once its relay has ended.
async fn settled(proxy: &Cutter) -> (usize, usize) {
    let began = Instant::now();
    loop {
        let (up, down) = proxy.passed();
        if up > 0 && down > 0 {
            proxy.forget();
            return (up, down);
        }
        assert!(began.elapsed() < PATIENCE, "the connection does not end");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn run(store: &str) -> (Clients, DropId, usize) {
    let clients = Clients::of(store).await;
    let drop_id = clients.shop.api.plain_drop(100_000).await;
    let drop_id = DropId::new(drop_id).unwrap();
    let cuts = cut_everywhere(&clients, drop_id).await;

    // Drip: slow, and whole.
    clients.proxy.plan(Cut::Drip);
    let dripped = clients.through.reserve(drop_id, "dripped").await;
    assert_eq!(dripped.status, Some(201), "{dripped:?}");

    // Black hole: the client gives up and asks again.
    for turn in 0..3 {
        let name = format!("lost_{turn}");
        clients.proxy.plan(Cut::BlackHole);
        let swallowed = clients.through.reserve(drop_id, &name);
        assert!(tokio::time::timeout(GIVE_UP, swallowed).await.is_err(), "something came out");
        assert!(!hold_of(&clients.through.reserve(drop_id, &name).await).1);
    }

    // Connections that stop in the middle of a header take permits, until they are cut.
    let quiet = sockets(&clients.shop);
    let mut halves = Vec::new();
    for _ in 0..CONNECTIONS / 2 {
        let mut half = TcpStream::connect(clients.proxy.address()).await.unwrap();
        half.write_all(b"POST /api/reservations HTTP/1.1\r\nhost: sh").await.unwrap();
        halves.push(half);
    }
    let told = clients.through.read(drop_id).await;
    assert_eq!(told.status, Some(200));
    drop(halves);
    let began = Instant::now();
    while sockets(&clients.shop) > quiet {
        assert!(began.elapsed() < PATIENCE, "{} sockets, {quiet} before", sockets(&clients.shop));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    every_permit_is_usable(&clients.shop).await;
    (clients, drop_id, cuts)
}

fn begin(store: &str) -> Report {
    let name = format!("client and app: cut, drip, black hole: {store}");
    Report::begin("network", &name, REPLAY)
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_drip_and_black_hole_between_client_and_app_exactly_once() {
    let report = begin("PostgreSQL");
    let database = database().await;
    let (clients, drop_id, cuts) = run(&database.url()).await;
    verdict(&clients.recorder, &database.connect().await.unwrap(), drop_id).await;
    report.figure("requests cut at another byte each, then repeated", &cuts).save();
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_drip_and_black_hole_between_client_and_app_exactly_once_file() {
    let report = begin("file");
    let directory = tempfile::tempdir().expect("a directory");
    let store = format!("file:{}", directory.path().display());
    let (mut clients, drop_id, cuts) = run(&store).await;
    clients.shop.process.kill().await;
    let store = FileStore::open(directory.path()).expect("the file opens");
    verdict(&clients.recorder, &store, drop_id).await;
    report.figure("requests cut at another byte each, then repeated", &cuts).save();
}
