//! The server that is measured, in a process of its own, so that memory and time are its own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use drop_core::model::{DropId, DropTerms, HoldPolicy, NewDrop, Units};
use drop_core::{DropService, Reserve, Update};
use drop_store_memory::MemoryStore;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client::{Crowd, Socket};
use crate::machine::{Cpu, resident_bytes};

/// The word by which this program knows that it is to be the server.
pub(crate) const ROLE: &str = "server-of-sockets";
/// How often a drop may be told of.
const WINDOW: Duration = Duration::from_millis(50);
/// Sockets whose frames are looked at, in the server's own process: there is one clock for both.
const WATCHED: u64 = 50;
/// What did not come so long after the load has ended never will.
const LATEST: Duration = Duration::from_secs(30);
/// Callers who reserve.
const CALLERS: u64 = 64;
/// Between two commits that the watched sockets are held to.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Between two reserves of a caller, where the load is paced.
const PACE: Duration = Duration::from_millis(5);

/// What was found.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Found {
    /// Resident memory that a connection added.
    pub(crate) bytes: f64,
    /// Processor time for each frame that arrived, with the load that caused it.
    pub(crate) micros: f64,
    /// Frames a second that a socket got.
    pub(crate) frames: f64,
    /// Reserves a second.
    pub(crate) reserves: f64,
    /// How long after a commit each watched socket had it or something newer.
    pub(crate) waits: Vec<Duration>,
}

/// What this process does: `ours|bare SOCKETS paced|full SECONDS`.
pub(crate) async fn run(arguments: &[String]) {
    let _ = rlimit::increase_nofile_limit(64 * 1024);
    let sockets: u64 = arguments[1].parse().expect("a number");
    let pace = (arguments[2] == "paced").then_some(PACE);
    let span = Duration::from_secs(arguments[3].parse().expect("seconds"));
    let hold = HoldPolicy::seconds(36_000);
    let (service, workers) = DropService::builder(MemoryStore::new()).hold(hold).build();
    let never = CancellationToken::new();
    tokio::spawn(workers.run(never.clone()));
    let new = NewDrop::plain(DropTerms::new("Air One", "149.99", hold).expect("terms"), Units::MAX);
    let drop_id = service.create_drop(new.expect("a drop")).await.expect("a drop").id;
    let router = if arguments[0] == "ours" {
        let builder = drop_http::builder(service.clone()).max_sockets(100_000);
        let (router, hub) = builder.conflate_within(WINDOW).build();
        tokio::spawn(hub.run(never.clone()));
        router
    } else {
        bare(&service)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        stream.set_nodelay(true).expect("a socket");
    });
    let served = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, served).await });

    let mut load = Load { service, drop_id, next: 0, commits: Arc::default() };
    let watched = WATCHED.min(sockets);
    let seen = watch(address, watched).await;
    load.few().await;
    let before = resident_bytes();
    let gather = move || Crowd::gather(address, sockets - watched);
    let mut crowd = tokio::task::spawn_blocking(gather).await.expect("a crowd");
    // So that every socket has sent what it sends.
    load.few().await;
    let grown = resident_bytes().saturating_sub(before);
    let others = f64::from(u32::try_from(sockets - watched).expect("few").max(1));

    let watched_frames = seen.frames();
    let (cpu, frames, began) = (Cpu::now(), crowd.frames(), Instant::now());
    let reserves = load.run(pace, span).await;
    let took = began.elapsed();
    seen.catch_up(&load.commits).await;
    tokio::time::sleep(4 * WINDOW).await;
    let spent = cpu.spent();
    let frames = crowd.frames() - frames + seen.frames() - watched_frames;
    let frames = f64::from(u32::try_from(frames).expect("few"));
    let all = f64::from(u32::try_from(sockets).expect("few"));
    let found = Found {
        bytes: f64::from(u32::try_from(grown).expect("few")) / others,
        micros: spent.as_secs_f64() * 1e6 / frames,
        frames: frames / all / took.as_secs_f64(),
        reserves: f64::from(u32::try_from(reserves).expect("few")) / took.as_secs_f64(),
        waits: seen.waits(&load.commits.lock().expect("not poisoned")),
    };
    println!("{}", serde_json::to_string(&found).expect("JSON"));
    drop(crowd);
    std::process::exit(0);
}

/// Callers of one drop.
struct Load {
    service: DropService,
    drop_id: DropId,
    next: u64,
    /// When this version was answered.
    commits: Arc<Mutex<Vec<(u64, Instant)>>>,
}

impl Load {
    /// A few changes, far apart.
    async fn few(&mut self) {
        for _ in 0..8 {
            self.next += 1;
            let ask = Reserve::one(format!("u{:09}", self.next));
            self.service.reserve(self.drop_id, ask).await.expect("a hold");
            tokio::time::sleep(2 * WINDOW).await;
        }
    }

