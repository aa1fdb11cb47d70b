//! Wrong clocks: of one of two instances, of the database, jumping while they run. Never
//! oversold; an instance's wrong clock has no visible effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use drop_core::conformance::history::{Answer, Recorder};
use drop_core::conformance::{Report, is_long};
use drop_core::model::{DropId, Timestamp};
use drop_core::{Clock, SystemClock};
use drop_store_postgres::testing::Cluster;
use serde_json::{Value, json};

use super::shoppers::verdict;
use super::witness::{Witness, feed};
use crate::lifecycle::{Watch, watch};
use crate::support::{FakeTime, Shop, Start, database};

const REPLAY: &str = "cargo test -p drop-shop --test shop -- proof::clocks --test-threads=1";
const HOUR: i64 = 3600;
/// Long enough to do a few things in, on a loaded machine too.
const HOLD: Duration = Duration::from_secs(4);
/// How far a time in an answer may be from the machine's: far less than any clock is wrong by.
const NEAR: Duration = Duration::from_secs(100);
/// A guard against hanging, not a measure; far less than any clock is wrong by.
const PATIENCE: Duration = Duration::from_secs(60);

fn start_under(time: &FakeTime, store: &str) -> Start {
    let mut start = Start::on(store).quiet();
    for (name, value) in time.environment() {
        start = start.set(name, &value);
    }
    start.with(&["--hold-seconds", &HOLD.as_secs().to_string()])
}

fn time(value: &Value) -> Timestamp {
    Timestamp::parse_rfc3339(value.as_str().expect("a time")).expect("RFC 3339")
}

fn assert_near_now(what: &str, at: Timestamp) {
    let now = SystemClock.now();
    let off = now.since(at).max(at.since(now));
    assert!(off < NEAR, "{what}: {at} is {off:?} from {now}");
}

