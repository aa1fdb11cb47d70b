//! What HTTP costs: connections that reserve, are refused, or look at the drops.
//!
//! `cargo bench -p drop-benches --bench http`. The router is the shop's, without rate limits, and
//! beside it axum with a mutex and a map, or with the same bytes. Both are served alike, to the
//! same client, which takes its share of the same cores.

mod bare;
mod client;

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::http::HeaderValue;
use axum::routing::get;
use drop_benches::report::{Cell, Goal, Question, Round};
use drop_benches::{Kind, Stores};
use drop_core::model::{DropId, DropTerms, HoldPolicy, NewDrop, Units};
use drop_core::{DropService, Reserve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::bare::Bare;
use crate::client::Asked;

const CONNECTIONS: u64 = 256;
/// Of the curve, with [`CONNECTIONS`] as its end.
const FEWER: [u64; 3] = [1, 16, 64];
/// The page of a shop.
const DROPS: u64 = 20;
/// Nothing lapses while it is measured.
const HOLD_SECONDS: u64 = 36_000;

/// A shop whose stock is for everybody, and one whose only unit is sold.
struct Shop {
    address: SocketAddr,
    service: DropService,
    open: DropId,
    sold_out: DropId,
}

impl Shop {
    /// The shop's router on a new store, with its workers and its hub beside it.
    async fn open(kind: Kind, stores: &mut Stores) -> Self {
        let hold = HoldPolicy::seconds(HOLD_SECONDS);
        let store = stores.open(kind).await;
        let (service, workers) = DropService::builder_shared(store).hold(hold).build();
        let (api, hub) = drop_http::builder(service.clone()).admin_key("s3cret".into()).build();
        let never = CancellationToken::new();
        tokio::spawn(workers.run(never.clone()));
        tokio::spawn(hub.run(never));
        let page = Router::new().route("/", get(|| async { "the page" }));
        let address = serve(page.merge(api)).await;
        let create = async |name: &str, total: Units| {
            let terms = DropTerms::new(name, "149.99", hold).expect("terms");
            let new = NewDrop::plain(terms, total).expect("a drop");
            service.create_drop(new).await.expect("a drop").id
        };
        let sold_out = create("Sold out", Units::ONE).await;
        let hold = service.reserve(sold_out, Reserve::one("first")).await.expect("a hold");
        service.purchase(hold.id(), "first").await.expect("a sale");
        let mut open = sold_out;
        for number in 1..DROPS {
            open = create(&format!("Air {number}"), Units::MAX).await;
        }
        Self { address, service, open, sold_out }
    }

    fn reserves(&self) -> Asked {
        reserves(self.address, self.open)
    }

    fn refusals(&self) -> Asked {
        Asked { status: 409, ..reserves(self.address, self.sold_out) }
    }

    fn looks(&self) -> Asked {
        looks(self.address)
    }
}

/// Served as `axum::serve` serves, without waiting for more to send.
async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        stream.set_nodelay(true).expect("a socket");
    });
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// Each of a new user.
fn reserves(address: SocketAddr, drop_id: DropId) -> Asked {
    let write = |asked: &Asked, number: u64, request: &mut Vec<u8>| {
        let body = format!("{{\"dropId\":{},\"username\":\"u{number:09}\"}}", asked.named);
        request.extend_from_slice(b"POST /api/reservations HTTP/1.1\r\nhost: shop\r\n");
        request.extend_from_slice(b"content-type: application/json\r\ncontent-length: ");
        request.extend_from_slice(body.len().to_string().as_bytes());
        request.extend_from_slice(b"\r\n\r\n");
        request.extend_from_slice(body.as_bytes());
    };
    Asked { address, named: drop_id.to_string(), write, status: 201 }
}

fn looks(address: SocketAddr) -> Asked {
    let write = |_: &Asked, _: u64, request: &mut Vec<u8>| {
        request.extend_from_slice(b"GET /api/drops HTTP/1.1\r\nhost: shop\r\n\r\n");
    };
    Asked { address, named: String::new(), write, status: 200 }
}

/// With the tag of what was seen last.
fn looks_again(address: SocketAddr, tag: &str) -> Asked {
    let write = |asked: &Asked, _: u64, request: &mut Vec<u8>| {
        request.extend_from_slice(b"GET /api/drops HTTP/1.1\r\nhost: shop\r\nif-none-match: ");
        request.extend_from_slice(asked.named.as_bytes());
        request.extend_from_slice(b"\r\n\r\n");
    };
    Asked { address, named: tag.to_owned(), write, status: 304 }
}