    /// How many were made.
    async fn run(&mut self, pace: Option<Duration>, span: Duration) -> u64 {
        let until = Instant::now() + span;
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            let (service, drop_id) = (self.service.clone(), self.drop_id);
            let commits = self.commits.clone();
            let mut name = (caller + 1) * 1_000_000 + self.next;
            callers.spawn(async move {
                let (mut made, mut looked) = (0, Instant::now());
                while Instant::now() < until {
                    name += 1;
                    let ask = Reserve::one(format!("c{name:09}"));
                    let hold = service.reserve(drop_id, ask).await.expect("a hold");
                    made += 1;
                    // Some of one caller's commits are enough to go by.
                    let answered = Instant::now();
                    if caller == 0 && answered - looked >= LOOK_EVERY {
                        looked = answered;
                        let commit = (hold.revision.get(), answered);
                        commits.lock().expect("not poisoned").push(commit);
                    }
                    match pace {
                        Some(pace) => tokio::time::sleep(pace).await,
                        None => tokio::task::yield_now().await,
                    }
                }
                made
            });
        }
        callers.join_all().await.into_iter().sum()
    }
}

/// What was seen, and when.
type Sightings = Vec<(u64, Instant)>;

/// What the watched sockets saw: which version when.
struct Seen(Vec<Arc<Mutex<Sightings>>>);

async fn watch(address: SocketAddr, sockets: u64) -> Seen {
    let mut all = Vec::new();
    for _ in 0..sockets {
        let mut socket = Socket::open(address).await.expect("a socket");
        let seen: Arc<Mutex<Vec<(u64, Instant)>>> = Arc::default();
        all.push(seen.clone());
        tokio::spawn(async move {
            while let Ok(frame) = socket.next().await {
                if let Some(version) = version(socket.payload(&frame)) {
                    seen.lock().expect("not poisoned").push((version, Instant::now()));
                }
            }
        });
    }
    Seen(all)
}

/// Of a `stockUpdated`; reading no more than that.
fn version(payload: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(payload).ok()?;
    let rest = text.strip_prefix("{\"event\":\"stockUpdated\"")?.split_once("\"version\":")?.1;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

impl Seen {
    fn frames(&self) -> u64 {
        let each = self.0.iter().map(|seen| seen.lock().expect("not poisoned").len());
        u64::try_from(each.sum::<usize>()).expect("few")
    }

    /// Waits until each has seen the last commit: what comes late counts as late, and not as lost.
    async fn catch_up(&self, commits: &Mutex<Sightings>) {
        let last = commits.lock().expect("not poisoned").last().map(|(version, _)| *version);
        let newest = |seen: &Arc<Mutex<Sightings>>| {
            seen.lock().expect("not poisoned").last().map(|(version, _)| *version)
        };
        let until = Instant::now() + LATEST;
        while Instant::now() < until && !self.0.iter().all(|seen| newest(seen) >= last) {
            tokio::time::sleep(WINDOW).await;
        }
    }

    /// How long after each commit each socket had it or something newer.
    fn waits(&self, commits: &[(u64, Instant)]) -> Vec<Duration> {
        let mut waits = Vec::new();
        for seen in &self.0 {
            let seen = seen.lock().expect("not poisoned");
            let mut seen = seen.iter().peekable();
            for (version, committed) in commits {
                while seen.next_if(|(known, _)| known < version).is_some() {}
                // What came never is the longest wait there is.
                let wait = seen.peek().map(|(_, at)| at.saturating_duration_since(*committed));
                waits.push(wait.unwrap_or(LATEST));
            }
        }
        waits
    }
}

/// What is measured beside: the newest value, written once for all, twenty times a second.
fn bare(service: &DropService) -> Router {
    let (sender, _) = broadcast::channel::<Utf8Bytes>(16);
    let mut updates = service.subscribe();
    let telling = sender.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(WINDOW);
        let mut newest = None;
        loop {
            tokio::select! {
                update = updates.next() => match update {
                    Some(Update::Changed(change)) => newest = Some(change),
                    Some(_) => {}
                    None => return,
                },
                _ = ticks.tick() => if let Some(change) = newest.take() {
                    let stock = change.stock();
                    let text = format!(
                        "{{\"event\":\"stockUpdated\",\"dropId\":{},\"availableStock\":{available},\
                         \"heldStock\":{held},\"soldCount\":{sold},\"version\":{},\"variants\":[\
                         {{\"name\":null,\"totalStock\":{},\"availableStock\":{available},\
                         \"heldStock\":{held},\"soldCount\":{sold}}}]}}",
                        change.drop_id,
                        change.revision,
                        stock.total(),
                        available = stock.available(),
                        held = stock.held(),
                        sold = stock.sold(),
                    );
                    let _ = telling.send(text.into());
                },
            }
        }
    });
    Router::new().route("/ws", get(connect)).with_state(sender)
}

async fn connect(
    State(sender): State<broadcast::Sender<Utf8Bytes>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(move |socket| tell(socket, sender.subscribe()))
}

async fn tell(mut socket: WebSocket, mut receiver: broadcast::Receiver<Utf8Bytes>) {
    loop {
        let text = match receiver.recv().await {
            Ok(text) => text,
            Err(broadcast::error::RecvError::Lagged(_)) => continue,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if socket.send(Message::Text(text)).await.is_err() {
            return;
        }
    }
}
