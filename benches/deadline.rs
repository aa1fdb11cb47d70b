//! How long after its deadline a lapsed hold's stock is on a WebSocket, on an idle machine.
//!
//! `cargo bench -p drop-benches --bench deadline`

use std::net::SocketAddr;
use std::time::Duration;

use drop_benches::report::{Cell, Question, Round, Waits};
use drop_benches::{Kind, STOCK, Stores, new_drop};
use drop_core::model::{HoldPolicy, Timestamp};
use drop_core::{Clock, DropService, Reserve, SystemClock};
use futures::StreamExt;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_tungstenite::connect_async;
use tokio_util::sync::CancellationToken;

const HOLDS: u32 = 50;
/// Between two reserves, so that the deadlines lie apart and each has its own frame.
/// No hold is taken near the deadline of another either: a frame that tells of both tells of neither.
const APART: Duration = Duration::from_millis(200);
const HOLD: Duration = Duration::from_millis(1500);

#[tokio::main]
async fn main() {
    let mut question = Question::new(
        "deadline",
        "How long after its deadline is a lapsed hold's unit on a WebSocket?",
    )
    .parameter("holds", &format!("{HOLDS} in a round, {APART:?} apart, on an idle machine"));
    for _ in 0..question.rounds(1, 5) {
        for kind in Kind::ALL {
            let cell = Cell::new("told after", kind.name(), "holds", u64::from(HOLDS));
            if question.wants(&cell) {
                let mut stores = Stores::default();
                let waits = Waits::of(measure(kind, &mut stores).await);
                question.record(&cell, "ms", Round { waits: Some(waits), ..Round::of(waits.max) });
            }
        }
    }
    question.finish();
}

async fn measure(kind: Kind, stores: &mut Stores) -> Vec<Duration> {
    let hold = HoldPolicy::new(HOLD, HOLD).expect("a policy");
    let (service, workers) = DropService::builder_shared(stores.open(kind).await).build();
    let (router, hub) = drop_http::builder(service.clone()).build();
    let cancel = CancellationToken::new();
    let working = tokio::spawn(workers.run(cancel.clone()));
    let feeding = tokio::spawn(hub.run(cancel.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });

    let (mut socket, _) = connect_async(format!("ws://{address}/ws")).await.expect("a socket");
    let drop_id = service.create_drop(new_drop(hold)).await.expect("a drop").id;
    let reserving = tokio::spawn(async move {
        let mut deadlines = Vec::new();
        for number in 0..HOLDS {
            let name = format!("user_{number}");
            let held = service.reserve(drop_id, Reserve::one(name)).await.expect("a hold");
            deadlines.push(held.reservation.expires_at());
            tokio::time::sleep(APART).await;
        }
        deadlines
    });
    // Each settled hold raises what is available over what it was: note when.
    let total = i64::from(STOCK);
    let mut settled: Vec<Timestamp> = Vec::new();
    let mut held_before = 0;
    let mut taken = 0;
    while settled.len() < usize::try_from(HOLDS).expect("few") {
        let message = socket.next().await.expect("a frame").expect("an open socket");
        let now = SystemClock.now();
        let Ok(frame) = serde_json::from_str::<Value>(message.to_text().unwrap_or("")) else {
            continue;
        };
        if frame["event"] != "stockUpdated" || frame["dropId"].as_i64() != Some(drop_id.get()) {
            continue;
        }
        let held = total - frame["availableStock"].as_i64().expect("a count");
        if held > held_before {
            taken += held - held_before;
        } else {
            let ended = usize::try_from(held_before - held).expect("a count");
            settled.extend(std::iter::repeat_n(now, ended));
        }
        held_before = held;
    }
    assert_eq!(taken, i64::from(HOLDS), "every hold had its own frame");
    let deadlines = reserving.await.expect("the reserving task");
    let late = deadlines.iter().zip(&settled).map(|(deadline, told)| told.since(*deadline));
    let late = late.collect();
    serving.abort();
    cancel.cancel();
    working.await.expect("the workers");
    feeding.await.expect("the hub");
    late
}