/// Everybody with a name who holds nothing.
fn looks_with_name(address: SocketAddr) -> Asked {
    let write = |_: &Asked, number: u64, request: &mut Vec<u8>| {
        let line = format!("GET /api/drops?username=n{number:09} HTTP/1.1\r\nhost: shop\r\n\r\n");
        request.extend_from_slice(line.as_bytes());
    };
    Asked { address, named: String::new(), write, status: 200 }
}

#[tokio::main]
async fn main() {
    let mut question = Question::new("http", "What does HTTP cost on top of the service?")
        .parameter("drops in the list", &DROPS)
        .parameter("rate limits", &"off");
    let mut stores = Stores::default();
    let cell = |work: &str, series: &str| Cell::new(work, series, "connections", CONNECTIONS);

    let reserve = cell("POST reserve", "memory");
    let refuse = cell("sold out", "memory");
    let look = cell("GET /api/drops", "memory");
    let again = cell("GET /api/drops, 304", "memory");
    let named = cell("GET /api/drops?username=", "memory");

    let memory = Shop::open(Kind::Memory, &mut stores).await;
    let file = Shop::open(Kind::File, &mut stores).await;
    // Nobody reserves here: what was seen stays the newest.
    let quiet = Shop::open(Kind::Memory, &mut stores).await;
    let seen = quiet.looks().once(0).await;
    let (head, body) = seen.split_once("\r\n\r\n").expect("an answer");
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag");
    let bare_open = serve(Bare::new(u64::MAX).router()).await;
    let bare_empty = serve(Bare::new(0).router()).await;
    let value = HeaderValue::from_str(tag).expect("a tag");
    let bare_list = serve(bare::bytes(body.to_owned(), value)).await;

    // Nobody's first request is in the figures.
    let warm = AtomicU64::new(900_000_000);
    let (first, asked) = (AtomicU64::new(0), memory.open);
    let mut contests = vec![
        (cell("POST reserve", "bare axum"), 100_000, reserves(bare_open, asked)),
        (reserve.clone(), 100_000, memory.reserves()),
        (reserve.by("file"), 100_000, file.reserves()),
        (
            cell("sold out", "bare axum"),
            100_000,
            Asked { status: 409, ..reserves(bare_empty, asked) },
        ),
        (refuse.clone(), 100_000, memory.refusals()),
        (refuse.by("file"), 100_000, file.refusals()),
        (look.by("bare axum"), 100_000, looks(bare_list)),
        (look.clone(), 100_000, quiet.looks()),
        (again.by("bare axum"), 100_000, looks_again(bare_list, tag)),
        (again.clone(), 100_000, looks_again(quiet.address, tag)),
        (named.clone(), 50_000, looks_with_name(quiet.address)),
    ];
    let postgres = cell("POST reserve", "postgres");
    let wants_postgres = [&postgres, &refuse.by("postgres"), &look.by("postgres")];
    if wants_postgres.iter().any(|cell| question.wants(cell)) {
        let shop = Shop::open(Kind::Postgres, &mut stores).await;
        contests.push((postgres.clone(), 40_000, shop.reserves()));
        contests.push((refuse.by("postgres"), 100_000, shop.refusals()));
        contests.push((look.by("postgres"), 100_000, shop.looks()));
    }
    // The curve: as long a round as there are connections, and long enough.
    let mut curve = Vec::new();
    for few in FEWER {
        for (cell, count, asked) in contests.iter().filter(|(cell, ..)| cell.work == reserve.work) {
            curve.push((cell.at(few), (count * few / CONNECTIONS).max(2_000), asked.clone()));
        }
    }
    contests.extend(curve);
    contests.retain(|(cell, ..)| question.wants(cell));
    for (cell, count, asked) in &contests {
        asked.by(cell.x, &warm, count / 20).await;
    }
    for _ in 0..question.rounds(3, 9) {
        for (cell, count, asked) in &contests {
            let (took, waits) = asked.by(cell.x, &first, *count).await;
            question.record(cell, "/s", Round::rate(*count, took).waited(waits));
        }
    }
    question.goal(Goal::times(&reserve, &reserve.by("bare axum")).at_least(0.8));
    question.goal(Goal::figure(&reserve.by("file")).at_least(60_000.0));
    question.goal(Goal::figure(&postgres).at_least(25_000.0));
    question.goal(Goal::p99(&postgres).at_most(20.0));
    for series in ["memory", "file", "postgres"] {
        question.goal(Goal::figure(&refuse.by(series)).at_least(100_000.0));
    }
    question.goal(Goal::times(&refuse, &refuse.by("bare axum")));
    question.goal(Goal::times(&look, &look.by("bare axum")).at_least(0.8));
    question.goal(Goal::times(&again, &look).at_least(1.0));
    let audit = memory.service.audit(memory.open).await.expect("an audit");
    assert!(audit.is_sound(), "{audit:?}");
    question.finish();
}