/// The next frame of a kind about a drop.
async fn hears(watch: &mut Watch, event: &str, drop_id: DropId) -> Value {
    let heard = async {
        loop {
            let frame = watch.change().await;
            if frame["event"] == event && frame["dropId"] == drop_id.get() {
                return frame;
            }
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.unwrap_or_else(|_| panic!("no {event}"))
}

/// A hold at the wrong instance, from its beginning past its end, with a jump in between.
async fn a_hold_lives_and_ends(
    shops: &[Shop; 2],
    recorder: &Recorder,
    jump: impl FnOnce(),
) -> DropId {
    let [wrong, right] = shops;
    let drop_id = DropId::new(wrong.api.plain_drop(1).await).unwrap();
    let mut watches = [watch(wrong).await, watch(right).await];
    let began = Instant::now();
    let witness = Witness::new(wrong.api.clone(), recorder);
    let ticket = witness.begin_reserve(drop_id, "ann");
    let held = wrong.api.reserve(drop_id.get(), "ann").await.unwrap();
    assert_eq!(held.status, 201, "{held:?}");
    let hold = witness.end_reserve(ticket, held.clone()).reservation().expect("a hold");
    // A countdown is the distance of these two, whatever a clock here says.
    let expires_at = time(&held.body["reservation"]["expiresAt"]);
    let server_time = time(&held.body["serverTime"]);
    assert_eq!(expires_at.since(server_time), HOLD);
    assert_near_now("serverTime of a hold", server_time);
    jump();
    let early = witness.reserve(drop_id, "bob").await;
    if began.elapsed() < HOLD {
        assert_eq!(early.error, "OUT_OF_STOCK", "not a moment too early");
    }
    // What a client sees who comes now.
    let frame = first_frame(wrong).await;
    assert_near_now("serverTime of a snapshot", time(&frame["serverTime"]));
    for watch in &mut watches {
        loop {
            let told = hears(watch, "stockUpdated", drop_id).await;
            if told["availableStock"] == 1 {
                break;
            }
        }
        assert!(began.elapsed() >= HOLD, "told after {:?}", began.elapsed());
    }
    let late = witness.purchase(hold, "ann").await;
    assert_eq!(late.error, "RESERVATION_EXPIRED", "not a moment too late");
    let next = witness.reserve(drop_id, "cat").await;
    assert_eq!(next.status, Some(201), "{next:?}");
    let bought = witness.purchase(next.reservation().unwrap(), "cat").await;
    assert_eq!(bought.status, Some(201), "{bought:?}");
    drop_id
}

/// The first frame of a socket that is opened now.
async fn first_frame(shop: &Shop) -> Value {
    use futures::StreamExt;
    let (mut socket, _) = tokio_tungstenite::connect_async(shop.socket()).await.unwrap();
    let frame = socket.next().await.expect("a frame").unwrap();
    serde_json::from_str(frame.to_text().unwrap()).unwrap()
}

/// A window opens by the store's time, and everybody hears of it.
async fn a_window_opens(shops: &[Shop; 2], jump: impl FnOnce()) {
    let mut watches = [watch(&shops[0]).await, watch(&shops[1]).await];
    let opens_at = SystemClock.now().saturating_add(Duration::from_secs(3));
    let new =
        json!({"name": "Soon", "price": "1", "totalStock": 1, "startsAt": opens_at.to_string()});
    let drop_id = shops[0].api.create_drop(new).await;
    let early = shops[0].api.reserve(drop_id, "early").await.unwrap();
    if SystemClock.now() < opens_at {
        assert_eq!(early.body["error"], "DROP_NOT_ACTIVE", "{early:?}");
    }
    jump();
    for watch in &mut watches {
        hears(watch, "dropOpened", DropId::new(drop_id).unwrap()).await;
        assert!(SystemClock.now() >= opens_at, "too early");
    }
    assert_eq!(shops[0].api.reserve(drop_id, "in_time").await.unwrap().status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn faketime_on_one_of_two_instances_has_no_visible_effect() {
    let report = Report::begin("clocks", "one of two instances", REPLAY);
    let database = database().await;
    let recorder = Recorder::new();
    let clock = FakeTime::new();
    // An hour fast, minutes slow, and jumps in the middle of a hold.
    let wrongs: &[(i64, i64)] = if is_long() {
        &[(HOUR, HOUR), (-420, -420), (0, -HOUR), (0, HOUR), (-HOUR, 2 * HOUR), (HOUR, -86_400)]
    } else {
        &[(-420, -420), (HOUR, -HOUR)]
    };
    let mut drops = Vec::new();
    for &(at_first, then) in wrongs {
        clock.ahead(at_first);
        let start = start_under(&clock, &database.url());
        let right = Start::on(&database.url()).quiet();
        let right = right.with(&["--hold-seconds", &HOLD.as_secs().to_string()]);
        let shops = [start.run().await, right.run().await];
        drops.push(a_hold_lives_and_ends(&shops, &recorder, || clock.ahead(then)).await);
        clock.ahead(at_first);
        a_window_opens(&shops, || clock.ahead(then)).await;
    }
    let store = database.connect().await.unwrap();
    for drop_id in drops {
        verdict(&recorder, &store, drop_id).await;
    }
    report.figure("wrong clocks (seconds ahead, then)", &format!("{wrongs:?}")).save();
}

/// The one instance there is: nobody else settles what lapses, and nobody else tells of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_whose_clock_jumps_back_while_alone_tells_of_what_lapsed() {
    let database = database().await;
    let clock = FakeTime::new();
    clock.ahead(HOUR);
    let shop = start_under(&clock, &database.url()).run().await;
    let drop_id = DropId::new(shop.api.plain_drop(1).await).unwrap();
    let mut watch = watch(&shop).await;
    assert_eq!(shop.api.reserve(drop_id.get(), "ann").await.unwrap().status, 201);
    clock.ahead(-HOUR);
    while hears(&mut watch, "stockUpdated", drop_id).await["availableStock"] != 1 {}
}

/// Buyers on both instances until told to stop; a hold that the store's time has ended is taken
/// anew.
async fn buyer(
    witness: Witness,
    drop_id: DropId,
    name: String,
    over: Arc<AtomicBool>,
    bought: Arc<AtomicU64>,
) {
    for turn in 0.. {
        if over.load(Ordering::SeqCst) {
            return;
        }
        let name = format!("{name}_{turn}");
        let held = witness.reserve(drop_id, &name).await;
        match (held.status, held.error.as_str()) {
            (Some(200 | 201), _) => {}
            (Some(409), "OUT_OF_STOCK") => return,
            // The server's timers may go off with its clock; then nothing was done, or unknown.
            (Some(503), _) | (Some(409), "CONCURRENT_UPDATE") => continue,
            _ => panic!("{held:?}"),
        }
        let told = witness.purchase(held.reservation().unwrap(), &name).await;
        match (told.status, told.error.as_str()) {
            (Some(200 | 201), _) => {
                bought.fetch_add(1, Ordering::SeqCst);
            }
            (Some(503), _)
            | (Some(409), "CONCURRENT_UPDATE")
            | (Some(410), "RESERVATION_EXPIRED") => {}
            _ => panic!("{told:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faketime_on_the_database_jumping_while_running_is_never_oversold() {
    let report = Report::begin("clocks", "the database", REPLAY);
    database_jumps(report, None).await;
}

/// Each time in opposite directions, so that they are never wrong alike.
#[tokio::test(flavor = "multi_thread")]
async fn faketime_on_an_instance_and_the_database_both_jumping_is_never_oversold() {
    let report = Report::begin("clocks", "an instance and the database", REPLAY);
    database_jumps(report, Some(FakeTime::new())).await;
}

/// Sales on two instances while the database's clock jumps, and with it that of one of them.
async fn database_jumps(report: Report, instance: Option<FakeTime>) {
    const STOCK: u32 = 100_000;
    let clock = FakeTime::new();
    let jump = |seconds: i64| {
        clock.ahead(seconds);
        if let Some(instance) = &instance {
            instance.ahead(-seconds);
        }
    };
    let environment = clock.environment();
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let cluster = Cluster::private_with(&[], &environment).await.unwrap();
    let database = cluster.database().await.unwrap();
    let right = Start::on(&database.url()).quiet().with(&["--hold-seconds", "30"]);
    let mut wrong = right.clone();
    for (name, value) in instance.iter().flat_map(FakeTime::environment) {
        wrong = wrong.set(name, &value);
    }
    let shops = [wrong.run().await, right.run().await];
    let drop_id = DropId::new(shops[0].api.plain_drop(STOCK).await).unwrap();
    let recorder = Recorder::new();

    // A hold is honoured while the time stands where it was, however far back the clock goes.
    let witness = Witness::new(shops[0].api.clone(), &recorder);
    let kept = witness.reserve(drop_id, "keeper").await.reservation().expect("a hold");
    jump(-HOUR);
    assert_eq!(witness.purchase(kept, "keeper").await.status, Some(201));
    // And it is over once the store's time is past its end, however that came about.
    let lapsing = witness.reserve(drop_id, "lapsing").await.reservation().expect("a hold");
    jump(2 * HOUR);
    assert_eq!(witness.purchase(lapsing, "lapsing").await.error, "RESERVATION_EXPIRED");
    // Not even if the clock goes back to where it was valid.
    jump(0);
    assert_eq!(witness.purchase(lapsing, "lapsing").await.error, "RESERVATION_EXPIRED");

    let (over, bought) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let crowd: Vec<_> = (0..8)
        .map(|number| {
            let witness = Witness::new(shops[number % 2].api.clone(), &recorder);
            let name = format!("buyer_{number}");
            tokio::spawn(buyer(witness, drop_id, name, over.clone(), bought.clone()))
        })
        .collect();
    let jumps: &[i64] = &[HOUR, -HOUR, 0, 86_400, 300, -86_400, 10, 0];
    let rounds = if is_long() { 20 } else { 1 };
    for seconds in jumps.repeat(rounds) {
        jump(seconds);
        // Sold on, before the next jump.
        let enough = bought.load(Ordering::SeqCst) + 10;
        let began = Instant::now();
        while bought.load(Ordering::SeqCst) < enough {
            assert!(began.elapsed() < PATIENCE, "nothing is sold at {seconds:+} s");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    over.store(true, Ordering::SeqCst);
    for shopper in crowd {
        shopper.await.unwrap();
    }
    let store = database.connect().await.unwrap();
    verdict(&recorder, &store, drop_id).await;
    let feed = feed(&store, drop_id).await;
    let back = feed.windows(2).find(|pair| pair[1].as_of < pair[0].as_of);
    assert!(back.is_none(), "as_of went back: {back:?}");
    let told = recorder.calls().into_iter();
    let told = told.filter(|call| matches!(call.answer, Answer::Purchased { .. })).count();
    report
        .figure("jumps while running", &(jumps.len() * rounds))
        .figure("purchases acknowledged meanwhile", &told)
        .save();
}
